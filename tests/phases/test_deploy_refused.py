"""Deployments that are refused before anything is started: by the review of the plan, and for want of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory.errors import GateRejected
from memory.store import Memory
from phases import deploy
from phases.supervisor import records
from phases.supervisor.client import SupervisorClient
from tests.phases.conftest import Made
from tests.phases.supervisor.conftest import wish

pytestmark = pytest.mark.usefixtures("unpublished")


async def test_with_too_little_memory_nothing_is_started(
    home: Path, supervisor: SupervisorClient, ended: Made, active: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await supervisor.deploy(wish(home, "1.0.0", name="small"))
    starts = records.log_path(home, "small").read_text().count("starts")
    monkeypatch.setattr(deploy, "FEWEST_MB", 1e12)
    with pytest.raises(GateRejected, match="free_memory"):
        await deploy.run(await active(await ended()), 1, "deploy")
    assert await supervisor.get("small") == before
    assert records.log_path(home, "small").read_text().count("starts") == starts


async def test_a_plan_that_the_review_objects_to_is_not_carried_out(
    home: Path, supervisor: SupervisorClient, memory: Memory, ended: Made, active: Made
) -> None:
    run = await active(await ended())
    failed = {"name": "min_accuracy", "measured": False, "comparison": "is", "threshold": True, "passed": False,
              "blocking": True, "why": "as asked"}  # fmt: skip
    await memory.put(run.id, "phase4-complete", {"status": "rejected", "gate": [failed]}, by="test")
    with pytest.raises(GateRejected, match="plan_reviewed"):
        await deploy.run(run, 1, "deploy")
    assert await supervisor.list() == ()
