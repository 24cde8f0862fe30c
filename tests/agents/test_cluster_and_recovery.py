"""The neural-orchestrator's rules: where a run trains, and what happens when training is in trouble."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.decisions import ClusterPlan, TrainingRecovery
from agents.reasoners.rules import cluster, recovery
from memory.errors import BackendError, UsageError


def plan(request: dict[str, Any] | None = None, **machine: Any) -> ClusterPlan:
    return cluster.decide(
        {
            "request": request or {},
            "machine": {"cores": 4, "memory_mb": 16_000, "disk_free_mb": 100_000, "gpus": [], **machine},
        }
    )


def test_a_plain_machine_trains_in_one_process_on_the_cpu_and_leaves_memory_for_others() -> None:
    found = plan()
    assert (found.backend, found.workers, found.topology, found.device) == ("local", 1, "single", "cpu")
    assert found.limits.memory_mb < 16_000


def test_an_absent_gpu_that_was_asked_for_fails_with_what_there_is() -> None:
    with pytest.raises(BackendError, match="no GPU") as caught:
        plan({"gpus": 1})
    assert caught.value.code == "backend.no_gpu" and "CPU" in (caught.value.fix or "")
    with pytest.raises(BackendError, match="Tesla") as fewer:
        plan({"gpus": 2}, gpus=[{"name": "Tesla", "kind": "cuda"}])
    assert "--gpus 1" in (fewer.value.fix or "")


@pytest.mark.parametrize(
    ("gpus", "device"),
    [
        ([], "cpu"),
        ([{"name": "M3", "kind": "mps"}], "mps"),
        ([{"name": "M3", "kind": "mps"}, {"name": "H200", "kind": "cuda"}], "cuda"),
        (["H200"], "cuda"),
        ([{"name": "H200", "kind": "cuda", "usable": False}], "cpu"),
    ],
)
def test_cuda_comes_before_mps_before_the_cpu(gpus: list[Any], device: str) -> None:
    assert plan(gpus=gpus).device == device


@pytest.mark.parametrize(
    ("request_", "gpus", "workers"),
    [
        ({"workers": 3}, 0, 3),
        ({"gpus": 2}, 2, 2),
        ({"gates": "reference"}, 0, 4),
        ({"gates": "reference", "workers": 2}, 0, 2),
        ({}, 2, 1),
    ],
)
def test_processes_are_those_asked_for_or_needed(request_: dict[str, Any], gpus: int, workers: int) -> None:
    found = plan(request_, gpus=[{"name": "H200", "kind": "cuda"}] * gpus)
    assert found.workers == workers and found.topology == ("mesh" if workers > 1 else "single")


def test_more_processes_than_cores_are_kept_as_asked_and_told() -> None:
    assert "share 2 cores" in plan({"workers": 4}, cores=2).notes[0]
    assert not plan({"workers": 2}, cores=2).notes


@pytest.mark.parametrize(("request_", "field"), [({"backend": "locale"}, "backend"), ({"workers": 65}, "workers")])
def test_unknown_backends_and_impossible_process_counts_are_refused(request_: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(request_)
    assert caught.value.field == field


@given(st.integers(1, 512), st.integers(64, 4_000_000), st.integers(1, 64))
def test_any_machine_gets_a_plan_within_the_limits(cores: int, memory: int, workers: int) -> None:
    found = plan({"workers": workers}, cores=cores, memory_mb=memory)
    assert ClusterPlan.model_validate(found.model_dump(mode="json")) == found
    assert found.limits.memory_mb <= max(256, memory)


def recover(code: str | None = None, **facts: Any) -> TrainingRecovery:
    return recovery.decide({"error": {"code": code} if code else None, "checkpoint": True, **facts})


@pytest.mark.parametrize(
    ("code", "facts", "action", "rate", "batch"),
    [
        (None, {"diverged": 1}, "restart", 0.3, 1.0),
        ("training.diverged", {"checkpoint": False}, "restart", 0.3, 1.0),
        ("job.lost", {}, "resume", 1.0, 1.0),
        ("job.lost", {"checkpoint": False}, "restart", 1.0, 1.0),
        ("job.memory", {}, "restart", 1.0, 0.5),
        ("job.disk_full", {}, "give_up", 1.0, 1.0),
        ("job.timeout", {}, "give_up", 1.0, 1.0),
        ("job.crashed", {}, "give_up", 1.0, 1.0),
        (None, {"diverged": 1, "tries": 3}, "give_up", 1.0, 1.0),
        ("job.memory", {"tries": 2}, "restart", 1.0, 0.5),
    ],
)
def test_each_trouble_has_its_own_way_out(
    code: str | None, facts: dict[str, Any], action: str, rate: float, batch: float
) -> None:
    found = recover(code, **facts)
    assert (found.action, found.rate_factor, found.batch_factor) == (action, rate, batch)


def test_giving_up_tells_the_person_what_they_can_do() -> None:
    assert "free some space" in recover("job.disk_full").reason
    assert "3 recoveries did not help" in recover(diverged=1, tries=3).reason


def test_every_kind_of_limit_is_set_from_what_the_machine_has() -> None:
    limits = plan(cores=4, memory_mb=10_000, disk_free_mb=1_000).limits
    assert limits.memory_mb == 8_000 and limits.disk_mb == limits.file_mb == 900
    assert limits.cpu_seconds == 4 * 86_400 and limits.open_files == 4096
