"""`python -P -m gpu_jobs.backends.keeper FOLDER -- COMMAND...`: keeps one detached command, its identity and exit code.

It forks and returns, so that nobody is its parent; the keeper writes `process.json`, runs the command as its child with
output to `log`, and writes `exit`. It ignores TERM, which is for the command. It limits nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from gpu_jobs.host import processes
from gpu_jobs.host.files import write_bytes, write_json

NO_PROGRAM = 127


def main(arguments: list[str]) -> int:
    """Detach, keep the command until it ends; 2 when called wrongly."""
    if len(arguments) < 3 or arguments[1] != "--":
        sys.stderr.write("usage: python -P -m gpu_jobs.backends.keeper FOLDER -- COMMAND...\n")
        return 2
    folder = Path(arguments[0]).resolve()
    ready, told = os.pipe()
    if os.fork():
        os.close(told)
        return 0 if os.read(ready, 1) else 1  # process.json is there, or the keeper failed
    os.close(ready)
    os.setsid()
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for target in (1, 2):
        os.dup2(log, target)
    os.dup2(os.open(folder / "stdin", os.O_RDONLY), 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    write_json(folder / "process.json", {**processes.identity(os.getpid()), "folder": str(folder)})
    os.write(told, b"1")
    os.close(told)
    write_bytes(folder / "exit", str(_run(arguments[2:])).encode())
    return 0


def _run(command: list[str]) -> int:
    """Run the command with default signals; its exit code, or minus the signal's number."""
    try:
        child = subprocess.Popen(command, preexec_fn=_default_signals)
    except OSError as problem:
        sys.stderr.write(f"{command[0]}: {problem.strerror}\n")
        return NO_PROGRAM
    return child.wait()


def _default_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
