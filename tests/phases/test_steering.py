"""Steering as a door does it: what is refused, what is recorded, and how a runner passes it on."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import SandboxRequest
from gpu_jobs.dispatch import Jobs
from memory.errors import InputError, JobError, RunError, UsageError
from memory.store import Memory
from phases import train
from phases.active_run import ActiveRun
from phases.orders import Orders
from phases.recipe import recipe_of
from phases.request import RunRequest
from phases.services.runs import Runs
from phases.services.steering import Steering
from phases.steering import SteerOrder, words
from phases.workspace import write_json

Training = Callable[..., Awaitable[str]]


@pytest.fixture
def steering(memory: Memory, runs: Runs) -> Steering:
    return Steering(memory, runs, runs.settings)


@pytest.fixture
async def training(memory: Memory, runs: Runs, request_of: RunRequest) -> Training:
    """Makes a run as it stands while its first training job runs; keyword arguments change its state."""

    async def make(**changes: Any) -> str:
        run = (await runs.start(request_of)).run_id
        state = await memory.get(run, "state")
        assert state is not None
        statuses = ("passed", "passed", "running", "pending", "pending")
        phases = [{**row, "status": status} for row, status in zip(state.value["phases"], statuses, strict=True)]
        now = {**state.value, "state": "running", "phase": "train", "attempt": 1, "phases": phases, **changes}
        await memory.put(run, "state", now, by="test")
        for name, value in (("training-job-id", "train-1"), ("training-status", "running")):
            await memory.put(run, name, value, by="test")
        await memory.put(run, "dataset", {"task": "binary", "target": "left", "sha256": "cd" * 32}, by="test")
        await memory.put(run, "decisions", [], by="test")
        return run

    return make


@pytest.fixture
async def held(memory: Memory, home: Path, active: Callable[..., Any]) -> AsyncIterator[Callable[[str], Any]]:
    """Gives a run into the hands of a runner, with a sandbox."""
    backend, opened = LocalBackend(LocalSettings(), home), []

    async def take(run: str) -> ActiveRun:
        taken: ActiveRun = await active(run)
        sandbox = await backend.open(SandboxRequest(owner=run, root=str(taken.root)))
        opened.append(sandbox.info.id)
        taken.jobs, taken.current_job = Jobs(sandbox), "train-1"
        return taken

    yield take
    for found in set(opened):
        await backend.destroy(found)


def told(active: ActiveRun) -> Any:
    path = active.root / "jobs" / "train-1" / "control.json"
    return json.loads(path.read_text()) if path.exists() else None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"rate": 0.001}, "rate"), ({"rate": 101.0}, "rate"), ({"rate": float("nan")}, "rate"),
        ({"epochs": 0}, "epochs"), ({"epochs": 10**6}, "epochs"), ({"metric": "acuracy"}, "metric"),
        ({"note": "x" * 601}, "note"),
        ({"speed": 3}, "speed"), ({}, "order"), ({"note": " "}, "order"), ({"stop_early": False}, "order"),
    ],
)  # fmt: skip
def test_what_cannot_be_ordered_is_refused_by_name(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError) as refused:
        SteerOrder.said(**wrong)
    assert refused.value.field == field and refused.value.fix


def test_an_order_says_in_words_what_it_changes() -> None:
    order = SteerOrder.said(stop_early=True, rate=0.5, epochs=80, metric="macro-f1", note="why not")
    assert order.changes == {"stop_early": True, "rate": 0.5, "epochs": 80, "metric": "macro_f1"}
    assert words(order.changes) == "stop early, learning rate × 0.5, at most 80 epochs, best epoch chosen by macro_f1"


async def test_an_order_is_recorded_sent_and_told_as_an_event(
    steering: Steering, training: Training, memory: Memory
) -> None:
    run = await training()
    found = await steering.steer("latest", SteerOrder.said(rate=0.5, note="it jumps"), "mcp")
    assert (found["run_id"], found["job"]) == (run, "train-1")
    kept = await memory.get(run, "steering")
    assert kept is not None and kept.value == [found["order"]]
    order = found["order"]
    assert (order["rate"], order["note"], order["by"], order["attempt"]) == (0.5, "it jumps", "mcp", 1)
    assert [command["do"] for _, command in await memory.controls(run)] == ["steer"]
    [event] = [event for _, event in await memory.events(run) if event["type"] == "steer"]
    assert (event["order"], event["rate"]) == (order["id"], 0.5)


@pytest.mark.parametrize("state", ["queued", "waiting", "running", "finished", "cancelled"])
async def test_without_a_training_only_a_note_is_taken(
    steering: Steering, training: Training, memory: Memory, state: str
) -> None:
    run = await training(state=state)
    await memory.put(run, "training-status", "complete", by="test")
    with pytest.raises(RunError) as refused:
        await steering.steer(run, SteerOrder.said(rate=0.5), "cli")
    assert refused.value.code == ("run.ended" if state in {"finished", "cancelled"} else "run.not_training")
    assert await memory.get(run, "steering") is None and await memory.controls(run) == []
    found = await steering.steer(run, SteerOrder.said(note="looks odd"), "cli")
    kept = await memory.get(run, "steering")
    assert found["job"] is None and kept is not None and kept.value[0]["note"] == "looks odd"
    assert await memory.controls(run) == []


async def test_a_metric_of_another_task_and_an_unknown_run_are_refused(steering: Steering, training: Training) -> None:
    run = await training()
    with pytest.raises(UsageError, match="does not exist for a binary task") as refused:
        await steering.steer(run, SteerOrder.said(metric="rmse"), "cli")
    assert refused.value.code == "usage.metric_task"
    with pytest.raises(InputError, match="no run 'r-nothing'"):
        await steering.steer("r-nothing", SteerOrder.said(rate=0.5), "cli")


async def test_a_job_that_has_just_ended_or_whose_folder_is_gone_is_not_steered(
    steering: Steering, training: Training, runs: Runs
) -> None:
    run = await training()
    folder = Path((await runs.get(run)).workspace)
    write_json(folder / "jobs" / "train-1" / "job.json", {"id": "train-1", "kind": "train", "args": {}, "start": 1})
    write_json(folder / "jobs" / "train-1" / "exit", {"start": 1, "state": "done", "code": 0})
    with pytest.raises(RunError, match="just ended its training"):
        await steering.steer(run, SteerOrder.said(stop_early=True), "cli")
    shutil.rmtree(folder)
    with pytest.raises(JobError, match="cannot be reached") as refused:
        await steering.steer(run, SteerOrder.said(stop_early=True), "cli")
    assert refused.value.code == "job.unreachable"


async def test_a_runner_passes_every_order_to_its_job_on_and_a_later_runner_does_so_again(
    steering: Steering, training: Training, memory: Memory, held: Callable[[str], Any]
) -> None:
    run = await training()
    first = (await steering.steer(run, SteerOrder.said(rate=0.5, note="slower"), "cli"))["order"]["id"]
    await steering.steer(run, SteerOrder.said(note="only a note"), "cli")
    active = await held(run)
    await active.jobs.control("train-1", {"cancel": False})
    await Orders(active, "0").relay()
    assert told(active) == {"cancel": False, "orders": [{"id": first, "rate": 0.5}]}
    second = (await steering.steer(run, SteerOrder.said(stop_early=True), "cli"))["order"]["id"]
    await memory.release(active.lease)
    (active.root / "jobs" / "train-1" / "control.json").unlink()
    active = await held(run)
    await Orders(active, "0").relay()
    assert told(active)["orders"] == [{"id": first, "rate": 0.5}, {"id": second, "stop_early": True}]


async def test_an_order_is_for_the_job_it_was_given_to_and_no_later_attempt_or_recipe_repeats_it(
    steering: Steering, training: Training, memory: Memory, held: Callable[[str], Any]
) -> None:
    run = await training()
    await steering.steer(run, SteerOrder.said(stop_early=True), "cli")
    active = await held(run)
    active.current_job = "train-2"
    await Orders(active, "0").relay()
    assert not (active.root / "jobs" / "train-2").exists()
    recipe = await recipe_of(memory, run)
    assert (recipe["decisions"], recipe["steered"]) == ({}, True)


async def test_an_order_that_nothing_obeyed_any_more_is_said_to_be_missed(
    steering: Steering, training: Training, memory: Memory, held: Callable[[str], Any]
) -> None:
    run = await training()
    first, second = [(await steering.steer(run, SteerOrder.said(rate=0.5), "cli"))["order"]["id"] for _ in range(2)]
    active = await held(run)
    assert await train._missed(active, 2, {"steered": []}) == [], "orders of another attempt are not looked at"
    missed = await train._missed(active, 1, {"steered": [{"order": first, "epoch": 3, "rate": 0.5}]})
    assert missed == [second]
    [event] = [event for _, event in await memory.events(run) if event["type"] == "steer_missed"]
    assert event["order"] == second
