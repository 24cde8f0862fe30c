"""The way back from a candidate that failed: bounded whatever the agent wants, and the best attempt is what goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.brief import Brief
from agents.decisions import CheckDefinition, Diagnosis, ValidationPlan
from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import SandboxRequest
from gpu_jobs.dispatch import HostSettings, Jobs
from memory.store import Memory
from phases import validate
from phases.active_run import ActiveRun
from phases.measure import measurement
from phases.request import RunRequest
from phases.services.runs import Runs
from phases.settings import RunnerSettings

Candidate = Callable[[int, float], Awaitable[tuple[int, str]]]
EVALUATE = """
import json

def run(job):
    return json.loads(job.path(job.args["attempt_folder"] + "/scores.json").read_text())
"""


class NeverContent:
    """A reasoner that wants 0.9 and always has something else to try."""

    name = "never content"

    async def decide(self, _brief: Brief, decision_type: Any, _context: dict[str, Any]) -> Any:
        if decision_type is Diagnosis:
            return Diagnosis(reason="once more", evidence={}, kind="under_fit", change={"width": 8})
        check = CheckDefinition(name="good", path="scores.metrics.accuracy", comparison=">=", threshold=0.9,
                                blocking=True, tasks=("binary",), says="accuracy of 0.9")  # fmt: skip
        return ValidationPlan(reason="0.9", evidence={}, profile="default", checks=(check,))


@pytest.fixture
async def candidate(runs: Runs, memory: Memory, request_of: RunRequest, home: Path) -> AsyncIterator[Candidate]:
    """Judges an attempt with the accuracy that it is given."""
    run = (await runs.start(request_of)).run_id
    lease = await memory.acquire(run)
    assert lease is not None
    settings = RunnerSettings(home=home, memory=memory.settings)
    active = ActiveRun(run, memory, lease, request_of, settings, NeverContent(), dataset_sha256="cd" * 32)
    tasks = home / "tasks"
    tasks.mkdir()
    (tasks / "evaluate.py").write_text(EVALUATE)
    (tasks / "evaluate.light").touch()
    backend = LocalBackend(LocalSettings(), home)
    sandbox = await backend.open(SandboxRequest(owner=run, root=str(active.root)))
    active.jobs = Jobs(sandbox, HostSettings(tasks=str(tasks), idle_seconds=5))

    async def judge(attempt: int, accuracy: float) -> tuple[int, str]:
        folder = active.root / "attempts" / str(attempt)
        (folder / "configs").mkdir(parents=True)
        for name in ("dataset", "architecture", "training"):
            (folder / "configs" / f"{name}.json").write_text("{}")
        (folder / "training-result.json").write_text("{}")
        found = measurement(active, accuracy, "fraction", job=f"evaluate-{attempt}").model_dump(mode="json")
        scores = {"metric": "accuracy", "metrics": {"accuracy": found}, "higher_is_better": True}
        (folder / "scores.json").write_text(json.dumps(scores))
        return await validate.candidate(active, attempt, "")

    yield judge
    await backend.destroy(sandbox.info.id)


async def test_a_good_candidate_goes_on_at_once(candidate: Candidate) -> None:
    assert await candidate(1, 0.95) == (1, "candidate")


async def test_the_third_failure_is_the_last_and_the_best_attempt_goes_on_as_rejected(candidate: Candidate) -> None:
    assert await candidate(1, 0.5) == (2, "again")
    assert await candidate(2, 0.8) == (3, "again")
    assert await candidate(3, 0.6) == (2, "rejected")
