"""Never listens; with `strays`, first starts grandchildren that leave its session and parents."""

import os
import sys
import time
from pathlib import Path

from gpu_jobs.tasks.job import Job


def grandchild(pids: Path, execute: bool) -> None:
    """Double fork: one that executes another program (keeps the environment), one that stays a bare fork."""
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    with pids.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if execute:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(300)"])
    time.sleep(300)
    os._exit(0)


def run(job: Job) -> dict[str, int]:
    if job.args.get("strays"):
        job.path("pids").touch()
        grandchild(job.path("pids"), execute=True)
        grandchild(job.path("pids"), execute=False)
        while job.path("pids").read_text().count("\n") < 2:
            time.sleep(0.01)
    job.emit("ready")
    time.sleep(job.args.get("seconds", 300))
    return {}
