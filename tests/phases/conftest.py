"""A state folder with its embedded Redis, services as a door gets them without a runner, and runs for phase 5."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.decisions import DeploymentPlan
from agents.reasoners.rules import RulesReasoner
from memory.embedded import EmbeddedRedis
from memory.store import Memory, MemorySettings, open_memory
from phases import deploy
from phases.active_run import ActiveRun
from phases.request import RunRequest
from phases.services.deployments import Deployments
from phases.services.runs import Runs
from phases.settings import Policy, RunnerSettings
from phases.supervisor.client import SupervisorClient, ensure, shut_down
from tests.leftovers import end_all
from tests.phases.supervisor.conftest import ROW, SERVER, eventually, servers, supervisors

Made = Callable[..., Any]


@pytest.fixture
def home() -> Iterator[Path]:
    """A state folder with a short path: a Unix socket's is at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="nl-"))
    try:
        yield folder
    finally:
        EmbeddedRedis(folder).stop()
        end_all(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def memory(home: Path) -> AsyncIterator[Memory]:
    """Memory as a door opens it."""
    async with open_memory(MemorySettings(home=home, lease_seconds=1.0), "door") as opened:
        yield opened


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small table: two numbers, a category and a class."""
    rows = [f"{i % 7},{(i * 37) % 11},{'ab'[i % 2]},{'yes' if (i % 7) > 3 else 'no'}" for i in range(240)]
    path = tmp_path / "small.csv"
    path.write_text("x,y,kind,left\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def request_of(table: Path, tmp_path: Path) -> RunRequest:
    """A request for that table."""
    return RunRequest(data=str(table), target="left", workspace=str(tmp_path), deploy=False)


@pytest.fixture
def runs(memory: Memory, home: Path, tmp_path: Path) -> Runs:
    """The runs service of a workspace in which no runner is ever started."""
    settings = RunnerSettings(home=home, memory=memory.settings)
    return Runs(memory, str(tmp_path), lambda: None, settings)


@pytest.fixture
async def supervisor(home: Path) -> AsyncIterator[SupervisorClient]:
    """The state folder's supervisor; it and its servers are stopped afterwards."""
    yield await ensure(home)
    await shut_down(home)
    await eventually(lambda: not supervisors(home))
    assert servers(home) == [], "servers outlived their supervisor"


@pytest.fixture
def unpublished(monkeypatch: pytest.MonkeyPatch) -> None:
    async def published(active: ActiveRun, _attempt: int, plan: DeploymentPlan) -> list[Any]:
        await active.put("model-view", _model(active.root, plan.name, plan.version), by="cicd-engineer")
        return []

    async def publish(active: ActiveRun, _attempt: int, plan: DeploymentPlan) -> dict[str, Any]:
        return _model(active.root, plan.name, plan.version)

    async def guides(active: ActiveRun, plan: DeploymentPlan) -> None:
        pass

    monkeypatch.setattr(deploy, "_published", published)
    monkeypatch.setattr(deploy, "publish", publish)
    monkeypatch.setattr(deploy, "write_guides", guides)


def _model(root: Path, name: str, version: str) -> dict[str, Any]:
    return {"name": name, "version": version, "path": str(root / "models/model.onnx"), "sha256": "ab" * 32}


@pytest.fixture
async def ended(memory: Memory, runs: Runs, request_of: RunRequest) -> Made:
    """Makes an ended run with a tested model whose server is a tiny one; keyword arguments are its behaviour."""

    async def make(state: str = "finished", error: dict[str, Any] | None = None, **behaviour: Any) -> str:
        view = await runs.start(request_of.model_copy(update={"deploy": True}))
        root = Path(view.workspace)
        for folder in ("attempts/1/scripts", "attempts/1/models", "models", "tests"):
            (root / folder).mkdir(parents=True)
        shutil.copy(SERVER, root / "attempts/1/scripts/serve.py")
        for name in ("model.onnx", "preprocessing.json"):
            (root / "attempts/1/models" / name).touch()
        (root / "models/behaviour.json").write_text(json.dumps({"version": view.run_id, **behaviour}))
        stored = {"label": "yes", "probabilities": {"yes": 0.75, "no": 0.25}}
        (root / "tests/validation_rows.json").write_text(json.dumps({"rows": [ROW], "predictions": [stored]}))
        dataset = {"name": "small.csv", "target": "left", "sha256": "cd" * 32, "features": []}
        await memory.put(view.run_id, "dataset", dataset, by="test")
        await memory.put(view.run_id, "artifacts", {"attempt": 1, "sha256": {}}, by="test")
        known = await memory.get(view.run_id, "state")
        assert known is not None
        phases = [{**phase, "status": "passed", "seconds": 1.0} for phase in known.value["phases"]]
        now = {**known.value, "state": state, "error": error, "phases": phases, "phase": "deploy", "attempt": 1}
        taken = await memory.take("test")
        assert taken is not None
        await memory.put(view.run_id, "state", now, by="test")
        await memory.done(taken)
        return view.run_id

    return make


@pytest.fixture
async def active(memory: Memory, home: Path) -> Made:
    """Gives a run into the hands of a runner."""

    async def take(run: str, policy: Policy | None = None, **changes: Any) -> ActiveRun:
        request = await memory.get(run, "request")
        lease = await memory.acquire(run)
        assert request is not None and lease is not None
        settings = RunnerSettings(home=home, memory=memory.settings)
        asked = RunRequest.model_validate({**request.value, "terms": {"policy": policy or Policy()}, **changes})
        return ActiveRun(run, memory, lease, asked, settings, RulesReasoner(), dataset_sha256="cd" * 32)

    return take


@pytest.fixture
def service_of(memory: Memory, runs: Runs, home: Path) -> Deployments:
    """The deployments service of a door."""
    return Deployments(memory, runs, home)
