"""Phase 1, setup: check the machine, open the sandbox, read the data once, write the first configuration.

Data are read by the snapshot job only; a refusal of the data ends the run here, before any training.
"""

from __future__ import annotations

from typing import Any, Final

from agents.decisions import ClusterPlan
from phases import PHASES
from phases.active_run import ActiveRun
from phases.champion import schema_checks
from phases.gates import Check, fact, number
from phases.machine import facts
from phases.measure import measurement
from phases.progress import leave
from phases.sandbox import ensure_open
from phases.workspace import write_json

ROW = PHASES[0]
ROLE: Final = "neural-orchestrator"


async def run(active: ActiveRun, attempt: int, verdict: str) -> tuple[int, str]:
    """Open the sandbox, take the snapshot, write `configs/training.json`; the gate needs all three."""
    machine = facts(active.root)
    context = {"request": active.request.model_dump(mode="json"), "machine": machine}
    plan = await active.decide("cluster", ClusterPlan, ROLE, context)
    answered = await ensure_open(active)
    snapshot = await take_snapshot(active)
    config = {
        "cluster": plan.model_dump(mode="json", include={"backend", "workers", "topology", "device", "limits"}),
        "training": {"seed": active.seed, "epochs": active.request.epochs},
        "validation": {"gates": active.request.gates},
    }
    await active.in_thread(write_json, active.root / "configs" / "training.json", config)
    await active.put("config", config, by=ROLE)
    await active.put("environment", machine, by=ROLE)
    checks = _gate(active, answered, snapshot) + await schema_checks(active)
    await leave(active, ROW, attempt, checks, source=snapshot["source"])
    return attempt, verdict


async def take_snapshot(active: ActiveRun) -> dict[str, Any]:
    """The result of the snapshot job; the first call reads the data, every later one the recorded outcome."""
    request = active.request
    args = {
        "source": request.data,
        "validation": request.validation,
        "test": request.test,
        "missing": list(request.missing) or None,
    }
    snapshot = await active.job("snapshot", args)
    active.dataset_sha256 = snapshot["sha256"]
    return snapshot


def _gate(active: ActiveRun, answered: float, snapshot: dict[str, Any]) -> list[Check]:
    rows = measurement(active, snapshot["rows"], "rows", job="snapshot")
    columns = measurement(active, len(snapshot["columns"]), "columns", job="snapshot")
    answer = measurement(active, answered * 1000, "ms", job="setup")
    return [
        number("backend_answered", answer, "<=", 60_000.0, why="the sandbox's answer"),
        number("data_rows", rows, ">=", 10.0, why=f"rows read, content hash {snapshot['sha256'][:12]}"),
        number("data_columns", columns, ">=", 2.0, why="columns read"),
        fact("configuration_valid", True, why="the request was checked against the settings' types"),
    ]
