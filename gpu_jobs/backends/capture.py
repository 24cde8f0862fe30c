"""Runs one local command to its end and keeps its output: bounded, timed, and killed with its whole tree."""

from __future__ import annotations

import asyncio
import os
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

from gpu_jobs.backends.protocol import OUTPUT_BYTES, Command, Finished
from gpu_jobs.host import processes

NO_PROGRAM = 127
NOT_EXECUTABLE = 126
RUN_MARK = "NEUROLOOM_COMMAND"
CHUNK = 1 << 16


async def run_captured(command: Command, cwd: Path, env: dict[str, str], timeout: float) -> Finished:
    """Run a command in its own session.

    Args:
        command: What to run.
        cwd: Folder to run in, absolute.
        env: Its whole environment; a mark is added that finds its tree again.
        timeout: Seconds until the tree is killed.

    Returns:
        How it ended, also when there is no such program.
    """
    begin = time.monotonic()
    mark = os.urandom(8).hex()
    try:
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=PIPE if command.stdin else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=cwd,
            env={**env, RUN_MARK: mark},
            start_new_session=True,
        )
    except OSError as problem:
        code = NO_PROGRAM if isinstance(problem, FileNotFoundError) else NOT_EXECUTABLE
        told = f"{command.argv[0]}: {problem.strerror}\n".encode()
        return Finished(code=code, stdout=b"", stderr=told, seconds=time.monotonic() - begin)
    timed_out = clean = False
    out, err = _Kept(), _Kept()
    everything = asyncio.gather(_feed(process, command.stdin), out.take(process.stdout), err.take(process.stderr))
    try:
        async with asyncio.timeout(timeout):
            await everything
            await process.wait()
            clean = True
    except TimeoutError:
        timed_out = True
    finally:
        if not clean:  # cancelled, too late, or something it left keeps its output open
            await asyncio.shield(_kill(process, mark))
    return Finished(
        code=process.returncode if process.returncode is not None else -9,
        stdout=bytes(out.data),
        stderr=bytes(err.data),
        timed_out=timed_out,
        truncated=out.cut or err.cut,
        seconds=time.monotonic() - begin,
    )


class _Kept:
    """The first `OUTPUT_BYTES` of a stream; the rest is read and dropped, so that the writer never blocks."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.cut = False

    async def take(self, stream: asyncio.StreamReader | None) -> None:
        while stream is not None and (chunk := await stream.read(CHUNK)):
            room = OUTPUT_BYTES - len(self.data)
            self.data += chunk[:room]
            self.cut = self.cut or len(chunk) > room


async def _feed(process: Process, data: bytes) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(data)
        await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return  # it did not want to read all of it


async def _kill(process: Process, mark: str) -> None:
    """Everything in its session, below it, or started with its mark, until none is left."""

    def members() -> list[int]:
        below = processes.tree(process.pid) if process.returncode is None else []  # else the pid is another's
        found = {*below, *processes.marked(RUN_MARK, mark)}
        return [pid for pid in sorted(found) if processes.start_ticks(pid) is not None]

    for _ in range(200):
        left = await asyncio.to_thread(members)
        if not left:
            break
        processes.kill_all(left)
        await asyncio.sleep(0.005)
    await process.wait()
