"""The ssh backend: the machine that a person already has. Our local backend runs there; this asks it over SSH.

What is started there is detached and outlives the connection. There are walls where that machine's local backend has
them. The library `asyncssh` is imported when a connection is opened, not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from gpu_jobs.backends.far_place import FarPlace
from gpu_jobs.backends.protocol import Command, Finished, ProcessState, SandboxInfo, SandboxRequest
from gpu_jobs.backends.ssh_connect import WAITS
from gpu_jobs.backends.ssh_link import SshLink
from gpu_jobs.backends.ssh_settings import SshSettings

CHUNK = 1 << 16
PAUSE = 0.1


class SshProcess:
    """A detached process on the far machine.

    Args:
        link: The way there.
        sandbox: Id of its sandbox.
        handle: As the local backend there gave it.
    """

    def __init__(self, link: SshLink, sandbox: str, handle: Mapping[str, Any]) -> None:
        self._link = link
        self._sandbox = sandbox
        self._handle = dict(handle)

    @property
    def handle(self) -> Mapping[str, Any]:
        """Plain data that makes this object again."""
        return self._handle

    async def poll(self) -> ProcessState:
        """How it is; see `Process.poll`."""
        value, _ = await self._link.ask("poll", sandbox=self._sandbox, handle=self._handle)
        return ProcessState.model_validate(value)

    async def stream(self, offset: int = 0) -> AsyncIterator[bytes]:
        """Its log from a byte offset on, until it ends; nothing where it has no log."""
        folder = self._handle.get("folder")
        while folder is not None:
            running = (await self.poll()).state == "running"
            where: dict[str, Any] = {"path": f"{folder}/log", "offset": offset, "limit": CHUNK}
            _, chunk = await self._link.ask("read", sandbox=self._sandbox, **where)
            offset += len(chunk)
            if chunk:
                yield chunk
            elif not running:
                return
            else:
                await asyncio.sleep(PAUSE)

    async def kill(self, grace: float = 0.0) -> None:
        """TERM, and KILL of the whole tree after `grace` seconds; see `Process.kill`."""
        await self._link.ask("kill", sandbox=self._sandbox, handle=self._handle, grace=grace)


class SshSandbox:
    """A folder on the far machine and the processes that were started in it.

    Args:
        link: The way there.
        info: Its handle.
    """

    def __init__(self, link: SshLink, info: SandboxInfo) -> None:
        self._link = link
        self._info = info

    @property
    def info(self) -> SandboxInfo:
        """Its handle."""
        return self._info

    async def run(self, command: Command) -> Finished:
        """Run a command to its end; see `Sandbox.run`. When the connection is lost it is killed there.

        Raises:
            BackendError: As on the local backend; `backend.lost`, `backend.unreachable`.
        """
        asked = command.model_dump(exclude={"stdin"})
        value, output = await self._link.ask("run", command.stdin, sandbox=self._info.id, command=asked)
        cut = value.pop("out")
        return Finished(**value, stdout=output[:cut], stderr=output[cut:])

    async def start(self, command: Command) -> SshProcess:
        """Start a command under a keeper there, which outlives the connection; see `Sandbox.start`."""
        asked = command.model_dump(exclude={"stdin"})
        handle, _ = await self._link.ask("start", command.stdin, sandbox=self._info.id, command=asked)
        return self.process(handle)

    def process(self, handle: Mapping[str, Any]) -> SshProcess:
        """The process of a handle."""
        return SshProcess(self._link, self._info.id, handle)

    async def write(self, path: str, data: bytes) -> None:
        """Write a file whole; see `Sandbox.write`."""
        await self._link.ask("write", data, sandbox=self._info.id, path=path)

    async def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes | None:
        """Read a file from an offset on; see `Sandbox.read`."""
        there, data = await self._link.ask("read", sandbox=self._info.id, path=path, offset=offset, limit=limit)
        return data if there else None


class SshBackend:
    """Sandboxes on one far machine; they are listed there, so any machine of the person sees the same ones.

    Args:
        settings: The machine.
        waits: Seconds between tries to connect.
    """

    def __init__(self, settings: SshSettings, waits: Sequence[float] = WAITS) -> None:
        self.settings = settings
        self._link = SshLink(settings, waits)

    async def open(self, request: SandboxRequest) -> SshSandbox:
        """The sandbox of this owner and label; its root is a folder of ours unless one there is named."""
        value, _ = await self._link.ask("open", request=request.model_dump())
        return SshSandbox(self._link, _info(value))

    async def attach(self, sandbox_id: str) -> SshSandbox:
        """A sandbox that is open; see `Backend.attach`.

        Raises:
            BackendError: `backend.no_sandbox`.
        """
        value, _ = await self._link.ask("attach", sandbox=sandbox_id)
        return SshSandbox(self._link, _info(value))

    async def list(self, owner: str | None = None) -> list[SandboxInfo]:
        """What is open there; see `Backend.list`."""
        values, _ = await self._link.ask("list", owner=owner)
        return [_info(value) for value in values]

    async def destroy(self, sandbox_id: str) -> None:
        """End everything in it and forget it; its folder goes, unless it was named when it was opened."""
        await self._link.ask("destroy", sandbox=sandbox_id)

    async def sweep(self) -> tuple[str, ...]:
        """Destroy sandboxes there whose folder is gone or whose deadline has passed, by that machine's clock."""
        gone, _ = await self._link.ask("sweep")
        return tuple(gone)

    async def facts(self) -> dict[str, Any]:
        """Cores, memory, disk, accelerators and versions of the far machine; see `gpu_jobs.machine.facts`."""
        found, _ = await self._link.ask("facts")
        return dict(found)

    async def place(self) -> FarPlace:
        """Where interpreter and code are there."""
        return await self._link.place()

    async def close(self) -> None:
        """Hang up; sandboxes and what runs in them stay."""
        await self._link.close()


def _info(value: Mapping[str, Any]) -> SandboxInfo:
    return SandboxInfo.model_validate({**value, "kind": "ssh"})
