"""A torch kind that waits to be told to end; says whose child it is."""

import os
import time

from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, int]:
    parent = os.getppid()
    with job.path("starts").open("a") as file:
        file.write("start\n")
    job.emit("ready", parent=parent)
    while not job.control().get("stop_early"):
        job.check()
        time.sleep(0.01)
    return {"parent": parent}
