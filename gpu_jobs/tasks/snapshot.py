"""The job that reads the person's files once and keeps their content. It decides nothing about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, Any]:
    """Reads `source` (and `validation`, `test`), writes data/snapshot.parquet and data/snapshot.json."""
    from gpu_jobs.data.snapshot import snapshot

    files = {"data": Path(job.args["source"])}
    files |= {role: Path(job.args[role]) for role in ("validation", "test") if job.args.get(role)}
    return snapshot(files, job.path("data"), job.args.get("missing"))
