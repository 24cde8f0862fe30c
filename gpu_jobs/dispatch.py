"""Sends jobs to a sandbox and follows them, by files alone. It starts no process but the host, and keeps no state.

Whoever calls may be cancelled or killed: the job goes on, and the next call with the same spec attaches to it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gpu_jobs.backends.protocol import Command, Sandbox, SandboxInfo
from gpu_jobs.host.files import RESERVED, RESERVED_BYTES
from gpu_jobs.host.record import SAFE_ID, error_document, stage
from gpu_jobs.spec import JobOutcome, JobSpec
from memory.errors import BackendError, JobError

OnEvent = Callable[[int, dict[str, Any]], Awaitable[None]]
SHORTEST, LONGEST = 0.002, 0.1  # seconds between two glances at the file that tells a job's end
LOOK_PAUSE = 0.05  # seconds between two looks at all of a job's files
HOST_PAUSE = 1.0  # seconds between two looks at the host while a job runs
MOST_STARTS = 5
MOST_HOSTS = 25
MOST_KILLED_STARTS = 20  # of the host, one after another


class HostSettings(BaseModel):
    """How the job host is started in a sandbox.

    Attributes:
        python: The interpreter inside the sandbox.
        idle_seconds: How long the host stays without a job.
        tasks: Folder inside the sandbox with further task kinds.
        cgroup: Control group given to us for the jobs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    python: str = sys.executable
    idle_seconds: float = Field(default=120.0, gt=0)
    tasks: str | None = None
    cgroup: str | None = None


