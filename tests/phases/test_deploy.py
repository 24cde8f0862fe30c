"""Phase 5 with real memory, a real supervisor and real (tiny) servers: what is planned, served, taken back and told.

Publishing is left out: it is the templates' and the journeys' matter.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.decisions import DeploymentPlan
from agents.reasoners.rules import RulesReasoner
from memory.errors import DeployError, GateRejected, InputError, RunError
from memory.store import Memory, MemorySettings, open_memory
from phases import deploy, runner
from phases.active_run import ActiveRun
from phases.request import RunRequest
from phases.services import deployments as service
from phases.services.deployments import Deployments
from phases.services.runs import Runs
from phases.settings import Policy, RunnerSettings
from phases.supervisor import records
from phases.supervisor.client import SupervisorClient, ensure, shut_down
from phases.views import DeploymentView
from tests.phases.supervisor.conftest import ROW, SERVER, ask, eventually, servers, supervisors, wish

Made = Callable[..., Any]


@pytest.fixture
async def supervisor(home: Path) -> AsyncIterator[SupervisorClient]:
    """The state folder's supervisor; it and its servers are stopped afterwards."""
    yield await ensure(home)
    await shut_down(home)
    await eventually(lambda: not supervisors(home))
    assert servers(home) == [], "servers outlived their supervisor"


@pytest.fixture(autouse=True)
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    async def published(active: ActiveRun, _attempt: int, plan: DeploymentPlan) -> list[Any]:
        await active.put("model-view", _model(active.root, plan.name, plan.version), by="cicd-engineer")
        return []

    async def publish(active: ActiveRun, _attempt: int, plan: DeploymentPlan) -> dict[str, Any]:
        return _model(active.root, plan.name, plan.version)

    monkeypatch.setattr(deploy, "_published", published)
    monkeypatch.setattr(deploy, "publish", publish)


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


async def first(home: Path, supervisor: SupervisorClient) -> dict[str, Any]:
    """Another run's version that serves under the name that the table has."""
    return await supervisor.deploy(wish(home, "1.0.0", name="small"))


async def value(memory: Memory, run: str, name: str) -> Any:
    found = await memory.get(run, name)
    return None if found is None else found.value


# ---- the plan -----------------------------------------------------------------------------------------------------


async def test_the_plan_sees_what_is_served_and_what_policy_asks(
    home: Path, supervisor: SupervisorClient, ended: Made, active: Made
) -> None:
    await first(home, supervisor)
    run = await active(await ended(), Policy(ask_before_deploy=True))
    plan = await deploy._plan(run, supervisor)
    assert (plan.name, plan.version, plan.keep_previous, plan.needs_approval) == ("small", "1.1.0", True, True)


async def test_the_plan_of_a_new_name_is_its_first_version_and_asks_nobody(
    supervisor: SupervisorClient, ended: Made, active: Made
) -> None:
    plan = await deploy._plan(await active(await ended(), name="fresh"), supervisor)
    assert (plan.name, plan.version, plan.keep_previous, plan.needs_approval) == ("fresh", "1.0.0", False, False)


async def test_a_refused_deployment_ends_finished_with_the_reason(
    supervisor: SupervisorClient, memory: Memory, ended: Made, active: Made
) -> None:
    run = await active(await ended(), Policy(ask_before_deploy=True))
    run.ask = lambda question: {"approve": question["kind"] != "deploy", "why": "not on a Friday"}
    assert await deploy.run(run, 1, "deploy") == (1, "finished")
    assert "not on a Friday" in (await value(memory, run.id, "workflow-complete"))["reason"]
    told = [check for check in (await value(memory, run.id, "phase5-complete"))["gate"] if not check["passed"]]
    assert [check["name"] for check in told] == ["approved"]
    assert await supervisor.list() == ()


# ---- what takes traffic, and what is taken back --------------------------------------------------------------------


async def test_a_good_version_is_served_and_told_with_what_was_measured(
    supervisor: SupervisorClient, memory: Memory, ended: Made, active: Made
) -> None:
    run = await active(await ended())
    assert await deploy.run(run, 1, "deploy") == (1, "deployed")
    view = await value(memory, run.id, "deployment-view")
    assert (view["run_id"], view["version"], view["name"]) == (run.id, "1.0.0", "small")
    assert (await ask(view["url"]))["model"]["version"] == run.id
    gate = {check["name"]: check for check in (await value(memory, run.id, "phase5-complete"))["gate"]}
    assert gate["answers_differing"]["measured"]["value"] == 0 and gate["answers_differing"]["why"].startswith("1 ")


async def test_a_version_that_answers_otherwise_than_tested_never_takes_the_traffic(
    home: Path, supervisor: SupervisorClient, ended: Made, active: Made
) -> None:
    before = await first(home, supervisor)
    with pytest.raises(GateRejected, match="answers_as_tested"):
        await deploy.run(await active(await ended(answer="no")), 1, "deploy")
    assert await supervisor.get("small") == before


