"""The command line door: `neuroloom`. It translates commands into service calls and answers into text or JSON."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from app.cli import failures
from app.cli.root import cli


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (0, 2, 3, 4, 5, 130 or 143); nothing is raised to the caller.

    Args:
        argv: Arguments without the program's name; `sys.argv[1:]` by default.
    """
    if argv is None:
        signal.signal(signal.SIGTERM, _terminated)
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        code = cli.main(args, prog_name="neuroloom", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:
        return failures.reader_gone()
    except (KeyboardInterrupt, failures.Terminated, Exception) as error:  # the door's outermost frame
        return failures.report(error, args)


def claude_flow() -> int:
    """The console script `claude-flow`: `hooks …` and `memory …` as the reference system's prompts call them."""
    words = [word for word in sys.argv[1:] if word not in {"@alpha", "@latest", "claude-flow@alpha"}]
    if words[:1] not in (["hooks"], ["memory"]):
        sys.stderr.write("claude-flow: here only `hooks …` and `memory …` are known; see `neuroloom --help`\n")
        return failures.BAD_INPUT
    return main(words)


def _terminated(*_: object) -> NoReturn:
    raise failures.Terminated
