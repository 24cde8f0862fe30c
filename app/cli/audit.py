"""`neuroloom audit`: check that the record of what chats did is whole."""

from __future__ import annotations

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.examples import with_example


@click.group(short_help="The record of what chats did.")
@with_example
def audit() -> None:
    """The record of what chats did: one line a call in the state folder, each holding the hash of the one before.

    Example:
      neuroloom audit verify
    """


@audit.command(short_help="Check that no record was changed.")
@command_options
def verify(door: Door) -> int:
    """Follow the chain of hashes and name the first record that was changed, removed or put in.

    Example:
      neuroloom audit verify --json
    """
    from dataclasses import asdict

    from mcp_server import audit as log

    found = log.verify(door.settings().home)
    whole = found.broken is None
    if found.broken is not None:
        words = f"broken at {found.broken['file']}, line {found.broken['line']}: {found.broken['why']}"
    elif not found.records:
        words = "no calls were recorded"
    else:
        words = f"whole: {found.records} records in {found.files} files; {found.closed_off} torn by a killed process"
        words += f"; {found.unended} calls began and did not end" if found.unended else ""
    door.say({"whole": whole, **asdict(found)}, words)
    return failures.OK if whole else failures.REJECTED
