"""Phase 5, deploy: publish the attempt's files, ask where policy asks, serve under a name, verify, or go back.

The effect outside memory (a served name) has one key per intent, so that a killed runner never deploys twice, and what
is taken back is only ever the version of that intent: what another run put in its place is left alone.
"""

from __future__ import annotations

from contextlib import suppress
from http.client import HTTPException
from typing import Any, Final

from agents.decisions import DeploymentPlan, DeploymentReview, RolloutVerdict
from gpu_jobs.machine import facts
from memory.errors import DeployError, GateRejected, MemoryConflict, NeuroloomError
from phases import PHASES
from phases.active_run import ActiveRun
from phases.champion import schema_words
from phases.clock import now
from phases.endpoint import answers
from phases.gates import Check, fact, number, passed
from phases.guides import write_guides
from phases.measure import measurement
from phases.progress import enter, leave
from phases.publish import publish, published_checks
from phases.report import gate_rows
from phases.supervisor.client import DeployRequest, SupervisorClient, ensure
from phases.workspace import read_json

ROW = PHASES[4]
ROLE: Final = "cicd-engineer"
FEWEST_MB = 256.0
WISH = "deploy-request"
SHOWN = ("name", "url", "pid", "example_request", "version")
KEPT = (ROW.complete_key, "workflow-complete", "model-view", "deployment-view", "override")  # what a deploy replaces
BROKEN = (DeployError, OSError, ValueError, LookupError, TypeError, HTTPException)  # what a bad endpoint may lead to


async def run(active: ActiveRun, attempt: int, _verdict: str) -> tuple[int, str]:
    """Publish, and unless the run asked not to or a person refuses, serve and verify."""
    supervisor = await ensure(active.settings.home) if active.request.deploy else None
    plan, review = await _plan(active, supervisor)
    checks = [fact("plan_reviewed", review.approves, why=review.reason), *await _published(active, attempt, plan)]
    if not review.approves:
        await leave(active, ROW, attempt, checks)
    if supervisor is None:
        return await _undeployed(active, attempt, checks, None)
    if refusal := _refusal(active, plan):
        checks.append(fact("approved", False, blocking=False, why=refusal))
        return await _undeployed(active, attempt, checks, refusal)
    checks += await _rollout(active, attempt, plan, supervisor)
    view = await _served(supervisor, plan.name)
    mine = view.get("intent") == _intent(active)
    context = {
        "checks": [check.model_dump(mode="json") for check in checks],
        "previous": view.get("previous" if mine else "version"),
    }
    rollout = await active.decide(_key(active, "rollout"), RolloutVerdict, ROLE, context)
    if not (rollout.promote and passed(checks)):
        checks.append(fact("promoted", False, why=rollout.reason))
        checks += await _take_out(supervisor, plan.name, _intent(active))
    elif not mine:
        superseded = _superseded(plan, view)
        checks.append(fact("still_served", False, blocking=False, why=superseded))
        return await _undeployed(active, attempt, checks, superseded)
    await leave(active, ROW, attempt, checks)
    await write_guides(active, plan)
    await active.put("deployment-view", {**{key: view.get(key) for key in SHOWN}, "run_id": active.id}, by=ROLE)
    await _complete(active, view["url"], None)
    return attempt, "deployed"


# ---- once more, because a person says so --------------------------------------------------------------------------


async def again(active: ActiveRun, _wish: dict[str, Any]) -> str:
    """Deploy an ended run because a person said so (`neuroloom deploy`), by the same steps.

    Whatever goes wrong is the outcome of the wish, for its door to tell; the run ends as it had ended before.

    Raises:
        GateRejected: the run had been rejected before the wish, for that reason, and still is.
    """
    wish = await _claim(active)
    if wish["outcome"] is None:
        try:
            await _grant(active, wish)
            outcome: dict[str, Any] = {"verdict": "deployed", "error": None}
        except Exception as trouble:  # the outermost frame of a wish
            error = _told(active, trouble)
            left = [] if error["code"] == "deploy.superseded" else await _taken_out(active)
            error["message"] = "; ".join([error["message"], *left])
            outcome = {"verdict": wish["earlier"]["state"], "error": error}
            await _restore(active, wish)
        wish = {**wish, "outcome": outcome}
        await active.put(WISH, wish, by=ROLE)
    if wish["outcome"]["verdict"] == "rejected":
        known = wish["earlier"]["error"] or {"message": f"run {active.id!r} was rejected", "field": None, "fix": None}
        raise GateRejected(known["message"], field=known["field"], fix=known["fix"])
    return str(wish["outcome"]["verdict"])


