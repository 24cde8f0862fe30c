"""The preflight job: short measurements of the network on the prepared table, before any training."""

from __future__ import annotations

from typing import Any

from gpu_jobs.tasks.job import Job
from gpu_jobs.tasks.train import settings_of


def run(job: Job) -> dict[str, Any]:
    """Measure `args["architecture"]` under `args["training"]`; `args["budget_seconds"]` bounds the epochs.

    Returns:
        The result of contract "preflight": parameters, finite, overfit, memory, speed, threads, rate, range test.

    Raises:
        ModelError: the architecture is refused or does not fit the data.
        TrainingError: a setting is refused.
    """
    import torch

    from gpu_jobs.data.table import load_prepared
    from gpu_jobs.training.preflight import preflight
    from gpu_jobs.training.table import Table

    architecture, settings = settings_of(job)
    job.check()
    table = Table.of(load_prepared(job.root), architecture.classes, torch.device("cpu"))
    job.check()
    found = preflight(architecture, settings, table)
    budget = job.args.get("budget_seconds")
    return {
        "parameters": found.parameters,
        "finite": found.finite,
        "overfit": found.overfit,
        "memory_mb": job.measure(found.memory_mb, "MB"),
        "rows_per_second": job.measure(found.rows_per_second, "rows/s"),
        "threads": found.threads,
        "step_seconds": {str(threads): seconds for threads, seconds in found.step_seconds.items()},
        "seconds_per_epoch": job.measure(found.seconds_per_epoch, "s"),
        "rate": found.rate,
        "range_test": [list(pair) for pair in found.range_test],
        "epochs_for_budget": None if budget is None else found.epochs_for(float(budget)),
        "device": settings.device,
    }