async def test_a_replayed_way_back_does_not_bring_the_bad_version_back(
    home: Path, supervisor: SupervisorClient, ended: Made, active: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    await first(home, supervisor)
    monkeypatch.setattr(deploy, "FEWEST_MB", 1e12)
    run = await active(await ended())
    for _ in range(3):  # as after kills of the runner
        with pytest.raises(GateRejected, match="free_memory"):
            await deploy.run(run, 1, "deploy")
        assert (await supervisor.get("small"))["run_id"] == "r-1.0.0"


async def test_a_first_version_that_fails_is_undeployed_and_a_replay_does_not_deploy_it_again(
    home: Path, supervisor: SupervisorClient, ended: Made, active: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "FEWEST_MB", 1e12)
    run = await active(await ended())
    for _ in range(2):
        with pytest.raises(GateRejected, match="free_memory"):
            await deploy.run(run, 1, "deploy")
        assert await supervisor.list() == ()
    assert records.log_path(home, "small").read_text().count("starts") == 1


async def test_trouble_while_verifying_is_a_failed_check_and_the_version_before_serves(
    home: Path, supervisor: SupervisorClient, ended: Made, active: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    await first(home, supervisor)

    def broken(_: Path) -> dict[str, Any]:
        raise OSError("no such device")

    monkeypatch.setattr(deploy, "facts", broken)
    with pytest.raises(GateRejected, match="verified"):
        await deploy.run(await active(await ended()), 1, "deploy")
    assert (await supervisor.get("small"))["run_id"] == "r-1.0.0"


async def test_a_way_back_that_fails_is_told_and_does_not_take_the_name_down(
    home: Path, supervisor: SupervisorClient, memory: Memory, ended: Made, active: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = home / "gone.py"
    shutil.copy(SERVER, gone)
    await supervisor.deploy(wish(home, "1.0.0", name="small").model_copy(update={"serve": str(gone)}))
    gone.unlink()
    monkeypatch.setattr(deploy, "FEWEST_MB", 1e12)
    run = await active(await ended())
    with pytest.raises(GateRejected, match="taken_out"):
        await deploy.run(run, 1, "deploy")
    assert (await supervisor.get("small"))["status"] == "serving"
    gate = {check["name"]: check for check in (await value(memory, run.id, "phase5-complete"))["gate"]}
    assert "may still serve this version" in gate["taken_out"]["why"]


@pytest.mark.parametrize("fewest", [0.0, 1e12])
async def test_what_another_run_put_in_the_place_stays_whatever_this_run_finds(
    home: Path, supervisor: SupervisorClient, memory: Memory, ended: Made, active: Made,
    monkeypatch: pytest.MonkeyPatch, fewest: float,
) -> None:  # fmt: skip
    verify = deploy._verify

    async def after_another(*words: Any) -> Any:
        await supervisor.deploy(wish(home, "7.0.0", name="small"))
        return await verify(*words)

    monkeypatch.setattr(deploy, "_verify", after_another)
    monkeypatch.setattr(deploy, "FEWEST_MB", fewest)
    run = await active(await ended())
    if fewest:
        with pytest.raises(GateRejected, match="free_memory"):
            await deploy.run(run, 1, "deploy")
    else:
        assert await deploy.run(run, 1, "deploy") == (1, "finished")
        assert "version 7.0.0 of run r-7.0.0" in (await value(memory, run.id, "workflow-complete"))["reason"]
        assert await value(memory, run.id, "deployment-view") is None
    view = await supervisor.get("small")
    assert (view["run_id"], (await ask(view["url"]))["model"]["version"]) == ("r-7.0.0", "7.0.0")


# ---- neuroloom deploy ---------------------------------------------------------------------------------------------


async def granted(memory: Memory, home: Path, service_of: Deployments, run: str, **wanted: Any) -> DeploymentView:
    """What a door gets when it asks for a deployment and a runner drives the run."""
    async with open_memory(MemorySettings(home=home, lease_seconds=1.0), "runner") as own:
        asked = asyncio.create_task(service_of.deploy(run, **wanted))
        driver = runner.Runner(own, RunnerSettings(home=home, memory=own.settings), RulesReasoner())
        while not asked.done():
            taken = await own.take("runner", block_ms=50)
            if taken is not None:
                await driver._drive(taken)
                await own.done(taken)
        return await asked


def without_time(state: dict[str, Any]) -> dict[str, Any]:
    return {key: found for key, found in state.items() if key not in {"updated_at", "controls_after"}}


async def test_a_finished_run_is_deployed_because_a_person_says_so(
    home: Path, supervisor: SupervisorClient, memory: Memory, ended: Made, service_of: Deployments
) -> None:
    run = await ended()
    view = await granted(memory, home, service_of, run, name="mine")
    assert (view.name, view.run_id) == ("mine", run)
    assert (await value(memory, run, "state"))["state"] == "deployed"


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [({"answer": "no"}, GateRejected, "answers_as_tested"), ({"status": 500}, DeployError, "status 500")],
)
@pytest.mark.parametrize("state", ["rejected", "finished", "deployed"])
async def test_a_deployment_that_fails_leaves_the_run_as_it_had_ended(
    home: Path, supervisor: SupervisorClient, memory: Memory, ended: Made, service_of: Deployments,
    state: str, fault: dict[str, Any], kind: type[Exception], told: str,
) -> None:  # fmt: skip
    rejected = {"code": "gate.rejected", "message": "worse than guessing", "field": "gap", "fix": "see why"}
    run = await ended(state, rejected if state == "rejected" else None, **fault)
    await memory.put(run, "phase5-complete", {"status": "complete", "gate": []}, by="test")
    await memory.put(run, "deployment-view", {"name": "earlier", "url": "http://127.0.0.1:1", "run_id": run}, by="test")
    before = {name: await value(memory, run, name) for name in ("state", "phase5-complete", "deployment-view")}
    with pytest.raises(kind, match=told):
        await granted(memory, home, service_of, run, name="mine", override=True, why="a trial")
    after = {name: await value(memory, run, name) for name in before}
    assert {**after, "state": without_time(after["state"])} == {**before, "state": without_time(before["state"])}
    assert await value(memory, run, "override") is None
    assert await supervisor.list() == ()


async def test_a_wish_that_breaks_after_the_swap_takes_its_version_out(
    home: Path, supervisor: SupervisorClient, memory: Memory, ended: Made, service_of: Deployments,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def broken(*_: Any) -> None:
        raise RuntimeError("a crash after the swap")

    await first(home, supervisor)
    monkeypatch.setattr(deploy, "_complete", broken)
    run = await ended()
    with pytest.raises(DeployError, match="a crash after the swap") as caught:
        await granted(memory, home, service_of, run)
    assert caught.value.code == "deploy.crashed"
    assert (await value(memory, run, "state"))["state"] == "finished"
    assert (await supervisor.get("small"))["run_id"] == "r-1.0.0"


@pytest.mark.parametrize("name", ["", "Mine", "a b", "-a", "a-", "x" * 64])
async def test_a_name_that_cannot_be_one_is_refused_at_the_door(
    memory: Memory, ended: Made, service_of: Deployments, name: str
) -> None:
    run = await ended()
    before = await memory.get(run, "state")
    with pytest.raises(InputError, match="cannot be the name"):
        await service_of.deploy(run, name=name)
    assert await memory.get(run, "state") == before
    assert await value(memory, run, "deploy-request") is None


async def test_a_run_whose_files_are_gone_is_refused_at_the_door(
    memory: Memory, ended: Made, service_of: Deployments, runs: Runs
) -> None:
    run = await ended()
    before = await memory.get(run, "state")
    (Path((await runs.get(run)).workspace) / "attempts/1/models/model.onnx").unlink()
    with pytest.raises(RunError, match=r"model\.onnx"):
        await service_of.deploy(run)
    await memory.put(run, "artifacts", None, by="test")
    assert await memory.get(run, "state") == before


async def test_a_wish_that_no_runner_takes_is_withdrawn_and_stays_so(
    home: Path, memory: Memory, ended: Made, active: Made, service_of: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "WAIT_SECONDS", 0.05)
    run = await ended("rejected", {"code": "gate.rejected", "message": "worse", "field": None, "fix": None})
    before = await value(memory, run, "state")
    with pytest.raises(DeployError, match="withdrawn") as caught:
        await service_of.deploy(run, override=True, why="a trial")
    assert caught.value.code == "deploy.slow"
    assert without_time(await value(memory, run, "state")) == without_time(before)
    late = await active(run)  # a runner that had read the queued state before it was put back
    with pytest.raises(GateRejected, match="worse"):
        await deploy.again(late, await late.get("deploy-request"))
    assert supervisors(home) == []


async def test_a_wish_that_a_runner_has_begun_goes_on_when_its_door_gives_up(
    memory: Memory, ended: Made, active: Made, service_of: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "WAIT_SECONDS", 0.5)
    run = await ended()
    asked = asyncio.create_task(service_of.deploy(run))

    async def wished() -> bool:
        return await value(memory, run, "deploy-request") is not None

    await eventually(wished)
    await deploy._claim(await active(run))
    with pytest.raises(DeployError, match="goes on"):
        await asked
    assert (await value(memory, run, "deploy-request"))["outcome"] is None


async def test_a_stopped_deployment_is_started_by_deploying_its_run_again(
    home: Path, supervisor: SupervisorClient, memory: Memory, ended: Made, service_of: Deployments
) -> None:
    run = await ended()
    served = await granted(memory, home, service_of, run)
    assert await shut_down(home) == ["small"]
    assert [view.status for view in await service_of.list()] == ["stopped"]
    again = await service_of.deploy(run)  # no runner is there: none is needed
    assert (again.status, again.url, again.version) == ("serving", served.url, served.version)
