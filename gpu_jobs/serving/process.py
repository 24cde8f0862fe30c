"""One generated server as a child process on a free loopback port. It measures nothing but readiness."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from .errors import ServingError
from .load import Connection

READY_SECONDS = 60.0


@dataclass(frozen=True)
class RunningServer:
    """A server that answers `/readyz`.

    Attributes:
        port: its port on 127.0.0.1.
        pid: its process.
        ready_seconds: from starting the process to the first ready answer.
    """

    port: int
    pid: int
    ready_seconds: float

    def memory_mb(self) -> float:
        """Resident memory of the process and its children, in MB (10^6 bytes)."""
        process = psutil.Process(self.pid)
        return sum(p.memory_info().rss for p in (process, *process.children(recursive=True))) / 1e6


@contextmanager
def running(script: Path, models: Path, log: Path, flags: Sequence[str] = ()) -> Iterator[RunningServer]:
    """Start `script` on a socket of our own, wait until it is ready, stop it at the end.

    The socket is bound here and handed down as a descriptor: no port is ever guessed, and the first request
    waits in the socket's own queue until the server accepts it.

    Args:
        script: a generated `serve.py`, with `rows/` beside it.
        models: the folder with `model.onnx` and `preprocessing.json`.
        log: where the server's output goes.
        flags: more of the server's flags.

    Raises:
        ServingError: `serving.not_ready`, with the end of the log.
    """
    with socket.socket() as listener, log.open("wb") as output:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        port = int(listener.getsockname()[1])
        handle = listener.fileno()
        command = [sys.executable, "-P", str(script), "--fd", str(handle), "--models", str(models), *flags]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            pass_fds=[handle],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    try:
        _wait_until_ready(port, log)
        yield RunningServer(port, process.pid, time.perf_counter() - begun)
    finally:
        _stop(process)


def _wait_until_ready(port: int, log: Path) -> None:
    """One request that waits: our copy of the socket is closed, so a server that dies resets it."""
    try:
        with Connection(port, timeout=READY_SECONDS) as connection:
            status, _ = connection.exchange(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    except OSError as error:
        raise _not_ready(f"{type(error).__name__}: {error}", log) from error
    if status != 200:
        raise _not_ready(f"/readyz answered {status}", log)


def _not_ready(what: str, log: Path) -> ServingError:
    end = log.read_text(encoding="utf-8", errors="replace")[-800:].strip() or "(its log is empty)"
    message = f"the generated server did not become ready: {what}; its log ends: {end}"
    return ServingError(message, code="serving.not_ready", fix=f"read {str(log)!r} and start the same command by hand")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
