"""Starting a runner or supervisor so that it outlives whoever asked for it, however that one ends. Linux, macOS.

A middleman in a new session starts the runner and exits at once: no parent link, no shared process group, no pipe.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from phases.lock import held

MIDDLEMAN = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"


def start_detached(argv: list[str], log: Path, cwd: Path | None = None) -> None:
    """Start `argv` as nobody's child; its output goes to `log`.

    Raises:
        OSError: the log cannot be written or the program cannot be started.
    """
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        subprocess.run(
            [sys.executable, "-I", "-S", "-W", "ignore", "-c", MIDDLEMAN, *argv],
            check=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=cwd,
        )


def ensure_runner(home: Path, argv: list[str]) -> bool:
    """Start a runner of this state folder unless one lives; True when one was started."""
    if held(home / "runner.lock"):
        return False
    start_detached(argv, home / "runner.log")
    return True
