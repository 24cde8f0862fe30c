"""Counts up in a file until it is told to stop, then keeps the count; goes on from there when run again."""

import json
import time

from gpu_jobs.tasks.job import Cancelled, Job


def run(job: Job) -> dict[str, int]:
    saved = job.path("saved.json")
    count = json.loads(saved.read_text()) if saved.exists() else 0
    with job.path("starts").open("a") as file:
        file.write("start\n")
    job.emit("ready", count=count)
    end = time.monotonic() + job.args.get("seconds", 60)
    while time.monotonic() < end and not job.control().get("stop_early"):
        if job.stopping:
            saved.write_text(json.dumps(count + 1))
            raise Cancelled
        time.sleep(0.01)
    return {"count": count}
