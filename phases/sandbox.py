"""A run's sandbox: opened with back-off in setup, attached again by every later runner, asked for its round trip."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from agents.decisions import ClusterPlan
from gpu_jobs.backends.protocol import Backend
from gpu_jobs.mirrored import LOST
from memory.errors import BackendError
from phases.active_run import ActiveRun
from phases.backends import backend, hang_up, label, machine_of, open_jobs
from phases.isolation import reads
from phases.measure import measurement

log = logging.getLogger("neuroloom.runner")
DONE = frozenset({"deployed", "finished", "rejected"})
TRIES, FIRST_WAIT = 4, 0.2
HOPELESS = frozenset(
    f"backend.{what}"
    for what in (
        "unreachable", "denied", "unknown_host_key", "no_host", "no_extra", "no_python", "no_libraries", "environment",
    )
)  # fmt: skip
"""What the backend has tried often enough itself, and what no further try changes."""


async def ensure_open(active: ActiveRun) -> float:
    """Open the run's sandbox or attach to it, with exponential back-off; returns the seconds the last try took.

    Raises:
        BackendError: the backend did not answer in any of the tries.
    """
    if active.jobs is not None:
        return 0.0
    wait = FIRST_WAIT
    request = label(active.request.terms, active.id, active.root, reads(active.request, active.settings))
    for attempt in range(1, TRIES + 1):
        began = time.perf_counter()
        try:
            active.jobs = await open_jobs(_place(active), active.settings, request)
            break
        except (OSError, BackendError) as problem:
            if attempt == TRIES or getattr(problem, "code", "") in HOPELESS:
                raise
            await asyncio.sleep(wait)
            wait *= 2
    took = time.perf_counter() - began
    active.limits = (await active.known("cluster", ClusterPlan)).limits
    if await active.get("cluster-id") is None:
        await active.put("cluster-id", f"{active.request.backend}-{active.id}", by="neural-orchestrator")
    return took


async def machine(active: ActiveRun) -> dict[str, Any]:
    """Facts of the machine on which the run's jobs run, as they are now; a lost connection is tried again.

    Raises:
        BackendError: the machine cannot be asked.
    """
    for _ in range(TRIES - 1):
        try:
            return await machine_of(_place(active), active.root)
        except BackendError as problem:
            if problem.code != LOST:
                raise
    return await machine_of(_place(active), active.root)


async def let_go(active: ActiveRun) -> None:
    """Hang up. What was copied to another machine goes when the run has an end that nobody goes on from."""
    if active.place is None:
        return
    try:
        if active.verdict in DONE and active.request.backend != "local":
            await active.place.destroy(f"{active.id}.main")
    except (OSError, BackendError):
        log.warning("run %s: its folder on the other machine stays until its deadline", active.id, exc_info=True)
    finally:
        await hang_up(active.place)


def _place(active: ActiveRun) -> Backend:
    if active.place is None:
        active.place = backend(active.settings, active.request.backend, active.request.terms)
    return active.place


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
