"""A step of a run is done once: whoever drives it later reads what was decided, measured and done before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.brief import Brief
from agents.decisions import DeploymentPlan
from agents.reasoners.rules import RulesReasoner
from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import SandboxRequest
from gpu_jobs.dispatch import HostSettings, Jobs
from memory.errors import JobError, RedisAway
from memory.store import Memory
from phases import runner
from phases.active_run import ActiveRun
from phases.guides import MODEL_FILES
from phases.orders import Orders
from phases.publish import published_checks
from phases.request import RunRequest
from phases.services.runs import Runs
from phases.settings import RunnerSettings
from phases.workspace import sha256

Take = Callable[..., Awaitable[ActiveRun]]
STUMBLE = """
import os, signal

def run(job):
    with job.path("starts").open("a") as file:
        file.write("start\\n")
    starts = len(job.path("starts").read_text().splitlines())
    if starts <= job.args["stumbles"]:
        if job.args["how"] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("stumbled")
    return {"starts": starts}
"""


class Counting:
    """A reasoner that decides something else each time it is asked."""

    name = "counting"

    def __init__(self) -> None:
        self.asked = 0

    async def decide(self, _brief: Brief, decision_type: Any, _context: dict[str, Any]) -> Any:
        self.asked += 1
        named = {"name": "birds", "version": f"{self.asked}.0.0", "keep_previous": True}
        return decision_type(reason="counted", evidence={}, **named)


@pytest.fixture
async def take(runs: Runs, memory: Memory, request_of: RunRequest, home: Path) -> AsyncIterator[Take]:
    """Gives one run into the hands of ever new runners, with a sandbox whose jobs stumble as they are told."""
    run = (await runs.start(request_of)).run_id
    tasks = home / "tasks"
    tasks.mkdir()
    (tasks / "stumble.py").write_text(STUMBLE)
    backend = LocalBackend(LocalSettings(), home)
    opened = []

    async def taken(**known: Any) -> ActiveRun:
        lease = await memory.acquire(run)
        assert lease is not None
        settings = RunnerSettings(home=home, memory=memory.settings)
        active = ActiveRun(run, memory, lease, request_of, settings, known.pop("reasoner", RulesReasoner()), **known)
        sandbox = await backend.open(SandboxRequest(owner=run, root=str(active.root)))
        opened.append(sandbox.info.id)
        active.jobs = Jobs(sandbox, HostSettings(tasks=str(tasks), idle_seconds=5))
        return active

    yield taken
    for found in set(opened):
        await backend.destroy(found)


async def plan(active: ActiveRun) -> str:
    """The version that is decided, and the run let go again."""
    decided = await active.decide("deployment-plan", DeploymentPlan, "cicd-engineer", {})
    await active.memory.release(active.lease)
    return decided.version


async def test_a_decision_is_made_once_whoever_drives_the_run_later(take: Take) -> None:
    reasoner = Counting()
    assert [await plan(await take(reasoner=reasoner)) for _ in range(3)] == ["1.0.0"] * 3
    assert reasoner.asked == 1


async def test_what_was_measured_once_is_what_every_later_runner_uses(take: Take) -> None:
    found = []
    for threads in (1, 2):
        active = await take()
        found.append(await active.measured("measured-1", "neural-orchestrator", {"threads": threads}, "measured"))
        await active.memory.release(active.lease)
    assert found == [{"threads": 1}, {"threads": 1}]


@pytest.mark.parametrize(("data", "version"), [("ab", "7.0.0"), ("cd", "1.0.0"), ("", "1.0.0")])
async def test_a_recipe_decides_only_for_the_data_it_was_made_for(take: Take, data: str, version: str) -> None:
    made = {"key": "deployment-plan", "type": "DeploymentPlan", "agent": "cicd-engineer", "reason": "earlier",
            "evidence": {}, "at": "2026-01-01T00:00:00.000+00:00", "reasoner": "rules"}  # fmt: skip
    value = {"reason": "earlier", "evidence": {}, "name": "birds", "version": "7.0.0", "keep_previous": True}
    recipe = {"decisions": {"deployment-plan": {**made, "value": value}}, "dataset_sha256": "ab" if data else ""}
    assert await plan(await take(reasoner=Counting(), recipe=recipe, dataset_sha256=data)) == version


async def stumble(active: ActiveRun, stumbles: int, how: str = "failed") -> dict[str, Any]:
    """The result of a job that fails or is killed in its first starts."""
    try:
        return await active.job("stumble", {"stumbles": stumbles, "how": how})
    finally:
        await active.memory.release(active.lease)


async def test_a_job_whose_process_was_killed_is_started_again_and_then_never_more(take: Take) -> None:
    assert await stumble(await take(), 2, "killed") == {"starts": 3}
    assert await stumble(await take(), 2, "killed") == {"starts": 3}
    active = await take()
    lost = [event for _, event in await active.memory.events(active.id) if event["type"] == "job_lost"]
    assert len(lost) == 2


async def test_a_job_that_failed_is_started_again_once_per_resume_and_never_by_a_takeover(take: Take) -> None:
    for _ in range(2):
        with pytest.raises(JobError, match="stumbled"):
            await stumble(await take(), 2)
    starts = (await take()).root / "starts"
    assert starts.read_text() == "start\n", "a takeover is no reason to try again"


async def test_a_resume_starts_a_failed_job_again_and_its_takeover_does_not(take: Take) -> None:
    with pytest.raises(JobError, match="stumbled"):
        await stumble(await take(), 2)
    for _ in range(2):
        with pytest.raises(JobError, match="stumbled"):
            await stumble(await take(resumes=1), 2)
    assert await stumble(await take(resumes=2), 2) == {"starts": 3}


async def test_trouble_with_memory_is_no_end_of_a_run(take: Take) -> None:
    active = await take()
    with pytest.raises(RedisAway):
        runner._ending(active, RedisAway("away"))
    full = runner._ending(active, OSError(28, "No space left on device"))[1]
    assert full.code == "run.disk_full" and f"neuroloom resume {active.id}" in (full.fix or "")


async def test_a_run_that_ends_its_runners_again_and_again_is_ended(take: Take) -> None:
    active = await take()
    await runner.finish(active, runner.MAX_DELIVERIES + 1)
    state = await active.get("state")
    assert (state["state"], state["error"]["code"]) == ("failed", "run.kills_its_runners")


async def test_a_cancel_that_came_while_the_run_parked_itself_is_seen(take: Take) -> None:
    active = await take()
    await active.state(state="waiting", question={"id": "q"})
    orders = Orders(active, "0")
    assert not await orders.cancelled_while_parking()
    await active.memory.control(active.id, {"do": "steer"}, command_id="one")
    assert not await orders.cancelled_while_parking()
    await active.memory.control(active.id, {"do": "cancel"}, command_id="two")
    assert await orders.cancelled_while_parking()


def published(root: Path) -> dict[str, str]:
    """A published attempt, as small as it can be; returns the hashes that were sealed."""
    models = root / "attempts" / "1" / "models"
    models.mkdir(parents=True)
    (root / "models").mkdir()
    for name in MODEL_FILES:
        (models / name).write_text(name)
        (root / "models" / name).symlink_to(models / name)
    return {f"models/{name}": sha256(models / name) for name in MODEL_FILES}


def failed(root: Path, sealed: dict[str, str]) -> set[str]:
    others = {"generated_files_parse", "links_hold"}  # this attempt has no pages
    return {check.name for check in published_checks(root, 1, sealed) if not check.passed} - others


def test_what_is_published_must_be_the_sealed_attempt_to_the_byte(tmp_path: Path) -> None:
    sealed = published(tmp_path)
    assert failed(tmp_path, sealed) == set()
    other = tmp_path / "models" / "model.onnx"
    other.unlink()
    other.write_text("another model")
    assert failed(tmp_path, sealed) == {"published_is_attempt"}
    other.unlink()
    other.symlink_to(tmp_path / "attempts/1/models/model.onnx")
    (tmp_path / "attempts/1/models/weights.safetensors").write_text("changed")
    assert failed(tmp_path, sealed) == {"attempt_unchanged", "published_is_attempt"}
