"""The local backend: processes on this machine, in the run's own folder, known by a registry file per sandbox.

With bubblewrap a sandbox has walls (`walls`, `namespace`); without, a process sees the machine as we do, and what
bounds it is its session, its limits (held by the job host) and its deadline. Which it is, is decided when a sandbox is
first opened, and told in its handle. Destroying a sandbox ends its processes and leaves its folder, a person's.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gpu_jobs.backends.capture import run_captured
from gpu_jobs.backends.local_process import LocalProcess
from gpu_jobs.backends.namespace import Namespace
from gpu_jobs.backends.protocol import Command, Finished, Isolation, SandboxInfo, SandboxRequest
from gpu_jobs.backends.walls import Walls, as_code, why_not
from gpu_jobs.host import processes
from gpu_jobs.host.files import read_json, write_bytes, write_json
from memory.errors import BackendError

LARGE = 1 << 20
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,170}\Z")


class LocalSettings(BaseModel):
    """Settings of the local backend.

    Attributes:
        isolation: `auto` = bubblewrap's walls where bubblewrap works, else none; `bubblewrap` = walls or an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["local"] = "local"
    isolation: Isolation = "none"


class LocalSandbox:
    """A folder on this machine and the processes that were started in it.

    Args:
        info: Its handle.
        namespace: Where its processes are, if it has walls.
    """

    def __init__(self, info: SandboxInfo, namespace: Namespace | None) -> None:
        self._info = info
        self._root = Path(info.root)
        self._namespace = namespace

    @property
    def info(self) -> SandboxInfo:
        """Its handle."""
        return self._info

    async def run(self, command: Command) -> Finished:
        """Run a command in a session of its own; see `Sandbox.run`.

        Raises:
            BackendError: `backend.path` for a folder outside, `backend.no_root` when the root is gone,
                `backend.walls` when its walls cannot be put up.
        """
        left = max(0.1, self._info.deadline - time.time())
        timeout = left if command.timeout is None else min(left, command.timeout)
        folder, env = self._inside(command.cwd), self._environment(command)
        if self._namespace is None:
            return await run_captured(command, folder, env, timeout)
        async with self._namespace.entered(command.argv, str(folder), not command.detaches) as (argv, descriptors):
            wrapped = command.model_copy(update={"argv": tuple(argv)})
            done = await run_captured(wrapped, self._root, env, timeout, descriptors)
        if done.code == 1 and done.stderr.startswith(b"bwrap: "):
            told = done.stderr.decode(errors="replace").strip()
            raise BackendError(f"bubblewrap's walls do not stand: {told}", code="backend.walls", fix="neuroloom doctor")
        return done.model_copy(update={"code": as_code(done.code)})

    async def start(self, command: Command) -> LocalProcess:
        """Start a command under a keeper that outlives us; its files are in `processes/<name>`.

        Raises:
            BackendError: The keeper could not be started.
        """
        name = f"{int(time.time() * 1000):x}-{os.urandom(3).hex()}"
        folder = self._root / "processes" / name
        folder.mkdir(parents=True)
        (folder / "stdin").write_bytes(command.stdin)
        keeper = (sys.executable, "-P", "-m", "gpu_jobs.backends.keeper", str(folder), "--", *command.argv)
        env = {**command.env, processes.JOB_MARK: name, processes.FOLDER_MARK: str(folder)}
        done = await self.run(Command(argv=keeper, env=env, cwd=command.cwd, detaches=True))
        handle = read_json(folder / "process.json")
        if handle is None:
            told = done.stderr.decode(errors="replace").strip()
            raise BackendError(f"could not start {command.argv[0]!r}: {told}", code="backend.start")
        return self.process({**handle, "folder": str(folder)})

    def process(self, handle: Mapping[str, Any]) -> LocalProcess:
        """The process of a handle."""
        return LocalProcess(handle, self._namespace.outside(handle) if self._namespace else handle)

    async def write(self, path: str, data: bytes) -> None:
        """Write a file whole; see `Sandbox.write`."""
        if len(data) > LARGE:
            await asyncio.to_thread(self._write, path, data)
        else:
            self._write(path, data)

    async def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes | None:
        """Read a file from an offset on; see `Sandbox.read`."""
        full = self._inside(path)
        try:
            large = full.stat().st_size - offset > LARGE
        except (FileNotFoundError, NotADirectoryError):
            return None
        return await asyncio.to_thread(_read, full, offset, limit) if large else _read(full, offset, limit)

    def _write(self, path: str, data: bytes) -> None:
        full = self._inside(path)
        full.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(full, data)

    def _inside(self, path: str) -> Path:
        if not self._root.is_dir():
            raise BackendError(f"the sandbox's folder {self._info.root!r} is gone", code="backend.no_root")
        full = Path(os.path.realpath(self._root / path))
        if not full.is_relative_to(self._root):
            raise BackendError(f"the path {path!r} leads out of the sandbox", code="backend.path", field="path")
        return full

    def _environment(self, command: Command) -> dict[str, str]:
        own = {processes.SANDBOX_MARK: self._info.root, **command.env}
        return {**os.environ, **own} if self._namespace is None else self._namespace.walls.environment(own)


