"""Notices when two of it run at once, for as long as it runs; leaves a line per start and per end."""

import os
import time

from gpu_jobs.host.files import read_json, write_json
from gpu_jobs.host.processes import alive, identity
from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, int]:
    mine = job.path(f"{job.id}.pid")
    other = read_json(mine)
    with job.path("trace").open("a") as trace:
        trace.write("overlap\n" if alive(other) else "start\n")
    write_json(mine, identity(os.getpid()))
    time.sleep(job.args["seconds"])
    with job.path("trace").open("a") as trace:
        trace.write("end\n")
    return {}
