"""Job `connect`: the processes that will train meet as they will then, and each answers a call. It trains nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpu_jobs.tasks.job import Job

if TYPE_CHECKING:
    from gpu_jobs.training.group import Group


def run(job: Job) -> dict[str, Any]:
    """Let `job.workers` ranks meet and time a word from rank 0 to each of the others and back.

    Returns:
        `{"nodes": [{"rank", "pid", "round_trip_ms"}]}`, the ranks from 1 on; rank 0 is the job's own process.

    Raises:
        TrainingError: `training.worker`: a rank did not come, or died.
    """
    from gpu_jobs.training.workers import present, together

    def meet(group: Group) -> list[tuple[int, int, float]]:
        pids, ranks = present(group), range(1, group.world)
        for rank in ranks:
            group.echo(rank)  # the first word opens the connection
        return [(rank, pids[rank], group.echo(rank)) for rank in ranks]

    found = together(job.workers, job.folder, meet)
    return {
        "nodes": [
            {"rank": rank, "pid": pid, "round_trip_ms": job.measure(seconds * 1000, "ms")}
            for rank, pid, seconds in found
        ]
    }
