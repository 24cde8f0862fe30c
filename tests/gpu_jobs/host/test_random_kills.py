"""Seeded kills of host, warm process and job at any moment: no job runs twice at once, none is lost from sight."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from typing import Any

import pytest

from gpu_jobs.host import processes
from gpu_jobs.host.files import read_json

MOST_KILLS = 12


async def killer(place: Any, chance: random.Random, kills: list[int]) -> None:
    """At random moments, SIGKILL to one random process of the sandbox, `MOST_KILLS` times."""
    while len(kills) < MOST_KILLS:
        await asyncio.sleep(chance.uniform(0.0, 0.12))
        found = processes.marked(processes.SANDBOX_MARK, str(place.root))
        host = read_json(place.root / "jobs/host.json") or {}
        if found:
            victim = host.get("pid", found[0]) if chance.random() < 0.4 else chance.choice(found)
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                kills.append(victim)


async def finish(place: Any, spec: Any) -> int:
    """Ask until it is done, as a run's phase does; how often it was lost."""
    for lost in range(60):
        outcome = await place.another().run(spec, restart=True)
        if outcome.state == "done":
            return lost
        assert outcome.state == "lost" or outcome.error["code"] == "job.keeps_dying", outcome
    raise AssertionError("never done")


@pytest.mark.parametrize("seed", range(4))
async def test_under_random_kills_every_job_gets_done_and_never_runs_twice_at_once(place: Any, seed: int) -> None:
    kills: list[int] = []
    task = asyncio.create_task(killer(place, random.Random(seed), kills))
    try:
        async with asyncio.timeout(120):
            specs = [place.spec("single", f"job-{number}", seconds=0.25) for number in range(5)]
            await asyncio.gather(*(finish(place, spec) for spec in specs))
    finally:
        task.cancel()
    trace = (place.root / "trace").read_text().split()
    assert "overlap" not in trace
    assert trace.count("start") >= trace.count("end") >= 5
    assert len(kills) >= 3
