"""What a person is told, and when, about new data that differ from those of the deployed model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.reasoners.rules.reasoner import RulesReasoner
from memory.store import Memory
from phases.active_run import ActiveRun
from phases.champion import champion_checks, schema_checks
from phases.request import RunRequest
from phases.services.runs import Runs
from phases.settings import RunnerSettings
from phases.workspace import write_json

BEFORE = {"age": "number", "plan": "category", "city": "text"}
DIFFER = "columns gone: 'city'; columns new: 'fee'; columns of another type: 'age' (number, now category)"


def table(root: Path, types: dict[str, str]) -> None:
    """What the snapshot job of a run found."""
    columns = [{"name": name, "type": kind} for name, kind in types.items()]
    write_json(root / "jobs" / "snapshot" / "result.json", {"columns": columns})


async def retrained(
    memory: Memory, runs: Runs, request: RunRequest, tmp_path: Path, after: dict[str, str]
) -> ActiveRun:
    """A run that challenges the champion, after its setup."""
    view, champion = await runs.start(request), tmp_path / "champion"
    retrain = {"name": "leavers", "run": "r-1", "folder": str(champion), "attempt": 1}
    lease = await memory.acquire(view.run_id)
    assert lease is not None
    settings = RunnerSettings(home=memory.settings.home, memory=memory.settings)
    asked = request.model_copy(update={"retrain": retrain})
    active = ActiveRun(view.run_id, memory, lease, asked, settings, RulesReasoner())
    table(champion, BEFORE)
    table(active.root, after)
    return active


async def test_what_differs_is_told_at_setup_and_in_the_question_before_anybody_agrees(
    memory: Memory, runs: Runs, request_of: RunRequest, tmp_path: Path
) -> None:
    after = {"age": "category", "plan": "category", "fee": "number"}
    active = await retrained(memory, runs, request_of, tmp_path, after)
    (check,) = await schema_checks(active)
    assert (check.measured, check.passed, check.blocking) == (DIFFER, False, False)
    notes = [event["message"] for _, event in await memory.events(active.id) if event["type"] == "note"]
    assert len(notes) == 1 and DIFFER in notes[0]
    asked: list[dict[str, Any]] = []
    active.ask = lambda question: asked.append(question) or {"approve": False}  # type: ignore[func-returns-value]
    champion_checks(active, {"champion": {"rows": 3, "difference": None}})
    assert DIFFER in asked[0]["text"]


@pytest.mark.parametrize("after", [BEFORE, dict(reversed(BEFORE.items()))])
async def test_nothing_is_told_where_nothing_differs(
    memory: Memory, runs: Runs, request_of: RunRequest, tmp_path: Path, after: dict[str, str]
) -> None:
    active = await retrained(memory, runs, request_of, tmp_path, after)
    assert await schema_checks(active) == []
