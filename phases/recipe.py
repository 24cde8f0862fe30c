"""The recipe of an earlier run: its recorded decisions, used again by `--from` and by retraining."""

from __future__ import annotations

from typing import Any

from memory.errors import InputError
from memory.store import Memory
from phases.active_run import ActiveRun
from phases.steering import KEY


async def load_recipe(active: ActiveRun) -> dict[str, Any] | None:
    """The recipe the request names, or None when it names none.

    Raises:
        InputError: the named run has no recorded decisions.
    """
    if active.request.from_run is None:
        return None
    return await recipe_of(active.memory, active.request.from_run)


async def recipe_of(memory: Memory, run: str) -> dict[str, Any]:
    """Decisions by key, target, markers of missing values, dataset hash of `run`, and whether a person steered it."""
    decisions, dataset = await memory.get(run, "decisions"), await memory.get(run, "dataset")
    if decisions is None or dataset is None:
        raise InputError(
            f"run {run!r} has no recipe: it ended before it was configured",
            code="input.no_recipe",
            field="from",
            fix="name a run that reached training; see: neuroloom runs",
        )
    kept = {
        record["key"]: record for record in decisions.value if record["type"] not in {"ClusterPlan", "DeploymentPlan"}
    }
    kept.pop("target-proposal", None)
    known = {"target": dataset.value["target"], "missing": dataset.value.get("missing") or []}
    steered = any(order["job"] for order in found.value) if (found := await memory.get(run, KEY)) else False
    return {"decisions": kept, **known, "dataset_sha256": dataset.value["sha256"], "steered": steered}
