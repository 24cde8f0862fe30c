"""A torch kind: says whether torch was there before it began, and how the fork sees its process."""

import os
import sys

from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, object]:
    return {"torch": "torch" in sys.modules, "parent": os.getppid(), "job": job.id}
