"""What a run in a runner's hands reads once, and what it must read again because doors write it too."""

from __future__ import annotations

import pytest

from agents.decisions.cluster_plan import ClusterLimits
from agents.reasoners.rules.reasoner import RulesReasoner
from memory.errors import StaleEpoch
from memory.store import Memory
from phases.active_run import ActiveRun
from phases.request import RunRequest
from phases.services.runs import Runs
from phases.settings import RunnerSettings, Terms


async def taken(memory: Memory, runs: Runs, request: RunRequest) -> ActiveRun:
    """A fresh run in the hands of a runner."""
    view = await runs.start(request)
    lease = await memory.acquire(view.run_id)
    assert lease is not None
    settings = RunnerSettings(home=memory.settings.home, memory=memory.settings)
    return ActiveRun(view.run_id, memory, lease, request, settings, RulesReasoner())


@pytest.mark.parametrize("name", ["state", "answer", "deploy-request"])
async def test_what_a_door_writes_meanwhile_is_seen(
    memory: Memory, runs: Runs, request_of: RunRequest, name: str
) -> None:
    active = await taken(memory, runs, request_of)
    await active.get(name)
    await memory.put(active.id, name, {"said": "by a door"}, by="door")
    assert await active.get(name) == {"said": "by a door"}


async def test_its_own_writes_are_seen_and_what_was_read_cannot_be_changed_by_accident(
    memory: Memory, runs: Runs, request_of: RunRequest
) -> None:
    active = await taken(memory, runs, request_of)
    assert await active.get("attempts") is None
    await active.append("attempts", {"attempt": 1}, by="ml-developer", write_id="attempt:1")
    (await active.get("attempts")).append("scribbled")
    assert await active.get("attempts") == [{"attempt": 1}]
    await active.append("attempts", {"attempt": 2}, by="ml-developer", write_id="attempt:2")
    assert await active.get("attempts") == [{"attempt": 1}, {"attempt": 2}]
    await active.put("config", {"a": 1}, by="neural-orchestrator")
    assert await active.get("config") == {"a": 1}
    await active.put("config", {"a": 2}, by="neural-orchestrator")
    assert await active.get("config") == {"a": 2}


async def test_what_only_the_holder_of_the_lease_writes_is_read_from_redis_once(
    memory: Memory, runs: Runs, request_of: RunRequest
) -> None:
    active = await taken(memory, runs, request_of)
    await active.put("config", {"a": 1}, by="neural-orchestrator")
    await active.get("config")
    await memory.put(active.id, "config", {"a": 2}, by="nobody who may")
    assert await active.get("config") == {"a": 1}


async def test_a_runner_that_lost_its_lease_is_refused_whatever_it_remembers(
    memory: Memory, runs: Runs, request_of: RunRequest
) -> None:
    active = await taken(memory, runs, request_of)
    assert await active.get("attempts") is None
    await memory.release(active.lease)
    assert await memory.acquire(active.id) is not None
    with pytest.raises(StaleEpoch):
        await active.append("attempts", {"attempt": 1}, by="ml-developer", write_id="attempt:1")


async def test_a_job_gets_every_limit_of_the_plan_and_the_person_s_own_memory_limit_wins(
    memory: Memory, runs: Runs, request_of: RunRequest
) -> None:
    active = await taken(memory, runs, request_of)
    active.limits = ClusterLimits(memory_mb=800, disk_mb=700, file_mb=600, cpu_seconds=500, open_files=400, seconds=300)
    limits = active.spec("noop", {}, "noop-1", 1, "cpu").limits
    assert (limits.memory_mb, limits.disk_mb, limits.file_mb, limits.cpu_seconds, limits.open_files) == (
        800, 700, 600, 500, 400,
    )  # fmt: skip
    active.request = request_of.model_copy(update={"terms": Terms(job_memory_mb=300, job_hours=2)})
    assert active.spec("noop", {}, "noop-1", 1, "cpu").limits.seconds == 7200
    assert active.spec("noop", {}, "noop-1", 1, "cpu").limits.memory_mb == 300


async def test_the_markers_of_missing_values_are_the_request_s_else_the_recipe_s(
    memory: Memory, runs: Runs, request_of: RunRequest
) -> None:
    active = await taken(memory, runs, request_of)
    active.recipe = {"missing": ["?", "-99"]}
    assert active.missing == ["?", "-99"]
    active.request = request_of.model_copy(update={"missing": ("n/a",)})
    assert active.missing == ["n/a"]
