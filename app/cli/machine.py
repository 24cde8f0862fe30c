"""Commands on this machine: config, doctor, down, completion."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options

if TYPE_CHECKING:
    from app.doctor import Finding

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_NEUROLOOM_COMPLETE"


@click.command(short_help="List every setting and where it came from.")
@command_options
def config(door: Door) -> int:
    """List every setting, its value (secrets masked) and its source: flag > environment > file > default.

    Example:
      neuroloom config
      NEUROLOOM_RUN_SEED=7 neuroloom config --json
    """
    settings = door.settings()
    rows = settings.rows()
    door.say({"settings": rows}, lambda: _settings(rows))
    return failures.OK


def _settings(rows: list[dict[str, Any]]) -> str:
    from app.cli.summary import table

    body = [
        (row["name"], "" if row["value"] is None else str(row["value"]), row["source"], row["variable"]) for row in rows
    ]
    return table([("setting", "value", "from", "environment variable"), *body])


@click.command(short_help="What works here, what does not, and the fix.")
@command_options
def doctor(door: Door) -> int:
    """Check this machine. Exit 3 when something that runs need does not work.

    Example:
      neuroloom doctor
    """
    from app.doctor import examine

    found = examine(door.settings())
    healthy = all(finding.ok for finding in found if finding.needed)
    door.say(
        {"ok": healthy, "checks": [one.as_dict() for one in found]}, lambda: _findings(found, healthy), styled=True
    )
    return failures.OK if healthy else failures.FAILED


def _findings(found: list[Finding], healthy: bool) -> str:
    from app.cli.figures import clean_lines

    width = max(len(one.name) for one in found)
    lines = []
    for one in found:
        mark, colour = ("✓", "green") if one.ok else ("✗", "red") if one.needed else ("–", "yellow")
        lines.append(f"{click.style(mark, fg=colour)} {one.name.ljust(width)}  {clean_lines(one.found)}")
        if one.fix:
            lines.append(f"  {' ' * width}  → {clean_lines(one.fix)}")
    return "\n".join([*lines, "", "ready" if healthy else "something that runs need does not work: see ✗ above"])


@click.command(short_help="Stop runner, deployments and embedded Redis.")
@command_options
def down(door: Door) -> int:
    """Stop runner, deployments and embedded Redis of this state folder. Nothing is lost; runs go on afterwards.

    Example:
      neuroloom down
    """
    from app import wiring

    rows = asyncio.run(wiring.shut_down(door.settings()))
    words = [f"{row['what']}: {'stopped' if row['stopped'] else 'not stopped'} ({row['detail']})" for row in rows]
    door.say({"down": rows}, "\n".join(words))
    return failures.OK


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@command_options
def completion(door: Door, shell: str) -> int:
    """Print the completion script of SHELL; it completes commands, options, run ids and deployment names.

    Example:
      neuroloom completion bash > ~/.local/share/bash-completion/completions/neuroloom
      neuroloom completion zsh > "${fpath[1]}/_neuroloom"
      neuroloom completion fish > ~/.config/fish/completions/neuroloom.fish
    """
    from click.shell_completion import get_completion_class

    from app.cli.root import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell!r}")
    maker = kind(cli, {}, "neuroloom", VARIABLE)
    script = maker.source_template % maker.source_vars()
    door.say({"shell": shell, "script": script}, script)
    return failures.OK
