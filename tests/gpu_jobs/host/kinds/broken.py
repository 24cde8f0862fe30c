"""Ends badly, in the way that `how` names."""

import os
import signal
import sys
from typing import Any

from gpu_jobs.tasks.job import Job


class NamedError(Exception):
    code = "input.ragged"
    message = "row 7 has 3 fields"
    field = "data"
    fix = "repair row 7"


def run(job: Job) -> Any:
    how = job.args["how"]
    print("before the end")  # noqa: T201
    if how == "named":
        raise NamedError
    if how == "zero":
        return {"x": 1 // 0}
    if how == "memory":
        raise MemoryError("no room")
    if how == "escape":
        return {"path": str(job.path("../outside"))}
    if how == "exit":
        sys.exit(3)
    if how == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"nan": {"value": float("nan")}, "list": [1]}[how]
