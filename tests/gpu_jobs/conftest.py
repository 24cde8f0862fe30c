"""A local sandbox in a temporary folder, jobs in it with the test kinds, and a way to wait for what a job says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.backends.local import LocalBackend, LocalSandbox, LocalSettings
from gpu_jobs.backends.protocol import SandboxRequest
from gpu_jobs.dispatch import HostSettings, Jobs
from gpu_jobs.spec import JobOutcome, JobSpec, Limits

KINDS = Path(__file__).parent / "host" / "kinds"


class Started:
    """A job that is being followed in the background."""

    def __init__(self, jobs: Jobs, spec: JobSpec) -> None:
        self.events: list[tuple[int, dict[str, Any]]] = []
        self._seen = asyncio.Condition()
        self._over = False
        self._task = asyncio.create_task(self._follow(jobs, spec))

    async def _follow(self, jobs: Jobs, spec: JobSpec) -> JobOutcome:
        try:
            return await jobs.run(spec, self._on_event)
        finally:
            self._over = True
            async with self._seen:
                self._seen.notify_all()

    async def _on_event(self, number: int, event: dict[str, Any]) -> None:
        async with self._seen:
            self.events.append((number, event))
            self._seen.notify_all()

    async def said(self, kind: str, times: int = 1) -> dict[str, Any]:
        """The event of this type, once it has been said so often."""

        def found() -> list[dict[str, Any]]:
            return [event for _, event in self.events if event["type"] == kind]

        async with self._seen, asyncio.timeout(60):
            await self._seen.wait_for(lambda: len(found()) >= times or self._over)
        assert len(found()) >= times, f"the job ended without saying {kind!r}: {self._task}"
        return found()[times - 1]

    async def outcome(self) -> JobOutcome:
        """How it ended."""
        async with asyncio.timeout(60):
            return await self._task

    async def forget(self) -> None:
        """The one who follows goes away; the job goes on."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Place:
    """A sandbox, its jobs and its files."""

    def __init__(self, backend: LocalBackend, sandbox: LocalSandbox, host: HostSettings) -> None:
        self.backend = backend
        self.sandbox = sandbox
        self.host = host
        self.jobs = Jobs(sandbox, host)
        self.root = Path(sandbox.info.root)

    def spec(self, kind: str, job_id: str = "", limits: Limits | None = None, **args: Any) -> JobSpec:
        return JobSpec(id=job_id or f"{kind}-1", kind=kind, run="r-1", args=args, limits=limits or Limits())

    async def run(self, kind: str, job_id: str = "", limits: Limits | None = None, **args: Any) -> JobOutcome:
        async with asyncio.timeout(90):
            return await self.jobs.run(self.spec(kind, job_id, limits, **args))

    def start(self, kind: str, job_id: str = "", limits: Limits | None = None, **args: Any) -> Started:
        return Started(self.jobs, self.spec(kind, job_id, limits, **args))

    def another(self) -> Jobs:
        """What a second runner would use."""
        return Jobs(self.sandbox, self.host)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    backend = LocalBackend(LocalSettings(), tmp_path / "home")
    sandbox = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "run")))
    yield Place(backend, sandbox, HostSettings(idle_seconds=30, tasks=str(KINDS)))
    await backend.destroy(sandbox.info.id)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], Any]:
    """Wait until something outside has become true, within a bound that only a failure reaches."""

    async def wait(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(90):
            while not true():  # noqa: ASYNC110 - what is outside sends no event
                await asyncio.sleep(0.01)

    return wait
