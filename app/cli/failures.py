"""How a failure is told: one message or one JSON document, and the exit code. It catches nothing by itself."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

OK, REJECTED, FAILED, BAD_INPUT, WAITS, CANCELLED = 0, 2, 3, 4, 5, 130
STATUS = {REJECTED: "rejected", FAILED: "failed", BAD_INPUT: "failed", WAITS: "waiting", CANCELLED: "cancelled"}
SIGPIPE_CODE, SIGTERM_CODE = 141, 143


class Terminated(BaseException):
    """SIGTERM: the door goes, and what it started goes on."""


class ShownFailure(Exception):  # noqa: N818 - the failure itself is in it
    """A failure whose run is known: the run's own document is printed with the error in it."""

    def __init__(self, error: dict[str, Any], document: dict[str, Any], code: int) -> None:
        super().__init__(error["message"])
        self.error = error
        self.document = document
        self.code = code


def report(error: BaseException, args: Sequence[str]) -> int:
    """Print an error as uv does (what and why, then what to do), or as one document; return the exit code."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    told, code = _translate(error)
    if _debug(args):
        from app.cli.figures import clean_lines

        sys.stderr.write(clean_lines("".join(traceback.format_exception(error))))
    if "--json" in args:
        document = error.document if isinstance(error, ShownFailure) else {}
        click.echo(json.dumps({**empty_document(), "status": STATUS.get(code), **document, "error": told}, indent=2))
    else:
        click.echo(in_words(told), err=True)
    return code


def in_words(error: dict[str, Any]) -> str:
    """An error's message, and its fix as a hint."""
    from app.cli.figures import clean_lines

    lines = [click.style("error", fg="red", bold=True) + f": {clean_lines(error['message'])}"]
    if error.get("fix"):
        lines.append(click.style("hint", fg="cyan", bold=True) + f": {clean_lines(error['fix'])}")
    return "\n".join(lines)


def empty_document() -> dict[str, Any]:
    """The document of a command that failed before there was a run."""
    lists: dict[str, Any] = {"phases": [], "metrics": {}, "baselines": {}, "importance": []}
    nothing = dict.fromkeys(("model", "deployment", "report", "workspace", "error"))
    return {"run_id": None, "status": None, **lists, **nothing}


def exit_code(error_code: str) -> int:
    """The exit code that belongs to a stable error code."""
    first = error_code.partition(".")[0]
    if first in {"input", "usage"}:
        return BAD_INPUT
    if first == "gate":
        return REJECTED
    return CANCELLED if error_code == "run.cancelled" else FAILED


def reader_gone() -> int:
    """The reader of our output left (`| head`): say nothing more, and keep Python from complaining at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return SIGPIPE_CODE


def _translate(error: BaseException) -> tuple[dict[str, Any], int]:
    if isinstance(error, ShownFailure):
        return error.error, error.code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return _error("run.cancelled", "interrupted"), CANCELLED
    if isinstance(error, Terminated):
        fix = "see what is going on: neuroloom runs"
        return _error("door.terminated", "this command was told to stop (SIGTERM)", fix=fix), SIGTERM_CODE
    if isinstance(error, click.ClickException):
        return _usage(error), BAD_INPUT
    if hasattr(error, "as_dict"):
        told = error.as_dict()
        return told, exit_code(str(told["code"]))
    name = type(error).__name__
    fix = "run the command again with --debug and report the traceback"
    return _error("internal", f"internal error: {name}: {error}", fix=fix), FAILED


def _usage(error: click.ClickException) -> dict[str, Any]:
    kinds = {
        click.NoSuchOption: "usage.no_such_option",
        click.MissingParameter: "usage.missing",
        click.BadParameter: "usage.value",
    }
    code = next((word for kind, word in kinds.items() if type(error) is kind), "usage.invalid")
    param = getattr(error, "param", None)
    context = getattr(error, "ctx", None)
    field = getattr(error, "option_name", None) or (_as_typed(param) if param is not None else None)
    fix = f"{context.command_path} --help" if context is not None else "neuroloom --help"
    message = error.format_message().rstrip(".")
    return _error(code, message[:1].lower() + message[1:], field=field, fix=fix)


def _as_typed(param: click.Parameter) -> str | None:
    """The name that the person knows: the flag's, not the one it has inside."""
    flags = [flag for flag in param.opts if flag.startswith("--")]
    return flags[0].lstrip("-").replace("-", "_") if flags else param.name


def _error(code: str, message: str, *, field: str | None = None, fix: str | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "field": field, "fix": fix}


def _debug(args: Sequence[str]) -> bool:
    if "--debug" in args:
        return True
    from app.settings import wants_debug

    return wants_debug(_config(args))


def _config(args: Sequence[str]) -> Path | None:
    """`--config FILE` as far as it can be seen without parsing, because parsing may be what failed."""
    for position, word in enumerate(args):
        if word.startswith("--config="):
            return Path(word.removeprefix("--config="))
        if word == "--config" and position + 1 < len(args):
            return Path(args[position + 1])
    return None
