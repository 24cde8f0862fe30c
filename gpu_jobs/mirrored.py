"""Jobs in a sandbox elsewhere: files go there and come back (`mirror`), a lost connection is taken up again.

A job that must be where the runner is stays here: `snapshot` reads the person's own files, `benchmark` measures the
server where it will be served, and a job whose arguments name another run's files finds them here only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from gpu_jobs.dispatch import HostSettings, Jobs, OnEvent
from gpu_jobs.mirror import Mirror
from gpu_jobs.spec import JobOutcome, JobSpec
from memory.errors import BackendError, JobError

HERE = frozenset({"snapshot", "benchmark", "predict"})
LOST = "backend.lost"
MOST_LOST = 100
TAIL_SECONDS = 1.0


def stays_here(spec: JobSpec) -> bool:
    """Whether a job runs where the runner is, whatever the backend."""
    return spec.kind in HERE or bool(spec.args.get("champion"))


class MirroredJobs(Jobs):
    """As `Jobs`, for a sandbox that does not see the run's folder.

    Args:
        mirror: Of the run's folder and the sandbox.
        here: The jobs of the run's folder itself.
        host: How the host is started there.
    """

    def __init__(self, mirror: Mirror, here: Jobs, host: HostSettings) -> None:
        super().__init__(mirror.sandbox, host)
        self._mirror = mirror
        self._here = here
        self._staying: set[str] = set()
        self._begun: set[str] = set()

    async def run(
        self, spec: JobSpec, on_event: OnEvent | None = None, *, offset: int = 0, restart: bool = False
    ) -> JobOutcome:
        """Have the job done and its outputs here; see `Jobs.run`.

        Raises:
            JobError: As `Jobs.run`.
            BackendError: `backend.unreachable` when nobody answers any more; the job goes on there.
        """
        if stays_here(spec):
            self._staying.add(spec.id)
            return await self._here.run(spec, on_event, offset=offset, restart=restart)
        for _ in range(MOST_LOST):
            try:
                async with self._tailing(spec.id):
                    outcome = await super().run(spec, on_event, offset=offset, restart=restart)
                if not await self._mirror.fetched(spec.id):
                    await self._mirror.fetch(spec.id)
                return outcome
            except BackendError as problem:
                if problem.code != LOST:
                    raise
                restart = restart and spec.id not in self._begun
        raise JobError(f"the way to job {spec.id!r} was lost {MOST_LOST} times", code="job.unreachable")

    async def control(self, job_id: str, command: dict[str, Any]) -> None:
        """Tell a job something, where it is."""
        await (self._here.control(job_id, command) if job_id in self._staying else super().control(job_id, command))

    async def stage(self, job_id: str) -> str:
        """Where a job is; see `Jobs.stage`."""
        return await (self._here.stage(job_id) if job_id in self._staying else super().stage(job_id))

    async def cancel(self, job_id: str, grace: float = 10.0) -> None:
        """End a job, where it is."""
        await (self._here.cancel(job_id, grace) if job_id in self._staying else super().cancel(job_id, grace))

    async def _before_start(self, job_id: str, stage: str) -> None:
        """What an earlier start left comes here first, so that nothing older goes over it; then what changed goes."""
        if stage == "finished" and not await self._mirror.fetched(job_id):
            await self._mirror.fetch(job_id)
        await self._mirror.send()
        self._begun.add(job_id)

    @asynccontextmanager
    async def _tailing(self, job_id: str) -> AsyncIterator[None]:
        """The job's log grows here too while the block runs; what is missing at its end comes with the outputs."""
        task = asyncio.create_task(self._tail(job_id))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _tail(self, job_id: str) -> None:
        while True:
            await asyncio.sleep(TAIL_SECONDS)
            with suppress(BackendError, OSError):
                await self._mirror.tail(job_id)