class Jobs:
    """The jobs of one sandbox.

    Args:
        sandbox: Where they run.
        host: How its host is started.
    """

    def __init__(self, sandbox: Sandbox, host: HostSettings | None = None) -> None:
        self._sandbox = sandbox
        self._host = host or HostSettings()
        self._starting = asyncio.Lock()
        self._telling = asyncio.Lock()
        self._killed_starts = 0

    @property
    def info(self) -> SandboxInfo:
        """The handle of the sandbox."""
        return self._sandbox.info

    async def run(
        self, spec: JobSpec, on_event: OnEvent | None = None, *, offset: int = 0, restart: bool = False
    ) -> JobOutcome:
        """Have the job done, once, however often this is called.

        A finished job's outcome is returned at once; a running one is attached to; a lost one is started again, at
        most `MOST_STARTS` times (`job.keeps_dying`). Cancelling this call leaves the job running.

        Args:
            spec: The job.
            on_event: Called with line number and event, from line `offset` of the event file on.
            offset: First line that is still wanted.
            restart: Start a job again that failed, timed out or was cancelled.

        Returns:
            How it ended. `lost` = it was killed during this call by nobody we know; call again.

        Raises:
            JobError: `job.changed`, this id was used for other work.
            BackendError: The host cannot be started.
        """
        files = _Files(self._sandbox, spec.id)
        reader = _Events(files, on_event, offset)
        document = await files.look()
        if document.stage == "dead":
            await self._follow(files, reader)  # a host writes down how it ended
            document = await files.look()
        _same_work(spec, document.job)
        if document.stage == "absent" or (document.stage == "finished" and document.again(restart)):
            await self._before_start(spec.id, document.stage)
            refused = await self._submit(files, spec, document, restart)
            if refused is not None:
                return refused
        return await self._follow(files, reader)

    async def control(self, job_id: str, command: dict[str, Any]) -> None:
        """Tell a job something: merged into its `control.json`, read by the task at its safe points."""
        files = _Files(self._sandbox, job_id)
        async with self._telling:
            known = await files.read("control.json") or {}
            await files.write("control.json", {**known, **command})

    async def stage(self, job_id: str) -> str:
        """Where a job is: `absent`, `pending`, `running`, `dead` (died without a word) or `finished`."""
        return (await _Files(self._sandbox, job_id).look()).stage

    async def cancel(self, job_id: str, grace: float = 10.0) -> None:
        """End a job: it is told, gets TERM, and after `grace` seconds its whole tree is killed. Waits for the end.

        Raises:
            JobError: `job.unkillable`, it is still there long after.
        """
        files = _Files(self._sandbox, job_id)
        if (await files.look()).stage == "finished":
            return
        await self.control(job_id, {"cancel": True, "grace": grace})
        try:
            async with asyncio.timeout(grace + 30):
                while (await files.look()).stage not in ("finished", "absent"):
                    await self._ensure_host()
                    await asyncio.sleep(SHORTEST * 2)
        except TimeoutError as problem:
            message = f"job {job_id!r} was cancelled {grace + 30:.0f} s ago and still runs"
            raise JobError(message, code="job.unkillable") from problem

    async def _before_start(self, job_id: str, stage: str) -> None:
        """Called before a job is started or started again: nothing to do where the sandbox is the run's folder."""

    async def _submit(self, files: _Files, spec: JobSpec, document: _Look, restart: bool) -> JobOutcome | None:
        lost = 0
        if document.ended.get("state") == "lost" and not restart:
            lost = int((document.job or {}).get("lost", 0)) + 1
            if lost >= MOST_STARTS:
                message = f"job {spec.id!r} was killed {lost} times and is not started again"
                error = error_document("job.keeps_dying", message, "look at the job's log, then resume the run")
                return JobOutcome(id=spec.id, state="failed", code=1, error=error)
        if restart:
            await self._forget_cancel(files)
        await files.reserve()
        wanted = {**spec.model_dump(mode="json"), "start": document.newest + 1, "lost": lost}
        await files.write("job.json", wanted)
        return None

    async def _forget_cancel(self, files: _Files) -> None:
        """A job that is started again is no longer cancelled; what else it was told still holds."""
        async with self._telling:
            known = await files.read("control.json") or {}
            kept = {key: value for key, value in known.items() if key not in {"cancel", "grace"}}
            await files.write("control.json", kept)

    async def _follow(self, files: _Files, events: _Events) -> JobOutcome:
        """Deliver events until the job has ended; a host that is gone is started again."""
        begin, host_seen, starts = time.monotonic(), 0.0, 0
        while True:
            earlier = await files.bytes("exit")
            document = await files.look()
            await events.deliver()
            if document.stage == "finished":
                return await _outcome(files, document)
            if document.stage != "running" or time.monotonic() - host_seen >= HOST_PAUSE:
                starts += await self._ensure_host()
                host_seen = time.monotonic()
            if starts > MOST_HOSTS:
                told = (await self._sandbox.read("jobs/host.log") or b"").decode(errors="replace").strip()[-800:]
                raise BackendError(f"the job host ended {MOST_HOSTS} times during one job: {told}", code="backend.host")
            await _nap(files, earlier, begin)

    async def _ensure_host(self) -> bool:
        """Start the host unless it lives; True when started. That it is there once is its own lock's business."""
        async with self._starting:
            known = _parsed(await self._sandbox.read("jobs/host.json"))
            if known and (await self._sandbox.process(known).poll()).state == "running":
                return False
            host = self._host
            argv = [host.python, "-P", "-m", "gpu_jobs.host", self._sandbox.info.root]
            argv += ["--idle", str(host.idle_seconds)]
            argv += ["--tasks", host.tasks] if host.tasks else []
            argv += ["--cgroup", host.cgroup] if host.cgroup else []
            done = await self._sandbox.run(Command(argv=tuple(argv), timeout=60, detaches=True))
            self._killed_starts = self._killed_starts + 1 if done.code < 0 else 0
            if done.code > 0 or self._killed_starts > MOST_KILLED_STARTS:
                told = done.stderr.decode(errors="replace").strip()[-500:]
                raise BackendError(f"the job host did not start (code {done.code}): {told}", code="backend.host")
            return True


