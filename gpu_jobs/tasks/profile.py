"""The job that looks at a snapshot and says what a task planner needs to know. It decides nothing."""

from __future__ import annotations

from typing import Any

from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, Any]:
    """Profiles data/snapshot.parquet for the target and task in `args`."""
    from gpu_jobs.data.profile import profile

    return profile(job.root, job.args)
