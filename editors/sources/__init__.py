"""The one source of what every editor gets: slash commands, the skill, the words around the agents' briefs."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

COMMANDS = ("train", "status", "report", "deploy", "diagnose", "compare", "rollback")


class Command(NamedTuple):
    """One slash command; `body` holds `$ARGUMENTS` where what the person typed belongs."""

    name: str
    description: str
    hint: str
    body: str


def text(name: str) -> str:
    """The text of a source file."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def commands() -> list[Command]:
    """The slash commands, in the order of help."""
    return [_command(name) for name in COMMANDS]


def _command(name: str) -> Command:
    _, head, body = text(f"commands/{name}.md").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.strip().splitlines())
    return Command(name, fields["description"], fields["argument-hint"].strip('"'), body)