class _Look:
    """A job's files at one moment."""

    def __init__(
        self, job: dict[str, Any] | None, process: dict[str, Any], ended: dict[str, Any], living: bool
    ) -> None:
        self.job = job
        self.ended = ended
        self.stage = stage(job, process, ended, living)
        self.newest = max(int(document.get("start", 0)) for document in (process, ended))

    def again(self, restart: bool) -> bool:
        """Whether a finished job is to be started once more."""
        return self.ended["state"] == "lost" or (restart and self.ended["state"] != "done")


class _Files:
    """The files of one job through its sandbox."""

    def __init__(self, sandbox: Sandbox, job_id: str) -> None:
        if not SAFE_ID.match(job_id):
            raise JobError(f"{job_id!r} is not the id of a job", code="job.bad_id", field="id")
        self.id = job_id
        self._sandbox = sandbox

    async def bytes(self, name: str, offset: int = 0) -> bytes:
        return await self._sandbox.read(f"jobs/{self.id}/{name}", offset) or b""

    async def read(self, name: str) -> dict[str, Any] | None:
        return _parsed(await self.bytes(name))

    async def write(self, name: str, value: Mapping[str, Any]) -> None:
        await self._sandbox.write(f"jobs/{self.id}/{name}", json.dumps(value, allow_nan=False).encode())

    async def reserve(self) -> None:
        """Room for how the job ends, before there is a job: on a full disk nobody could tell us later."""
        await self._sandbox.write(f"jobs/{self.id}/{RESERVED}", bytes(RESERVED_BYTES))

    async def look(self) -> _Look:
        job = await self.read("job.json")
        ended = await self.read("exit") or {}
        process = await self.read("process.json") or {}
        running = bool(process) and int(process["start"]) > int(ended.get("start", 0))
        living = running and (await self._sandbox.process(process).poll()).state == "running"
        if running and not living:
            ended = await self.read("exit") or ended  # it may have ended between the two looks
        return _Look(job, process, ended, living)


class _Events:
    """Follows `events.jsonl` by line number; a half-written last line waits, a broken line counts and is skipped."""

    def __init__(self, files: _Files, on_event: OnEvent | None, offset: int) -> None:
        self._files = files
        self._on_event = on_event
        self._wanted = offset
        self._line = 0
        self._byte = 0

    async def deliver(self) -> None:
        if self._on_event is None:
            return
        data = await self._files.bytes("events.jsonl", self._byte)
        *lines, half = data.split(b"\n")
        self._byte += len(data) - len(half)
        for line in lines:
            number, self._line = self._line, self._line + 1
            event = _parsed(line)
            if number >= self._wanted and event is not None:
                await self._on_event(number, event)


async def _nap(files: _Files, ended: bytes, begin: float) -> None:
    """Until the job's `exit` is no longer `ended`, or all of its files are due for a look."""
    begun = time.monotonic()
    while await files.bytes("exit") == ended:
        now = time.monotonic()
        if now - begun >= LOOK_PAUSE:
            return
        await asyncio.sleep(min(LONGEST, max(SHORTEST, (now - begin) / 20)))


async def _outcome(files: _Files, document: _Look) -> JobOutcome:
    ended = document.ended
    result = await files.read("result.json") if ended["state"] == "done" else None
    return JobOutcome(
        id=files.id,
        state=ended["state"],
        code=ended["code"],
        result=result,
        error=ended.get("error"),
        seconds=ended.get("seconds", 0.0),
    )


def _same_work(spec: JobSpec, job: Mapping[str, Any] | None) -> None:
    if job is None:
        return
    asked = json.loads(json.dumps({"kind": spec.kind, "args": spec.args}))
    if asked != {"kind": job.get("kind"), "args": job.get("args")}:
        message = f"job {spec.id!r} was sent before with another kind or other arguments"
        raise JobError(message, code="job.changed", field="id", fix="give new work a new id")


def _parsed(data: bytes | None) -> dict[str, Any] | None:
    try:
        value = json.loads(data or b"")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
