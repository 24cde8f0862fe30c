"""A run's sandbox: opened with back-off in setup, attached again by every later runner, asked for its round trip."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from agents.decisions import ClusterPlan
from gpu_jobs.dispatch import HostSettings, Jobs
from memory.errors import BackendError
from phases.active_run import ActiveRun
from phases.backends import backend, label
from phases.isolation import group, reads
from phases.measure import measurement

TRIES, FIRST_WAIT = 4, 0.2


async def ensure_open(active: ActiveRun) -> float:
    """Open the run's sandbox or attach to it, with exponential back-off; returns the seconds the last try took.

    Raises:
        BackendError: the backend did not answer in any of the tries.
    """
    if active.jobs is not None:
        return 0.0
    place, wait = backend(active.settings, active.request.backend, active.request.terms), FIRST_WAIT
    asked = label(active.request.terms, active.id, active.root, reads(active.request, active.settings))
    for attempt in range(1, TRIES + 1):
        began = time.perf_counter()
        try:
            sandbox = await place.open(asked)
            break
        except (OSError, BackendError):
            if attempt == TRIES:
                raise
            await asyncio.sleep(wait)
            wait *= 2
    tasks = str(active.settings.tasks) if active.settings.tasks else None
    active.jobs = Jobs(sandbox, HostSettings(tasks=tasks, cgroup=group(sandbox.info, active.settings)))
    active.limits = (await active.known("cluster", ClusterPlan)).limits
    if await active.get("cluster-id") is None:
        await active.put("cluster-id", f"local-{active.id}", by="neural-orchestrator")
    return time.perf_counter() - began


async def round_trip(active: ActiveRun, attempt: int, workers: int) -> list[dict[str, Any]]:
    """The nodes that answered, one per worker process, and the round trip to each in ms.

    To the first an empty job goes there and back; the others meet it as they will in training and answer it. Measured
    once per attempt: a replay of this step reads what was measured, it does not time the reading.
    """
    known = await active.get(f"nodes-{attempt}")
    if known is not None:
        return list(known)
    began, job = time.perf_counter(), f"round-trip-{attempt}-{active.lease.epoch}"
    await active.job("noop", {"seconds": 0}, name=job)
    took = [measurement(active, (time.perf_counter() - began) * 1000, "ms", job=job).model_dump(mode="json")]
    if workers > 1:
        met = await active.job("connect", {}, name=f"connect-{attempt}", workers=workers)
        took += [node["round_trip_ms"] for node in met["nodes"]]
    nodes = [
        {"name": f"node-{rank}", "role": "worker", "backend": active.request.backend, "round_trip_ms": found}
        for rank, found in enumerate(took)
    ]
    await active.put(f"nodes-{attempt}", nodes, by="neural-orchestrator")
    return nodes
