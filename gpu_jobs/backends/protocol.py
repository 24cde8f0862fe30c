"""What a backend, a sandbox and a process in it can do, as protocols and plain data. Nothing is implemented here.

A failing command is a value; a failing sandbox is a `BackendError`. Everything outlives the process that opened it:
a sandbox is opened or attached, and destroyed, explicitly; handles are plain data that another process can use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

Isolation = Literal["auto", "bubblewrap", "none"]
OUTPUT_BYTES = 10 * 1024 * 1024
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$"


class Command(BaseModel):
    """A program to run.

    Attributes:
        argv: Program and arguments; no shell.
        stdin: What it reads; then its input ends.
        env: Variables on top of the sandbox's own.
        cwd: Folder, relative to the sandbox's root.
        timeout: Seconds after which the whole tree is killed; None = the sandbox's deadline.
        detaches: What it leaves in a session of its own is wanted, and spared when the command is killed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    argv: tuple[str, ...] = Field(min_length=1)
    stdin: bytes = b""
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str = "."
    timeout: float | None = Field(default=None, gt=0)
    detaches: bool = False


class Finished(BaseModel):
    """How a command ended; also when it failed, was killed or could not be started.

    Attributes:
        code: Exit code; minus the signal's number when killed; 127 when there is no such program.
        stdout: At most `OUTPUT_BYTES` of it.
        stderr: The same.
        timed_out: The timeout killed it.
        truncated: There was more output than is kept.
        seconds: Wall clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    truncated: bool = False
    seconds: float


class ProcessState(BaseModel):
    """What a look at a process shows: running, exited with a code, or lost (gone without leaving one)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["running", "exited", "lost"]
    code: int | None = None


class SandboxRequest(BaseModel):
    """What is asked of a backend.

    Attributes:
        owner: The run that owns the sandbox.
        label: What it is for; owner and label together name it, so opening twice is opening once.
        root: Folder to use where the backend lets one choose (`local` must have one).
        seconds: Deadline after opening; a sweep then destroys it.
        reads: Absolute paths outside the root that its processes need to read: data, the program's own files. Where
            there are walls nothing else can be read; given again, they take the place of the earlier ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: str = Field(pattern=NAME)
    label: str = Field(default="main", pattern=NAME)
    root: str | None = None
    seconds: float = Field(default=7 * 86400, gt=0)
    reads: tuple[str, ...] = ()


class SandboxInfo(BaseModel):
    """The plain-data handle of a sandbox; times are Unix times.

    Attributes:
        isolation: What closes it: `none`, or what its backend calls its walls (`bubblewrap`).
        reads: As asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: str
    owner: str
    label: str
    root: str
    created: float
    deadline: float
    isolation: str = "none"
    reads: tuple[str, ...] = ()


class Process(Protocol):
    """A process that was started detached."""

    @property
    def handle(self) -> Mapping[str, Any]:
        """Plain data from which `Sandbox.process` makes it again, in any process."""
        ...

    async def poll(self) -> ProcessState:
        """How it is."""
        ...

    def stream(self, offset: int = 0) -> AsyncIterator[bytes]:
        """Its output from a byte offset on, until it ends."""
        ...

    async def kill(self, grace: float = 0.0) -> None:
        """TERM, and KILL of the whole tree after `grace` seconds. Nothing happens when it has ended."""
        ...


class Sandbox(Protocol):
    """One place where processes run."""

    @property
    def info(self) -> SandboxInfo:
        """Its handle; `info.root` is the root as processes inside see it."""
        ...

    async def run(self, command: Command) -> Finished:
        """Run to the end; cancelling kills the whole tree."""
        ...

    async def start(self, command: Command) -> Process:
        """Start detached: it outlives us. Its output goes to a log that can be streamed."""
        ...

    def process(self, handle: Mapping[str, Any]) -> Process:
        """The process of a handle that this sandbox gave earlier, or that holds `pid`, `ticks` and `boot`."""
        ...

    async def write(self, path: str, data: bytes) -> None:
        """Write a file whole, folders included; the path is relative to the root and stays inside."""
        ...

    async def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes | None:
        """Bytes of a file from an offset on; None when there is no such file."""
        ...


class Backend(Protocol):
    """A kind of place."""

    async def open(self, request: SandboxRequest) -> Sandbox:
        """The sandbox of this owner and label: a new one, or the one that is there."""
        ...

    async def attach(self, sandbox_id: str) -> Sandbox:
        """A sandbox that somebody opened.

        Raises:
            BackendError: `backend.no_sandbox`.
        """
        ...

    async def list(self, owner: str | None = None) -> list[SandboxInfo]:
        """What is open, of all owners or of one."""
        ...

    async def destroy(self, sandbox_id: str) -> None:
        """End everything in it and forget it. Nothing happens when it is gone already."""
        ...

    async def sweep(self) -> tuple[str, ...]:
        """Destroy what a crash left behind; the ids of what was destroyed."""
        ...
