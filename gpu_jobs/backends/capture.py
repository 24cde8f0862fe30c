"""Runs one local command to its end and keeps its output: bounded, timed, and killed with its whole tree.

It stands on pidfd and non-blocking pipes rather than on `asyncio.subprocess`, which on Python 3.11 can hang for ever
when it is cancelled while a process is being made, and starts a thread per process.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from gpu_jobs.backends.protocol import OUTPUT_BYTES, Command, Finished
from gpu_jobs.host import processes

NO_PROGRAM = 127
NOT_EXECUTABLE = 126
RUN_MARK = "NEUROLOOM_COMMAND"
CHUNK = 1 << 16


async def run_captured(
    command: Command, cwd: Path, env: dict[str, str], timeout: float, descriptors: Sequence[int] = ()
) -> Finished:
    """Run a command in its own session.

    Args:
        command: What to run.
        cwd: Folder to run in, absolute.
        env: Its whole environment; a mark is added that finds its tree again.
        timeout: Seconds until the tree is killed.
        descriptors: Of ours, that it needs as well.

    Returns:
        How it ended, also when there is no such program. Cancelling kills the tree.
    """
    begin = time.monotonic()
    mark = os.urandom(8).hex()
    try:
        process = _popen(command, cwd, {**env, RUN_MARK: mark}, descriptors)
    except OSError as problem:
        code = NO_PROGRAM if isinstance(problem, FileNotFoundError) else NOT_EXECUTABLE
        told = f"{command.argv[0]}: {problem.strerror}\n".encode()
        return Finished(code=code, stdout=b"", stderr=told, seconds=time.monotonic() - begin)
    timed_out = clean = False
    out, err = _Kept(process.stdout), _Kept(process.stderr)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.gather(_feed(process.stdin, command.stdin), out.take(), err.take(), _exited(process))
            clean = True
    except TimeoutError:
        timed_out = True
    finally:
        if not clean:  # too late or cancelled; or something it left keeps its output open
            _kill(process, None if command.detaches else mark)
        _close(process)
    return Finished(
        code=-9 if process.returncode is None else process.returncode,
        stdout=bytes(out.data),
        stderr=bytes(err.data),
        timed_out=timed_out,
        truncated=out.cut or err.cut,
        seconds=time.monotonic() - begin,
    )


def _popen(command: Command, cwd: Path, env: dict[str, str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.argv,
        stdin=subprocess.PIPE if command.stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=env,
        start_new_session=True,
        pass_fds=descriptors,
        bufsize=0,
    )


class _Kept:
    """The first `OUTPUT_BYTES` of a stream; the rest is read and dropped, so that the writer never blocks."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._stream = stream
        self.data = bytearray()
        self.cut = False

    async def take(self) -> None:
        if self._stream is None:
            return
        descriptor = self._stream.fileno()
        os.set_blocking(descriptor, False)
        loop = asyncio.get_running_loop()
        while True:
            await _ready(descriptor, loop.add_reader, loop.remove_reader)
            chunk = os.read(descriptor, CHUNK)
            if not chunk:
                return
            room = OUTPUT_BYTES - len(self.data)
            self.data += chunk[:room]
            self.cut = self.cut or len(chunk) > room


async def _feed(stream: IO[bytes] | None, data: bytes) -> None:
    if stream is None:
        return
    loop = asyncio.get_running_loop()
    descriptor, left = stream.fileno(), memoryview(data)
    os.set_blocking(descriptor, False)
    try:
        while left:
            await _ready(descriptor, loop.add_writer, loop.remove_writer)
            left = left[os.write(descriptor, left) :]
    except BrokenPipeError:
        return  # it did not want to read all of it
    finally:
        stream.close()


async def _exited(process: subprocess.Popen[bytes]) -> None:
    descriptor = os.pidfd_open(process.pid)  # not reaped yet, so the pid is still its own
    loop = asyncio.get_running_loop()
    try:
        await _ready(descriptor, loop.add_reader, loop.remove_reader)
        process.wait()
    finally:
        os.close(descriptor)


async def _ready(descriptor: int, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
    """Until the descriptor can be read from or written to."""
    ready = asyncio.Event()
    add(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        remove(descriptor)


def _kill(process: subprocess.Popen[bytes], mark: str | None) -> None:
    """Everything in its session, below it, or started with its mark, until none is left. It waits for nobody."""
    for _ in range(200):
        below = processes.tree(process.pid) if process.returncode is None else []  # reaped: the pid is another's
        found = {*below, *(processes.marked(RUN_MARK, mark) if mark else ())}
        left = [pid for pid in sorted(found) if processes.start_ticks(pid) is not None]
        if not left:
            break
        processes.kill_all(left)
        time.sleep(0.002)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
