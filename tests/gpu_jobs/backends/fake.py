"""A backend in memory: files in a dictionary and five programs as coroutines. For code that needs no real process."""

from __future__ import annotations

import asyncio
import posixpath
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from gpu_jobs.backends.protocol import Command, Finished, ProcessState, SandboxInfo, SandboxRequest
from memory.errors import BackendError


class FakeProcess:
    """A program that runs as a task of this event loop."""

    def __init__(self, pid: int, task: asyncio.Task[Finished]) -> None:
        self.handle: Mapping[str, Any] = {"pid": pid, "ticks": 0, "boot": "fake"}
        self._task = task

    def lose(self) -> None:
        """As if what it runs on had broken down."""
        self._task.cancel()

    async def poll(self) -> ProcessState:
        if not self._task.done():
            return ProcessState(state="running")
        if self._task.cancelled():
            return ProcessState(state="lost")
        return ProcessState(state="exited", code=self._task.result().code)

    async def stream(self, offset: int = 0) -> AsyncIterator[bytes]:
        await asyncio.gather(self._task, return_exceptions=True)
        if not self._task.cancelled():
            yield self._task.result().stdout[offset:]

    async def kill(self, grace: float = 0.0) -> None:  # noqa: ARG002 - the protocol's
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class FakeSandbox:
    """Files in a dictionary."""

    def __init__(self, info: SandboxInfo) -> None:
        self.info = info
        self.files: dict[str, bytes] = {}
        self.processes: dict[int, FakeProcess] = {}

    async def run(self, command: Command) -> Finished:
        begin = time.monotonic()
        left = max(0.0, self.info.deadline - time.time())
        try:
            async with asyncio.timeout(left if command.timeout is None else min(left, command.timeout)):
                code, out, err = await self._program(command)
        except TimeoutError:
            return Finished(code=-9, stdout=b"", stderr=b"", timed_out=True, seconds=time.monotonic() - begin)
        return Finished(code=code, stdout=out, stderr=err, seconds=time.monotonic() - begin)

    async def start(self, command: Command) -> FakeProcess:
        pid = len(self.processes) + 1
        self.processes[pid] = FakeProcess(pid, asyncio.create_task(self.run(command)))
        return self.processes[pid]

    def process(self, handle: Mapping[str, Any]) -> FakeProcess:
        return self.processes[handle["pid"]]

    async def write(self, path: str, data: bytes) -> None:
        self.files[self._inside(path)] = data

    async def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes | None:
        data = self.files.get(self._inside(path))
        end = None if limit is None else offset + limit
        return None if data is None else data[offset:end]

    def _inside(self, path: str) -> str:
        full = posixpath.normpath(posixpath.join("/", self.info.root, path))
        if not full.startswith(self.info.root + "/"):
            raise BackendError(f"the path {path!r} leads out of the sandbox", code="backend.path")
        return full

    async def _program(self, command: Command) -> tuple[int, bytes, bytes]:
        name, *rest = command.argv
        if name == "sleep":
            await asyncio.sleep(float(rest[0]))
        programs = {
            "true": (0, b"", b""),
            "sleep": (0, b"", b""),
            "false": (1, b"", b""),
            "echo": (0, " ".join(rest).encode() + b"\n", b""),
            "cat": (0, command.stdin, b""),
        }
        return programs.get(name, (127, b"", f"{name}: No such file or directory\n".encode()))


class FakeBackend:
    """Sandboxes that live as long as this object."""

    def __init__(self) -> None:
        self.sandboxes: dict[str, FakeSandbox] = {}

    async def open(self, request: SandboxRequest) -> FakeSandbox:
        name, now = f"{request.owner}.{request.label}", time.time()
        if name not in self.sandboxes:
            info = SandboxInfo(
                id=name,
                kind="fake",
                owner=request.owner,
                label=request.label,
                root=request.root or "/fake",
                created=now,
                deadline=now + request.seconds,
            )
            self.sandboxes[name] = FakeSandbox(info)
        return self.sandboxes[name]

    async def attach(self, sandbox_id: str) -> FakeSandbox:
        if sandbox_id not in self.sandboxes:
            raise BackendError(f"no sandbox {sandbox_id!r}", code="backend.no_sandbox")
        return self.sandboxes[sandbox_id]

    async def sweep(self) -> tuple[str, ...]:
        over = [name for name, found in self.sandboxes.items() if time.time() >= found.info.deadline]
        for name in over:
            await self.destroy(name)
        return tuple(over)

    async def destroy(self, sandbox_id: str) -> None:
        sandbox = self.sandboxes.pop(sandbox_id, None)
        for process in sandbox.processes.values() if sandbox else ():
            await process.kill()

    async def list(self, owner: str | None = None) -> list[SandboxInfo]:
        infos = [sandbox.info for sandbox in self.sandboxes.values()]
        return [info for info in infos if owner in (None, info.owner)]
