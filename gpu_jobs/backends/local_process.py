"""A detached process of the local backend: looked at, streamed and killed by its files alone. It starts nothing."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_jobs.backends.protocol import ProcessState
from gpu_jobs.host import processes

CHUNK = 65536
PAUSE = 0.02


class LocalProcess:
    """A process named by pid, start ticks and boot id, with the folder of its `log` and `exit` if it has one.

    Args:
        handle: `{"pid", "ticks", "boot"}`, and `"folder"` where `LocalSandbox.start` made it.
        seen: The same three as they are out here: others where the handle is of a walled sandbox; None = it is gone.
    """

    def __init__(self, handle: Mapping[str, Any], seen: Mapping[str, Any] | None) -> None:
        self._handle = dict(handle)
        self._seen = seen
        folder = self._handle.get("folder")
        self._folder = Path(folder) if isinstance(folder, str) else None

    @property
    def handle(self) -> Mapping[str, Any]:
        """Plain data that makes this object again."""
        return self._handle

    async def poll(self) -> ProcessState:
        """Running, exited with its code, or lost: gone (killed, or another boot) without leaving a code."""
        if processes.alive(self._seen):
            return ProcessState(state="running")
        code = self._code()  # looked at after the process: a code written in between is not missed
        return ProcessState(state="lost") if code is None else ProcessState(state="exited", code=code)

    async def stream(self, offset: int = 0) -> AsyncIterator[bytes]:
        """The log from a byte offset on, until the process ends; nothing where it has no log."""
        if self._folder is None:
            return
        with (self._folder / "log").open("rb") as log:
            log.seek(offset)
            while True:
                running = processes.alive(self._seen)
                if chunk := log.read(CHUNK):
                    yield chunk
                elif not running:
                    return
                else:
                    await asyncio.sleep(PAUSE)

    async def kill(self, grace: float = 0.0) -> None:
        """TERM to its group; after `grace` seconds KILL to everything that carries its mark or session."""
        if self._seen is None or not processes.alive(self._seen):
            return
        pid = int(self._seen["pid"])
        if grace > 0:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)
            await asyncio.to_thread(self._wait, grace)
        await asyncio.to_thread(self._kill_tree, pid)

    def _wait(self, seconds: float) -> None:
        """Until it ends or the time is over: a pidfd wakes us, though it is not our child."""
        pidfd = processes.watch(self._seen) if self._seen else None
        if pidfd is not None:
            try:
                poller = select.poll()
                poller.register(pidfd, select.POLLIN)
                poller.poll(seconds * 1000)
            finally:
                os.close(pidfd)

    def _kill_tree(self, pid: int) -> None:
        leader = pid if processes.alive(self._seen) else None
        if self._folder is not None:
            processes.kill_job(self._folder, leader)
        elif leader is not None:
            processes.kill_all(processes.tree(leader))

    def _code(self) -> int | None:
        if self._folder is None:
            return None
        try:
            return int((self._folder / "exit").read_text())
        except (OSError, ValueError):
            return None
