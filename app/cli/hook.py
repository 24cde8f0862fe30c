"""`neuroloom hook` for editors, and `neuroloom hooks …`: the reference system's verbs with their flags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.examples import with_example

if TYPE_CHECKING:
    from editors.hook_door import Place
    from editors.verbs import Said, Verbs

REFUSED = 2


def _place() -> Place:
    from app.folders import state_in_use
    from editors.hook_door import Place

    return Place(state_in_use(), Path.home())


@click.command(short_help="Answer one event of an editor.")
@click.argument("event", default="")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(("claude-code", "cursor", "vscode")),
    help="The editor; by default told by the payload.",
)
@with_example
def hook(event: str, wanted: Any) -> int:
    """Answer EVENT of an editor: JSON on standard input, the editor's own answer on standard output.

    Example:
      echo '{"hook_event_name": "SessionStart", "session_id": "s1"}' | neuroloom hook SessionStart
    """
    from editors.hook_door import serve

    return serve(event, _place(), wanted)


@click.group(short_help="Hook verbs of the reference system.")
@with_example
def hooks() -> None:
    """Hook verbs of the reference system, for prompts and scripts that call them.

    Example:
      neuroloom hooks post-edit --file neural/configs/training.json --memory-key neural/config
    """


def _verb(name: str) -> Callable[[Callable[..., Said]], click.Command]:
    """A verb as a command: `--json`, flags of other versions are passed over with a word, a refusal is exit code 2."""

    def made(work: Callable[..., Said]) -> click.Command:
        @click.pass_context
        def command(ctx: click.Context, /, as_json: bool, **options: Any) -> int:
            from editors.verbs import Verbs

            _pass_over(ctx.args)
            return _say(work(Verbs(_place(), Path.cwd()), **options), as_json)

        command.__doc__ = work.__doc__
        with_example(command)
        command.__click_params__ = getattr(work, "__click_params__", [])  # type: ignore[attr-defined]
        flexible = {"ignore_unknown_options": True, "allow_extra_args": True}
        option = click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
        short = (work.__doc__ or "").partition("\n")[0]
        return hooks.command(name, context_settings=flexible, short_help=short)(option(command))

    return made


def _pass_over(words: list[str]) -> None:
    flags = [word.partition("=")[0] for word in words if word.startswith("-")]
    if flags:
        click.echo(f"not acted on here: {', '.join(flags)}", err=True)


def _say(said: Said, as_json: bool) -> int:
    from app.cli.figures import clean_lines, json_text

    if as_json:
        click.echo(json_text(said.document))
    else:
        click.echo(clean_lines(said.words), err=said.refused)
    return REFUSED if said.refused else 0


def _switch(name: str, help_text: str) -> Callable[[Any], Any]:
    """A flag that may have a word after it, as in `--export-metrics true`."""
    return click.option(name, is_flag=False, flag_value="true", default="false", type=click.BOOL, help=help_text)


@_verb("pre-task")
@click.option("--description", default="", help="What is to be done.")
@click.option("--task-id", help="Its id; made where none is given.")
def _pre_task(verbs: Verbs, description: str, task_id: str | None) -> Said:
    """A task begins: kept as an event of the run.

    Example:
      neuroloom hooks pre-task --description "set up training"
    """
    return verbs.pre_task(description, task_id)


@_verb("post-task")
@click.option("--task-id", default="unnamed", help="Which task.")
def _post_task(verbs: Verbs, task_id: str) -> Said:
    """A task is done: kept as an event of the run.

    Example:
      neuroloom hooks post-task --task-id neural-training
    """
    return verbs.post_task(task_id)


@_verb("pre-edit")
@click.option("--file", required=True, help="The file that will be edited.")
def _pre_edit(verbs: Verbs, file: str) -> Said:
    """May this file be edited? Exit 2 with the reason when policy protects it.

    Example:
      neuroloom hooks pre-edit --file neural/scripts/train.py
    """
    return verbs.pre_edit(file)


@_verb("post-edit")
@click.option("--file", required=True, help="The file that was edited.")
@click.option("--memory-key", help="Keep its name, hash, size and change as asserted under this key.")
def _post_edit(verbs: Verbs, file: str, memory_key: str | None) -> Said:
    """A file was edited: name, SHA-256, size and change are kept, under a memory key where one is given.

    Example:
      neuroloom hooks post-edit --file neural/configs/training.json --memory-key neural/config
    """
    return verbs.post_edit(file, memory_key)


@_verb("pre-command")
@click.option("--command", "line", required=True, help="The command that will run.")
def _pre_command(verbs: Verbs, line: str) -> Said:
    """May this command run? Exit 2 with the reason when it would change a run or the state folder.

    Example:
      neuroloom hooks pre-command --command "rm -r build"
    """
    return verbs.pre_command(line)


@_verb("post-command")
@click.option("--command", "line", required=True, help="The command that has run.")
@click.option("--exit-code", type=int, help="Its exit code.")
def _post_command(verbs: Verbs, line: str, exit_code: int | None) -> Said:
    """A command has run: its program and exit code are kept.

    Example:
      neuroloom hooks post-command --command "make test" --exit-code 0
    """
    return verbs.post_command(line, exit_code)


@_verb("notify")
@click.option("--message", required=True, help="What to put on record.")
@click.option("--level", default="info", help="info, warning, error or success.")
def _notify(verbs: Verbs, message: str, level: str) -> Said:
    """Put a message on the run's record.

    Example:
      neuroloom hooks notify --message "phase 1 is done"
    """
    return verbs.notify(message, level)


@_verb("session-start")
@click.option("--session-id", help="Its id; made where none is given.")
def _session_start(verbs: Verbs, session_id: str | None) -> Said:
    """A session begins: prints the latest run, open questions and what changed.

    Example:
      neuroloom hooks session-start
    """
    return verbs.session_start(session_id)


@_verb("session-restore")
@click.option("--session-id", default="latest", help="Of this session; the latest by default.")
def _session_restore(verbs: Verbs, session_id: str) -> Said:
    """Print the latest run, open questions and what changed since that session.

    Example:
      neuroloom hooks session-restore --session-id latest
    """
    return verbs.session_restore(session_id)


@_verb("session-end")
@_switch("--export-metrics", "Also write what the session's hooks counted to a file.")
@_switch("--generate-summary", "Always printed.")
@_switch("--persist-state", "Always kept.")
def _session_end(verbs: Verbs, export_metrics: bool, **_always: bool) -> Said:
    """The session ends: prints what its hooks counted.

    Example:
      neuroloom hooks session-end --export-metrics true
    """
    return verbs.session_end(export_metrics)