async def _claim(active: ActiveRun) -> dict[str, Any]:
    """The wish, marked as begun: its door cannot withdraw it any more, or has done so and its outcome says it."""
    found = await active.memory.get(active.id, WISH)
    if found is None:
        raise DeployError(f"nobody asked for a deployment of run {active.id!r}", code="deploy.no_wish")
    wish: dict[str, Any] = found.value
    if wish["begun"] or wish["outcome"] is not None:
        return wish
    begun = {**wish, "begun": True, "kept": {name: await active.get(name) for name in KEPT}}
    try:
        await active.memory.put(active.id, WISH, begun, by=ROLE, lease=active.lease, expected=found.version)
    except MemoryConflict:
        return await _claim(active)
    return begun


async def _grant(active: ActiveRun, wish: dict[str, Any]) -> None:
    attempt = int((await active.get("artifacts"))["attempt"])
    changes: dict[str, Any] = {"deploy": True, "yes": True}
    if wish["name"]:
        changes["name"] = wish["name"]
    active.request = active.request.model_copy(update=changes)
    active.versions["wish"] = int(wish["number"])
    if wish["override"]:
        await active.put("override", {key: wish[key] for key in ("why", "by", "at", "number")}, by=wish["by"])
    await enter(active, ROW, attempt)
    _, verdict = await run(active, attempt, "deploy")
    if verdict != "deployed":
        raise DeployError((await active.get("workflow-complete"))["reason"], code="deploy.superseded")


def _told(active: ActiveRun, trouble: Exception) -> dict[str, Any]:
    """What went wrong with a wish.

    Raises:
        NeuroloomError: memory itself is in trouble, so nothing can be written; another runner goes on.
    """
    if isinstance(trouble, NeuroloomError):
        if trouble.code.startswith("memory."):
            raise trouble
        return trouble.as_dict()
    message = f"{type(trouble).__name__}: {trouble}"
    return DeployError(message, code="deploy.crashed", fix=f"neuroloom logs {active.id}").as_dict()


async def _taken_out(active: ActiveRun) -> list[str]:
    """Take out what a wish that failed may have had served; what of it could not be done."""
    record = await active.recorded(_key(active, "deployment-plan"))
    if record is None:
        return []
    try:
        supervisor = await ensure(active.settings.home)
    except DeployError as error:
        return [error.message]
    return [check.why for check in await _take_out(supervisor, record.value["name"], _intent(active))]


async def _restore(active: ActiveRun, wish: dict[str, Any]) -> None:
    """Put back what the run was before the wish: its keys, its phases, and the name in its published files."""
    before = wish["kept"]["model-view"]
    if before is not None and await active.get("model-view") != before:
        words = {"name": before["name"], "version": before["version"]}
        plan = DeploymentPlan(reason="as it was before", evidence={}, keep_previous=False, **words)
        with suppress(OSError):
            await publish(active, int((await active.get("artifacts"))["attempt"]), plan)
    for name, value in wish["kept"].items():
        if await active.get(name) != value:
            await active.put(name, value, by=ROLE)
    await active.state(**{key: wish["earlier"][key] for key in ("phase", "attempt", "phases")})


# ---- the steps ----------------------------------------------------------------------------------------------------


def _key(active: ActiveRun, name: str) -> str:
    """The decision's key; a later deployment of the same run has its own."""
    wish = active.versions.get("wish")
    return name if wish is None else f"{name}-{wish}"


def _intent(active: ActiveRun) -> str:
    return f"{active.id}-{_key(active, 'deploy')}"


async def _plan(active: ActiveRun, supervisor: SupervisorClient | None) -> tuple[DeploymentPlan, DeploymentReview]:
    """The cicd-engineer's plan and what the ml-developer says of it."""
    stored = await active.in_thread(read_json, active.root / "tests" / "validation_rows.json")
    context = {
        "request": active.request.model_dump(mode="json"),
        "dataset": await active.get("dataset"),
        "inputs": sorted(stored["rows"][0]),
        "deployments": [] if supervisor is None else [dict(one) for one in await supervisor.list()],
        "policy": active.request.terms.policy.model_dump(mode="json"),
    }
    plan = await active.decide(_key(active, "deployment-plan"), DeploymentPlan, ROLE, context)
    seen = {
        "plan": plan.model_dump(mode="json", include={"name", "version", "keep_previous"}),
        "inputs": context["inputs"],
        "deployments": context["deployments"],
        "failed": [row.name for row in await gate_rows(active) if row.verdict == "failed" and row.phase == "validate"],
        "override": await active.get("override") is not None,
    }
    review = await active.decide(_key(active, "deployment-review"), DeploymentReview, "ml-developer", seen)
    return plan, review


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


