"""Phase 5, deploy: publish the attempt's files, ask where policy asks, serve under a name, verify, or go back.

The effect outside memory (a served name) has one key per intent, so that a killed runner never deploys twice.
"""

from __future__ import annotations

from typing import Any, Final

from agents.decisions import DeploymentPlan, RolloutVerdict
from memory.errors import DeployError, GateRejected
from phases import PHASES
from phases.active_run import ActiveRun, RunCancelled
from phases.clock import now
from phases.endpoint import answers, predict, same
from phases.gates import Check, fact, number, passed
from phases.machine import facts
from phases.measure import measurement
from phases.progress import enter, leave
from phases.publish import publish, published_checks
from phases.supervisor.client import DeployRequest, SupervisorClient, ensure
from phases.workspace import read_json

ROW = PHASES[4]
ROLE: Final = "cicd-engineer"
FEWEST_MB = 256.0


async def run(active: ActiveRun, attempt: int, _verdict: str) -> tuple[int, str]:
    """Publish, and unless the run asked not to, serve and verify."""
    supervisor = await ensure(active.settings.home) if active.request.deploy else None
    plan = await _plan(active, supervisor)
    checks = await _published(active, attempt, plan)
    if supervisor is None:
        await leave(active, ROW, attempt, checks)
        await _complete(active, None)
        return attempt, "finished"
    await _approve(active, plan)
    deployment = await _serve(active, attempt, plan, supervisor)
    checks += await _verify(active, deployment)
    context = {"checks": [check.model_dump(mode="json") for check in checks]}
    rollout = await active.decide(_key(active, "rollout"), RolloutVerdict, ROLE, context)
    if not (rollout.promote and passed(checks)):
        await _go_back(supervisor, plan.name)
    await leave(active, ROW, attempt, checks)
    view = {key: deployment.get(key) for key in ("name", "url", "pid", "example_request", "version")}
    await active.put("deployment-view", {**view, "run_id": active.id}, by=ROLE)
    await _complete(active, deployment)
    return attempt, "deployed"


async def again(active: ActiveRun, wish: dict[str, Any]) -> str:
    """Deploy an ended run because a person said so (`neuroloom deploy`), by the same steps.

    Raises:
        DeployError: the run has no sealed attempt to deploy.
    """
    artifacts = await active.get("artifacts")
    if artifacts is None:
        raise DeployError(f"run {active.id!r} has no tested model", code="deploy.no_model", fix="neuroloom resume it")
    changes: dict[str, Any] = {"deploy": True, "yes": True}
    if wish.get("name"):
        changes["name"] = wish["name"]
    active.request = active.request.model_copy(update=changes)
    active.versions["wish"] = int(wish["number"])
    await enter(active, ROW, artifacts["attempt"])
    _, verdict = await run(active, artifacts["attempt"], "deploy")
    await active.put("deploy-request", {**wish, "done": True}, by=ROLE)
    return verdict


def _key(active: ActiveRun, name: str) -> str:
    """The decision's key; a later deployment of the same run has its own."""
    wish = active.versions.get("wish")
    return name if wish is None else f"{name}-{wish}"


async def _plan(active: ActiveRun, supervisor: SupervisorClient | None) -> DeploymentPlan:
    served = [] if supervisor is None else [dict(one) for one in await supervisor.list()]
    context = {
        "request": active.request.model_dump(mode="json"),
        "dataset": await active.get("dataset"),
        "previous": {one["name"]: await _versions(active, one) for one in served},
        "run": active.id,
        "policy": {"ask": active.settings.policy.ask_before_deploy},
    }
    return await active.decide(_key(active, "deployment-plan"), DeploymentPlan, ROLE, context)


async def _versions(active: ActiveRun, served: dict[str, Any]) -> list[dict[str, Any]]:
    """The version that serves under a name, with the inputs its run recorded."""
    dataset = await active.memory.get(str(served.get("run_id") or active.id), "dataset")
    inputs = [feature["name"] for feature in dataset.value["features"]] if dataset else []
    return [{"version": served["version"], "inputs": inputs}]


async def _published(active: ActiveRun, attempt: int, plan: DeploymentPlan) -> list[Check]:
    sealed = (await active.get("artifacts"))["sha256"]
    model = await publish(active, attempt, plan)
    await active.put("model-view", model, by=ROLE)
    for key, path in (
        ("deployment-ready", model),
        ("dockerfile", "Dockerfile"),
        ("serve-api", "scripts/serve.py"),
        ("deploy-script", "scripts/deploy.sh"),
        ("deployment-docs", "docs/DEPLOYMENT.md"),
    ):
        await active.put(key, path, by=ROLE)
    checks: list[Check] = await active.in_thread(published_checks, active.root, attempt, sealed)
    return checks


async def _approve(active: ActiveRun, plan: DeploymentPlan) -> None:
    policy, request = active.settings.policy, active.request
    if not plan.needs_approval or (request.yes and policy.yes_counts):
        return
    if active.ask is None:
        return
    answer = active.ask(
        {
            "kind": "deploy",
            "text": f"Deploy {plan.name!r} version {plan.version} on this machine?",
            "proposal": "yes",
            "reason": plan.reason,
        }
    )
    if not answer.get("approve"):
        active.cancelling = True
        raise RunCancelled(
            f"the deployment of {plan.name!r} was refused: {answer.get('why') or 'no reason given'}",
            fix=f"neuroloom deploy {active.id}",
        )


async def _serve(active: ActiveRun, attempt: int, plan: DeploymentPlan, supervisor: SupervisorClient) -> dict[str, Any]:
    folder = active.root / "attempts" / str(attempt)
    stored = read_json(active.root / "tests" / "validation_rows.json")["rows"]
    request = DeployRequest(
        name=plan.name,
        version=plan.version,
        run_id=active.id,
        intent=f"{active.id}-{_key(active, 'deploy')}",
        serve=str(folder / "scripts" / "serve.py"),
        models=str(active.root / "models"),
        example_request=stored[0],
        python=active.settings.python,
        keep_previous=plan.keep_previous,
    )
    return dict(await supervisor.deploy(request))


async def _verify(active: ActiveRun, deployment: dict[str, Any]) -> list[Check]:
    kept = read_json(active.root / "tests" / "validation_rows.json")
    stored, url = list(zip(kept["rows"], kept["predictions"], strict=True))[:64], deployment["url"]
    found = await predict(url, [row for row, _ in stored])
    wrong = sum(not same(one, prediction) for one, (_, prediction) in zip(found, stored, strict=True))
    free = measurement(active, facts(active.root)["memory_free_mb"], "MB", job="deploy")
    differing = measurement(active, wrong, "rows", job="deploy")
    return [
        number(
            "answers_differing", differing, "<=", 0.0, why=f"endpoint against stored predictions, {len(stored)} rows"
        ),
        fact("health_answers", await answers(url, "/health"), why="GET /health"),
        fact("metrics_answer", await answers(url, "/metrics"), why="GET /metrics"),
        number("free_memory", free, ">=", FEWEST_MB, why="MB left on this machine"),
    ]


async def _go_back(supervisor: SupervisorClient, name: str) -> None:
    try:
        await supervisor.rollback(name)
    except DeployError:
        await supervisor.undeploy(name)


async def _complete(active: ActiveRun, deployment: dict[str, Any] | None) -> None:
    value = {
        "status": "complete",
        "deployed": deployment is not None,
        "at": now(),
        "url": deployment["url"] if deployment else None,
    }
    await active.put("workflow-complete", value, by=ROLE)


__all__ = ["GateRejected", "again", "run"]
