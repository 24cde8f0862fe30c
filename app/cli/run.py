"""`neuroloom run`: start a run, follow it, answer what it asks, and end with its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.door import Door, command_options
from app.cli.run_options import GroupedCommand, flags, request, run_options
from app.cli.session import Session, Start

if TYPE_CHECKING:
    from phases.request import RunRequest


@click.command(cls=GroupedCommand, short_help="From a table to a served, measured model.")
@click.argument("data", type=click.Path(path_type=Path))
@run_options
@command_options
def run(door: Door, data: Path, **options: Any) -> int:
    r"""Train on DATA (CSV, TSV, JSONL, Parquet, each also .gz; or a dataset's name), validate, and serve the model.

    Ctrl-C cancels cleanly, twice at once. Closing the terminal never cancels.
    Exit: 0 done, 2 rejected by a gate, 3 failed, 4 bad input, 5 waits for a person, 130 cancelled.

    Example:
      neuroloom run churn.csv --target churned --goal "who will leave, and why" \
          --min-accuracy 0.9 --max-latency-ms 20
    """
    settings = door.settings(flags(options))
    detach = bool(options["detach"])
    wanted = request(data, options, settings, waits=detach or door.interactive)

    def start(session: Session) -> Start:
        return session.services.runs.start(_kept(session, wanted, str(data)))

    return Session.run(door, settings, start, detach=detach)


def _kept(session: Session, wanted: RunRequest, said: str) -> RunRequest:
    """The request; where DATA is no file here but the name of a dataset, on that dataset's file."""
    from memory.errors import InputError

    if Path(wanted.data).exists() or "/" in said:
        return wanted
    try:
        return wanted.model_copy(update={"data": str(session.services.datasets.anywhere().locate(said))})
    except InputError:  # no dataset either: the run says that there is no such file
        return wanted
