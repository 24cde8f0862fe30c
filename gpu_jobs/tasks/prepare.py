"""The job that splits and encodes a snapshot as the dataset decision says. It decides nothing itself."""

from __future__ import annotations

from typing import Any

from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, Any]:
    """Writes data/splits.json, data/preprocessing.json and data/encoded/*.npy for `dataset` in `args`."""
    from gpu_jobs.data.prepare import Preparation

    return Preparation(job.root, job.args["dataset"]).run()
