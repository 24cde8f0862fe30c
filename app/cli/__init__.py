"""The command line door: `neuroloom`. It translates commands into service calls and answers into text or JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (0, 2, 3, 4, 5, 130 or 143); nothing is raised to the caller.

    Args:
        argv: Arguments without the program's name; `sys.argv[1:]` by default.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if args[:1] == ["hook"] and argv is None:
        from app.cli.hot import hook  # an editor waits for it: not even click is loaded on its way

        code = hook(args[1:])
        if code is not None:
            return code
    return _command(args, argv is None)


def _command(args: list[str], is_process: bool) -> int:
    import signal

    from app.cli import failures
    from app.cli.root import cli

    if is_process:
        signal.signal(signal.SIGTERM, _terminated)
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
        from app.cli import failures

        sys.stderr.write("claude-flow: here only `hooks …` and `memory …` are known; see `neuroloom --help`\n")
        return failures.BAD_INPUT
    return main(words)


def _terminated(*_: object) -> NoReturn:
    from app.cli import failures

    raise failures.Terminated
