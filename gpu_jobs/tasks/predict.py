"""Job `predict`: a run's model asked for rows or for a whole file, without a server. It measures nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, Any]:
    """Predict `rows`, or the table `source` into the file `out`.

    Args: "attempt_folder"; "rows": objects, or "source" and "out": absolute paths that the person named. The result
    of a file says under "columns" which columns were added to it.
    """
    import time

    from gpu_jobs.evaluation.answers import Served, predict_file

    models, began = job.path(job.args["attempt_folder"]) / "models", time.perf_counter()
    if job.args.get("source"):
        done = predict_file(models, Path(job.args["source"]), Path(job.args["out"]))
        seconds = time.perf_counter() - began
        return {"rows": done.rows, "columns": list(done.columns), "out": job.args["out"], "seconds": seconds}
    served = Served(models)
    began = time.perf_counter()
    predictions = served.rows(job.args["rows"])
    return {"predictions": predictions, "latency_ms": (time.perf_counter() - began) * 1000}
