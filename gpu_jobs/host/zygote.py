"""A process with torch imported, from which torch jobs are forked in milliseconds while the host stays awake.

The host asks through one pipe and hears through another: lines of JSON. When the host dies the zygote leaves;
its jobs go on, and the next host adopts them. It decides nothing about jobs.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import sys
import time
import traceback

from gpu_jobs.host import processes
from gpu_jobs.host.child import be_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, NoReturn


# While a first job trains, nobody waits for these: imported one at a time when nothing was asked for a while.
LATER = ("sklearn.linear_model", "sklearn.ensemble", "sklearn.metrics", "matplotlib.figure",
         "matplotlib.backends.backend_svg")  # fmt: skip
IDLE_MS = 30


class Zygote:
    """The host's end.

    Args:
        root: The sandbox's root.

    Attributes:
        ready: Whether torch has been imported; before that, asking only means waiting.
    """

    def __init__(self, root: Path) -> None:
        asks_read, self._asks = os.pipe()
        self.answers, answers_write = os.pipe()
        self._buffer = b""
        self.ready = False
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            processes.close_descriptors({asks_read, answers_write})
            _live(root, asks_read, answers_write)
        os.close(asks_read)
        os.close(answers_write)

    def ask(self, job_id: str, start: int, plan: dict[str, Any]) -> bool:
        """Ask for a fork that runs a start of a job; False when the zygote is gone."""
        line = json.dumps({"id": job_id, "start": start, "plan": plan}).encode() + b"\n"
        try:
            os.write(self._asks, line)
        except OSError:
            return False
        return True

    def hear(self) -> list[dict[str, Any]] | None:
        """What happened: `{"ready"}`, `{"id", "pid"}` forked, `{"id", "status"}` ended; None = it is gone."""
        data = os.read(self.answers, 65536)
        if not data:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        messages = [json.loads(line) for line in lines]
        self.ready = self.ready or any("ready" in message for message in messages)
        return messages

    def close(self) -> None:
        """Let the zygote go: it leaves when nobody can ask any more."""
        os.close(self._asks)
        os.close(self.answers)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return


def _live(root: Path, asks: int, answers: int) -> NoReturn:
    """The zygote's whole life; never returns."""
    try:
        os.setsid()
        _warm()
        _say(answers, {"ready": True})
        _serve(root, asks, answers)
    except BaseException:  # outermost frame of this process
        traceback.print_exc()
    finally:
        os._exit(0)


def _warm() -> None:
    """Import torch. A failure is printed here and met again, as its error, by the job that needs torch."""
    begin = time.monotonic()
    try:
        from gpu_jobs.training.warm import warm

        warm()
    except Exception:  # outermost frame of the import
        traceback.print_exc()
    gc.collect()
    gc.freeze()  # what is there now is shared with every fork: do not let the collector touch it
    print(f"torch ready after {time.monotonic() - begin:.2f} s", flush=True)  # noqa: T201 - the host's log


def _import_later(name: str) -> None:
    """Import what jobs of the second half of a run need; a failure is met again by the job that needs it."""
    try:
        importlib.import_module(name)
    except Exception:  # outermost frame of the import
        traceback.print_exc()
    gc.freeze()


def _serve(root: Path, asks: int, answers: int) -> None:
    poller = select.poll()
    poller.register(asks, select.POLLIN)
    jobs: dict[int, tuple[str, int]] = {}
    buffer, later = b"", list(LATER)
    while True:
        found = poller.poll(IDLE_MS if later and jobs else None)
        if not found:
            _import_later(later.pop(0))
        for ready, _ in found:
            if ready in jobs:
                job_id, pid = jobs.pop(ready)
                poller.unregister(ready)
                os.close(ready)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                _say(answers, {"id": job_id, "status": status})
                continue
            data = os.read(asks, 65536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for ask in map(json.loads, lines):
                pid = _fork(root, ask, [asks, answers, *jobs])
                handle = os.pidfd_open(pid)
                jobs[handle] = (ask["id"], pid)
                poller.register(handle, select.POLLIN)
                _say(answers, {"id": ask["id"], "pid": pid})


def _fork(root: Path, ask: dict[str, Any], inherited: list[int]) -> int:
    pid = os.fork()
    if pid == 0:
        for descriptor in inherited:
            os.close(descriptor)
        be_child(root, ask["id"], ask["start"], ask["plan"])
    return pid


def _say(answers: int, message: dict[str, Any]) -> None:
    try:
        os.write(answers, json.dumps(message).encode() + b"\n")
    except BrokenPipeError:
        return  # the host is gone; the next one finds the job by its files