def _refusal(active: ActiveRun, plan: DeploymentPlan) -> str | None:
    """Why a person does not want the deployment, or None when it is approved or nobody need be asked."""
    policy, request = active.request.terms.policy, active.request
    if not plan.needs_approval or (request.yes and policy.yes_counts) or active.ask is None:
        return None
    answer = active.ask(
        {
            "kind": "deploy",
            "text": f"Deploy {plan.name} version {plan.version} on this machine?{schema_words(active)}",
            "proposal": "yes",
            "reason": plan.reason,
        }
    )
    if answer.get("approve"):
        return None
    return f"the deployment of {plan.name!r} was refused: {answer.get('why') or 'no reason given'}"


async def _rollout(active: ActiveRun, attempt: int, plan: DeploymentPlan, supervisor: SupervisorClient) -> list[Check]:
    """Serve the version and judge it, once: a replay finds the checks and does not deploy what it then took out."""
    key = _key(active, "rollout-checks")
    if (kept := await active.get(key)) is not None:
        return [Check.model_validate(one) for one in kept]
    free = measurement(active, (await active.in_thread(facts, active.root))["memory_free_mb"], "MB", job="deploy")
    checks = [number("free_memory", free, ">=", FEWEST_MB, why="MB free on this machine before the start")]
    if passed(checks):
        try:
            checks += await _verify(active, await _serve(active, attempt, plan, supervisor), supervisor)
        except DeployError as error:
            if error.code != "deploy.wrong_answers":
                raise
            checks.append(fact("answers_as_tested", False, why=error.message))
    await active.put(key, [check.model_dump(mode="json") for check in checks], by=ROLE)
    return checks


async def _serve(active: ActiveRun, attempt: int, plan: DeploymentPlan, supervisor: SupervisorClient) -> dict[str, Any]:
    """Have it served; the supervisor lets no version take traffic that answers otherwise than when it was tested."""
    folder, proof = active.root / "attempts" / str(attempt), active.root / "tests" / "validation_rows.json"
    request = DeployRequest(
        name=plan.name,
        version=plan.version,
        run_id=active.id,
        intent=_intent(active),
        serve=str(folder / "scripts" / "serve.py"),
        models=str(active.root / "models"),
        example_request=(await active.in_thread(read_json, proof))["rows"][0],
        proof=str(proof),
        python=active.settings.python,
        keep_previous=plan.keep_previous,
    )
    return await supervisor.deploy(request)


async def _verify(active: ActiveRun, view: dict[str, Any], supervisor: SupervisorClient) -> list[Check]:
    """What can be said of the served version; trouble on the way is a check that failed."""
    try:
        health, metrics = await answers(view["url"], "/health"), await answers(view["url"], "/metrics")
        if (await _served(supervisor, view["name"])).get("intent") != _intent(active):
            return []  # the address is another run's by now, and what it says is not of this version
    except BROKEN as error:
        return [fact("verified", False, why=f"{type(error).__name__}: {error}")]
    differing = measurement(active, view["differing_rows"], "rows", job="deploy")
    load = measurement(active, view["load_answered"], "requests", job="deploy")
    why = f"of {view['proven_rows']} stored rows, asked before it took any traffic"
    return [
        number("answers_differing", differing, "<=", 0.0, why=why),
        number("minimal_load", load, ">=", 1.0, why="requests at once with the example row, each answered"),
        fact("health_answers", health, why="GET /health"),
        fact("metrics_answer", metrics, why="GET /metrics"),
    ]


async def _served(supervisor: SupervisorClient, name: str) -> dict[str, Any]:
    """What the name serves now; empty when there is no such name any more."""
    try:
        return await supervisor.get(name)
    except DeployError as error:
        if error.code != "deploy.not_found":
            raise
        return {}


async def _take_out(supervisor: SupervisorClient, name: str, intent: str) -> list[Check]:
    """Have the version before serve again, or nothing when there was none; a check that failed when neither works."""
    try:
        try:
            await supervisor.rollback(name, of=intent)
        except DeployError as error:
            if error.code != "deploy.no_previous":
                raise
            await supervisor.undeploy(name, of=intent)
    except DeployError as error:
        if error.code != "deploy.not_found":
            return [fact("taken_out", False, why=f"{name!r} may still serve this version: {error.message}")]
    return []


def _superseded(plan: DeploymentPlan, view: dict[str, Any]) -> str:
    if not view:
        return f"{plan.name!r} was undeployed before this run was done with it"
    return f"{plan.name!r} serves version {view['version']} of run {view['run_id']} by now"


async def _undeployed(active: ActiveRun, attempt: int, checks: list[Check], reason: str | None) -> tuple[int, str]:
    """The end of a run whose model is published and not served, with the reason on record."""
    await leave(active, ROW, attempt, checks)
    await _complete(active, None, reason)
    return attempt, "finished"


async def _complete(active: ActiveRun, url: str | None, reason: str | None) -> None:
    value = {"status": "complete", "deployed": url is not None, "at": now(), "url": url, "reason": reason}
    await active.put("workflow-complete", value, by=ROLE)


__all__ = ["again", "run"]
