"""`neuroloom run`: start a run, follow it, answer what it asks, and end with its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.cli.door import Door, command_options
from app.cli.run_options import GroupedCommand, flags, request, run_options
from app.cli.session import Session, Start


@click.command(cls=GroupedCommand, short_help="From a table to a served, measured model.")
@click.argument("data", type=click.Path(path_type=Path))
@run_options
@command_options
def run(door: Door, data: Path, **options: Any) -> int:
    r"""Train on DATA (CSV, TSV, JSONL, Parquet, each also .gz), validate, and serve the model.

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
        return session.services.runs.start(wanted)

    return Session.run(door, settings, start, detach=detach)
