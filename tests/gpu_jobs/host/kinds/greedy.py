"""Takes more and more of one thing: `memory`, `cpu`, `file` or `disk`."""

import time

from gpu_jobs.tasks.job import Job

PIECE = 1 << 20


def run(job: Job) -> dict[str, int]:
    job.emit("ready")
    kept = []
    what = job.args["what"]
    with job.path("big").open("wb", buffering=0) as file:
        for _ in range(job.args.get("pieces", 100_000_000)):
            if what == "memory":
                kept.append(bytearray(b"x" * PIECE))
                time.sleep(0.002)
            elif what in ("file", "disk"):
                file.write(b"x" * PIECE)
                time.sleep(0.002)
    return {"pieces": len(kept)}
