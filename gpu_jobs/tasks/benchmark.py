"""Job `benchmark`: how fast and how large the generated server is here. It judges nothing: gates do."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu_jobs.tasks.job import Job

EDGES_MS = (
    0.1,
    0.15,
    0.2,
    0.25,
    0.3,
    0.4,
    0.5,
    0.75,
    1.0,
    1.5,
    2.0,
    3.0,
    5.0,
    10.0,
    20.0,
    50.0,
    67.0,
    100.0,
    250.0,
)
BATCH = 32


def run(job: Job) -> dict[str, Any]:
    """Start the attempt's server on loopback, drive it, and measure.

    Arguments of the job: `attempt_folder`; `example_rows`, raw rows as people would send them; `seconds` of
    load in all (default 1). One client with one row a request gives the latency that gates read; the same
    client with 32 rows a request, and 16 clients with one row each, show what batches and concurrency do.

    Returns:
        Measurements by metric name, `batch32`, `model_alone_ms`, `ready_seconds` and a `histogram`
        of the single-row latencies.

    Raises:
        ServingError: the server did not start, or refused one of the rows.
        Cancelled: told to stop.
    """
    from gpu_jobs.serving.lock import machine_lock

    attempt = job.path(job.args["attempt_folder"])
    rows: list[dict[str, Any]] = job.args["example_rows"]
    with machine_lock(job.check):
        job.check()
        return _measured(job, attempt, rows, float(job.args.get("seconds") or 1.0))


def _measured(job: Job, attempt: Path, rows: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    from gpu_jobs.serving.load import many_clients, one_client, request
    from gpu_jobs.serving.process import running

    singles = [request(row) for row in rows]
    batch = [request([rows[i % len(rows)] for i in range(BATCH)])]
    models = attempt / "models"
    with running(attempt / "scripts" / "serve.py", models, job.folder / "server.log") as server:
        one_client(server.port, singles, 0.0)  # warm
        job.emit("serving", port=server.port, pid=server.pid)
        one = one_client(server.port, singles, seconds * 0.5, at_least=200)
        job.check()
        many = many_clients(server.port, singles, seconds * 0.25)
        job.check()
        batched = one_client(server.port, batch, seconds * 0.25)
        memory = server.memory_mb()
    size = sum(path.stat().st_size for path in (models / "model.onnx", models / "preprocessing.json"))
    return {
        **_latency(job, one.latencies),
        "throughput_rps": job.measure(many.rate, "requests/s"),
        "batch32": {
            **_latency(job, batched.latencies),
            "throughput_rps": job.measure(batched.rate, "requests/s"),
            "rows_per_second": job.measure(batched.rate * BATCH, "rows/s"),
        },
        "model_alone_ms": job.measure(_model_alone(attempt, rows[0]) * 1000, "ms"),
        "memory_mb": job.measure(memory, "MB"),
        "model_bytes": job.measure(size, "bytes"),
        "ready_seconds": job.measure(server.ready_seconds, "s"),
        "requests": len(one.latencies) + len(many.latencies) + len(batched.latencies),
        "histogram": _histogram([value * 1000 for value in one.latencies]),
    }


def _latency(job: Job, latencies: list[float]) -> dict[str, Any]:
    ordered = sorted(latencies)
    return {
        f"latency_p{percent}_ms": job.measure(quantile(ordered, percent / 100) * 1000, "ms") for percent in (50, 95, 99)
    }


def quantile(ordered: list[float], q: float) -> float:
    """The smallest value that a share `q` of them does not exceed: a latency that happened."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def _histogram(milliseconds: list[float]) -> dict[str, Any]:
    """Counts between the edges; the last count holds what is slower than the last edge."""
    from bisect import bisect_left

    counts = [0] * (len(EDGES_MS) + 1)
    for value in milliseconds:
        counts[bisect_left(EDGES_MS, value)] += 1
    return {"edges_ms": list(EDGES_MS), "counts": counts}


def _model_alone(attempt: Path, row: dict[str, Any]) -> float:
    """Median seconds of encoding, the network and decoding of one row in this process, without HTTP."""
    from gpu_jobs.serving.alone import seconds_per_row

    preprocessing = json.loads((attempt / "models" / "preprocessing.json").read_text(encoding="utf-8"))
    return seconds_per_row(attempt / "models" / "model.onnx", preprocessing, row)
