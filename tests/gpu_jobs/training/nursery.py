"""A small stand-in for the job host: warms torch once, then forks one process per line it reads. Run as a script.

In: {"root": folder, "spec": job.json}. Out, as lines: {"pid"} when forked, {"ended": pid, "status": wait status}.
A child answers in result.json; code 75 = told to stop, 1 = failed (the error is in error.json).
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from gpu_jobs.tasks import train
from gpu_jobs.tasks.job import Cancelled, Job
from gpu_jobs.training.warm import warm

TOLD_TO_STOP = 75


def child(root: Path, spec: dict[str, Any]) -> NoReturn:
    """Run one train job and leave."""
    code = 1
    try:
        job = Job(root, spec)
        signal.signal(signal.SIGTERM, lambda *_: job.stop())
        job.folder.mkdir(parents=True, exist_ok=True)
        sys.stderr = (job.folder / "log").open("a")
        try:
            result = train.run(job)
            (job.folder / "result.json").write_text(json.dumps(result))
            code = 0
        except Cancelled:
            code = TOLD_TO_STOP
        except BaseException as error:
            document = {"code": getattr(error, "code", "crashed"), "message": str(error)}
            (job.folder / "error.json").write_text(json.dumps(document))
            raise
    finally:
        sys.stderr.flush()
        os._exit(code)


def say(**fields: Any) -> None:
    """One line to whoever started this."""
    os.write(1, json.dumps(fields).encode() + b"\n")


def reap() -> None:
    """Say who has ended."""
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            say(ended=found[0], status=found[1])
    except ChildProcessError:
        return


def read_line() -> bytes:
    """The next order, empty at the end of the input."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b""
        line += byte
    return line


def fork(line: bytes) -> None:
    """Fork the job of one order."""
    order = json.loads(line)
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child(Path(order["root"]), order["spec"])
    say(pid=pid)


def main() -> None:
    """Fork per line until the input ends; reap in between."""
    warm()
    say(warm=True)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([0, reader], [], [])
        if reader in ready:
            os.read(reader, 4096)
            reap()
        if 0 in ready:
            line = read_line()
            if not line:
                return
            fork(line)


if __name__ == "__main__":
    main()