class LocalBackend:
    """Sandboxes on this machine.

    Args:
        settings: Whether sandboxes have walls.
        home: The state folder; the registry is `sandboxes/` in it.
    """

    def __init__(self, settings: LocalSettings, home: Path) -> None:
        self.settings = settings
        self._registry = home / "sandboxes"

    async def open(self, request: SandboxRequest) -> LocalSandbox:
        """The sandbox of this owner and label, its deadline set anew; see `Backend.open`.

        Raises:
            BackendError: No root was given, it cannot be made, the name is taken with another root, or walls are
                asked for and there are none to be had (`backend.no_walls`).
        """
        if request.root is None:
            raise BackendError("the local backend needs a folder as root", code="backend.no_root", field="root")
        root = os.path.realpath(request.root)
        sandbox_id = f"{request.owner}.{request.label}"
        known = self._known(sandbox_id)
        if known is not None and known.root != root:
            message = f"sandbox {sandbox_id!r} is open in {known.root!r}, not in {root!r}"
            raise BackendError(message, code="backend.taken", fix="destroy it first, or use another label")
        now = time.time()
        info = SandboxInfo(
            id=sandbox_id,
            kind="local",
            owner=request.owner,
            label=request.label,
            root=root,
            created=now if known is None else known.created,
            deadline=now + request.seconds,
            isolation=self._isolation() if known is None else known.isolation,
            reads=request.reads or (() if known is None else known.reads),
        )
        try:
            Path(root).mkdir(parents=True, exist_ok=True)
            self._registry.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_json(self._file(sandbox_id), info.model_dump())
        except OSError as problem:
            message = f"cannot open a sandbox in {root!r}: {problem.strerror}"
            raise BackendError(message, code="backend.open", field="root") from problem
        return self._sandbox(info)

    async def attach(self, sandbox_id: str) -> LocalSandbox:
        """A sandbox that is open; see `Backend.attach`.

        Raises:
            BackendError: `backend.no_sandbox`.
        """
        info = self._known(sandbox_id)
        if info is None:
            names = ", ".join(known.id for known in await self.list()) or "none"
            raise BackendError(f"no sandbox {sandbox_id!r}; open: {names}", code="backend.no_sandbox")
        return self._sandbox(info)

    async def list(self, owner: str | None = None) -> list[SandboxInfo]:
        """What is open; see `Backend.list`."""
        found = [self._known(path.stem) for path in sorted(self._registry.glob("*.json"))]
        return [info for info in found if info is not None and owner in (None, info.owner)]

    async def destroy(self, sandbox_id: str) -> None:
        """Kill every process of the sandbox, its host first, and forget it; the folder stays."""
        info = self._known(sandbox_id)
        if info is not None:
            await asyncio.to_thread(self._end, info)
        self._file(sandbox_id).unlink(missing_ok=True)

    async def sweep(self) -> tuple[str, ...]:
        """Destroy sandboxes whose folder is gone or whose deadline has passed; drop unreadable entries."""
        gone = []
        for path in sorted(self._registry.glob("*.json")):
            info = self._known(path.stem)
            if info is None or time.time() >= info.deadline or not Path(info.root).is_dir():
                await self.destroy(path.stem)
                gone.append(path.stem)
        return tuple(gone)

    def _isolation(self) -> str:
        """What a new sandbox is closed by."""
        if self.settings.isolation == "none" or (self.settings.isolation == "auto" and why_not() is not None):
            return "none"
        if (missing := why_not()) is not None:
            fix = "install it, or set runner.isolation to auto or none"
            raise BackendError(f"walls are asked for: {missing}", code="backend.no_walls", fix=fix)
        return "bubblewrap"

    def _sandbox(self, info: SandboxInfo) -> LocalSandbox:
        return LocalSandbox(info, None if info.isolation == "none" else self._namespace(info))

    def _namespace(self, info: SandboxInfo) -> Namespace:
        lock = str(self._file(info.id).with_suffix(".walls"))
        return Namespace(Walls(info.root, info.reads, lock), {processes.SANDBOX_MARK: info.root})

    def _end(self, info: SandboxInfo) -> None:
        if info.isolation == "none":
            _end_host(info.root)
        else:
            self._namespace(info).end()
        _end_marked(info.root)

    def _file(self, sandbox_id: str) -> Path:
        if not SAFE.match(sandbox_id):
            raise BackendError(f"{sandbox_id!r} is not the id of a sandbox", code="backend.no_sandbox")
        return self._registry / f"{sandbox_id}.json"

    def _known(self, sandbox_id: str) -> SandboxInfo | None:
        document = read_json(self._file(sandbox_id))
        try:
            return None if document is None else SandboxInfo.model_validate(document)
        except ValidationError:
            return None


def _read(path: Path, offset: int, limit: int | None) -> bytes | None:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(-1 if limit is None else limit)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _end_host(root: str) -> None:
    """Kill the host before its jobs, so that it records nothing about them."""
    host = read_json(Path(root) / "jobs" / "host.json")
    if host is not None and processes.alive(host):
        processes.kill_all([host["pid"]])


def _end_marked(root: str) -> None:
    """Kill everything that was started in the sandbox, until nothing is left."""
    for _ in range(200):
        left = [pid for pid in processes.marked(processes.SANDBOX_MARK, root) if pid != os.getpid()]
        if not left:
            return
        processes.kill_all(left)
        time.sleep(0.005)
