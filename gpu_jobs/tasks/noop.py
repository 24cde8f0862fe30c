"""The empty job: what a job costs when it does nothing. Used by the overhead benchmark and by tests."""

from __future__ import annotations

import time

from gpu_jobs.tasks.job import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(job: Job) -> dict[str, Any]:
    """Wait `args["seconds"]` (default 0), stopping when told to.

    Returns:
        `{"seconds": float}`, the wall clock spent.

    Raises:
        Cancelled: The job was told to stop.
    """
    begin = time.monotonic()
    end = begin + float(job.args.get("seconds", 0))
    job.check()
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.02))
        job.check()
    return {"seconds": time.monotonic() - begin}
