"""The command that steers the training of a live run: steer. It changes nothing of a run that does not train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.names import run_ids

if TYPE_CHECKING:
    from app.services import Services


@click.command(short_help="Tell a run that trains: stop early, lower rate, epochs, metric.")
@click.argument("run", shell_complete=run_ids, default="latest")
@click.option("--stop-early", is_flag=True, help="End training after this epoch, with the best weights.")
@click.option("--rate", type=float, help="Factor on the learning rate as it is now: 0.5 halves it.")
@click.option("--epochs", type=int, help="The new most epochs.")
@click.option("--metric", help="Choose the best epoch by this metric from now on.")
@click.option("--note", help="A remark for the record; it changes nothing.")
@command_options
def steer(door: Door, run: str, **said: Any) -> int:
    """Steer the training of RUN. It is obeyed once, at the end of the epoch that it is in, and kept on record.

    Example:
      neuroloom steer latest --rate 0.5
      neuroloom steer latest --stop-early --note "good enough for the demo"
    """

    async def work(services: Services) -> dict[str, Any]:
        from phases.steering import SteerOrder

        return await services.steering.steer(run, SteerOrder.said(**said), "cli")

    found = door.call(work)
    door.say(found, found["told"])
    return failures.OK
