"""Phase 2, configure: profile the data, plan the task, prepare the arrays, design the network, measure before training.

It asks a person when no target was named. It trains nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final

from agents.decisions import ArchitectureDesign, ClusterPlan, Diagnosis, TaskPlan
from agents.reasoners.rules.architecture import with_measured
from agents.reasoners.rules.task_plan import split_for
from phases import PHASES
from phases.active_run import ActiveRun
from phases.budget import asks_over_budget
from phases.gates import Check, fact, number
from phases.measure import measurement
from phases.progress import leave
from phases.sandbox import ensure_open, machine, round_trip
from phases.scripts import write_training_scripts
from phases.setup import take_snapshot
from phases.workspace import read_json, write_json

ROW = PHASES[1]
ROLE: Final = "ml-developer"


async def run(active: ActiveRun, attempt: int, _verdict: str) -> tuple[int, str]:
    """Plan once, then design and measure this attempt; writes `attempts/<n>/configs` and the training scripts."""
    await ensure_open(active)
    plan = await _plan(active)
    snapshot = await take_snapshot(active)
    dataset = plan.dataset(name=_dataset_name(active), snapshot=snapshot, missing=active.missing)
    prepared = await active.job("prepare", {"dataset": dataset})
    design = await _design(active, attempt, plan, dataset, prepared)
    preflight = await active.job("preflight", _preflight_args(active, design), name=f"preflight-{attempt}")
    choices = {key: preflight.get(key) for key in ("rate", "threads", "epochs_for_budget")}
    told = f"measured on the first batches: {choices['threads']} thread(s), rate {choices['rate']:.3g}"
    choices = await active.measured(f"measured-{attempt}", "neural-orchestrator", choices, told)
    training = with_measured(design.training, choices)
    configs = {"dataset": dataset, "architecture": design.architecture, "training": training}
    await active.in_thread(_write_configs, active, attempt, configs)
    workers = (await active.known("cluster", ClusterPlan)).workers
    nodes, _ = await asyncio.gather(
        round_trip(active, attempt, workers), active.in_thread(write_training_scripts, active.root, active.seed)
    )
    await _remember(active, configs, nodes)
    free = (await machine(active))["memory_free_mb"]
    await leave(active, ROW, attempt, _gate(active, attempt, preflight, nodes, free))
    return attempt, ""


async def _plan(active: ActiveRun) -> TaskPlan:
    if await active.recorded("task-plan") is not None:
        return await active.known("task-plan", TaskPlan)
    request = active.request.model_dump(mode="json")
    snapshot = await take_snapshot(active)
    target = active.request.target or (active.recipe or {}).get("target")
    if target is None and active._from_recipe("task-plan") is None:
        profile = await active.job("profile", _profile_args(request, None), name="profile-proposal")
        context = {"request": request, "snapshot": snapshot, "profile": profile}
        proposal = await active.decide("target-proposal", TaskPlan, ROLE, context)
        target = _ask_target(active, proposal, [column["name"] for column in snapshot["columns"]])
    request["target"] = target
    context = {"request": request, "snapshot": snapshot}
    if active.recipe is not None:
        context["recipe"] = active.recipe["decisions"].get("task-plan")
    split = split_for(context, str(target))  # before the profile, which leaves the test rows out
    name = f"profile-{hashlib.sha256(str(target).encode()).hexdigest()[:8]}"  # another target is another job
    args = {**_profile_args(request, target), "split": split.model_dump(mode="json")}
    context["profile"] = await active.job("profile", args, name=name)
    return await active.decide("task-plan", TaskPlan, ROLE, context)


def _ask_target(active: ActiveRun, proposal: TaskPlan, columns: list[str]) -> str:
    if active.ask is None:
        raise RuntimeError("a run without a graph cannot ask")
    answer = active.ask(
        {
            "kind": "target",
            "text": "Which column shall be predicted?",
            "proposal": proposal.target,
            "reason": proposal.reason,
            "choices": columns,
        }
    )
    return str(answer["target"])


def _profile_args(request: dict[str, Any], target: str | None) -> dict[str, Any]:
    names = ("task", "group", "time", "drop", "features", "goal")
    return {"target": target, **{name: request.get(name) for name in names}}


async def _design(
    active: ActiveRun, attempt: int, plan: TaskPlan, dataset: dict[str, Any], prepared: dict[str, Any]
) -> ArchitectureDesign:
    context: dict[str, Any] = {
        "request": active.request.model_dump(mode="json"),
        "dataset": dataset,
        "prepare": prepared,
        "diagnosis": None,
        "previous": None,
        "recipe": None,
        "class_weights": plan.class_weights,
    }
    cluster = await active.known("cluster", ClusterPlan)
    context["cluster"] = cluster.model_dump(mode="json")
    if attempt > 1:
        diagnosis = await active.known(f"diagnosis-{attempt - 1}", Diagnosis)
        context["diagnosis"] = diagnosis.model_dump(mode="json")
        folder = active.root / "attempts" / str(attempt - 1) / "configs"
        context["previous"] = {name: read_json(folder / f"{name}.json") for name in ("architecture", "training")}
    if active.recipe is not None:
        context["recipe"] = active.recipe["decisions"].get("architecture-1", {}).get("value")
    return await active.decide(f"architecture-{attempt}", ArchitectureDesign, ROLE, context)


def _preflight_args(active: ActiveRun, design: ArchitectureDesign) -> dict[str, Any]:
    return {
        "architecture": design.architecture,
        "training": design.training,
        "budget_seconds": active.request.budget_seconds,
    }


def _dataset_name(active: ActiveRun) -> str:
    name = active.request.data.rsplit("/", 1)[-1]
    return name.split(".")[0] or "data"


def _write_configs(active: ActiveRun, attempt: int, configs: dict[str, Any]) -> None:
    for name, value in configs.items():
        write_json(active.root / "attempts" / str(attempt) / "configs" / f"{name}.json", value)


async def _remember(active: ActiveRun, configs: dict[str, Any], nodes: list[dict[str, Any]]) -> None:
    await active.put("architecture", configs["architecture"], by=ROLE)
    await active.put("dataset", configs["dataset"], by=ROLE)
    await active.put("nodes-deployed", nodes, by="neural-orchestrator")
    await active.put("training-script", "scripts/train.py", by="neural-orchestrator")


def _gate(
    active: ActiveRun, attempt: int, preflight: dict[str, Any], nodes: list[dict[str, Any]], free: float
) -> list[Check]:
    parameters = measurement(active, preflight["parameters"], "parameters", job=f"preflight-{attempt}")
    checks = [
        number("architecture_builds", parameters, ">=", 1.0, why="parameters of the built network"),
        fact("step_is_finite", bool(preflight["finite"]), why="one step forward and backward"),
        fact("overfits_one_batch", bool(preflight["overfit"]["passed"]), why="the network can learn at all"),
        number(
            "memory_fits",
            preflight["memory_mb"],
            "<=",
            float(free),
            blocking=not asks_over_budget(active.request),
            why="estimated against free memory, MB",
        ),
    ]
    checks += [
        number(f"{node['name']}_connected", node["round_trip_ms"], "<=", 10_000.0, why="round trip, ms")
        for node in nodes
    ]
    return checks
