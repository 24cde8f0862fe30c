"""`neuroloom install`: set up an editor, show what that would change, print it, or undo it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options

if TYPE_CHECKING:
    from editors.installer import Change
    from editors.parts import Editor, Target

EDITORS = ("claude-code", "cursor", "vscode")
PRINTED = ("claude-desktop", "gemini", "codex", "generic")
WORDS = {"written": "wrote", "removed": "removed", "restored": "restored", "left": "left alone", "unchanged": "has it"}
WOULD = {"written": "would write", "removed": "would remove", "restored": "would restore"}
THEN = {
    "claude-code": "start Claude Code here twice: it fetches the plugin, then has `/neuroloom:train`",
    "cursor": "open the folder in Cursor and switch the server on under Settings, MCP",
    "vscode": "open the folder in VS Code and start the server from `.vscode/mcp.json`",
}


@click.command(short_help="Set up Claude Code, Cursor or VS Code, or undo it.")
@click.argument("editor", type=click.Choice((*EDITORS, *PRINTED)))
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--print", "printed", is_flag=True, help="Print what to paste, and write nothing.")
@click.option("--uninstall", is_flag=True, help="Take our entries out again.")
@click.option("--project", type=click.Path(path_type=Path, file_okay=False, exists=True), help="For this folder.")
@click.option("--user", is_flag=True, help="For every folder of yours.")
@click.option("--command", "executable", help="The program that editors start; by default this one.")
@command_options
def install(door: Door, editor: str, **options: Any) -> int:
    """Set up EDITOR: server, slash commands, sub-agents, skill and hooks. Existing configuration is kept.

    Example:
      neuroloom install claude-code --dry-run
      neuroloom install codex --print
      neuroloom install cursor --uninstall
    """
    target = _target(options)
    if options["printed"]:
        from editors.parts import snippet

        click.echo(snippet(editor, target), nl=False)
        return failures.OK
    if editor not in EDITORS:
        raise click.UsageError(f"{editor} is set up by hand: add --print and paste what is printed")
    return _changed(door, editor, target, options)  # type: ignore[arg-type]  # it is one of EDITORS


def _target(options: dict[str, Any]) -> Target:
    from app.folders import state_in_use
    from editors.parts import Target

    if options["user"] and options["project"]:
        raise click.UsageError("--user and --project contradict each other")
    base = Path.home() if options["user"] else (options["project"] or Path.cwd())
    return Target(base.resolve(), options["user"], state_in_use().resolve(), options["executable"] or _executable())


def _executable() -> str:
    """The program beside this Python; editors often have another search path."""
    beside = Path(sys.executable).with_name("neuroloom")
    return str(beside) if beside.exists() else "neuroloom"


def _changed(door: Door, editor: Editor, target: Target, options: dict[str, Any]) -> int:
    from editors.installer import Installer
    from editors.parts import parts

    installer, dry = Installer(editor, target), bool(options["dry_run"])
    if options["uninstall"]:
        changes = installer.undo() if dry else installer.uninstall()
    else:
        wanted = parts(editor, target)
        changes = installer.plan(wanted) if dry else installer.install(wanted)
    rows = [{"path": str(one.path), "done": one.done, "why": one.why or None} for one in changes]
    door.say({"editor": editor, "dry_run": dry, "files": rows}, lambda: _words(editor, changes, dry, options))
    return failures.OK


def _words(editor: Editor, changes: list[Change], dry: bool, options: dict[str, Any]) -> str:
    if not changes:
        return f"nothing of ours is installed for {editor} here"
    verbs = {**WORDS, **(WOULD if dry else {})}
    lines = [f"{verbs[one.done]} {one.path}{f' ({one.why})' if one.why else ''}" for one in changes]
    diffs = [one.diff() for one in changes if dry and one.done != "unchanged"]
    then = [] if dry or options["uninstall"] else [f"next: {THEN[editor]}"]
    return "\n".join([*diffs, *lines, *then])
