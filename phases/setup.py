"""Phase 1, setup: check the machine, open the sandbox, read the data once, write the first configuration.

Data are read by the snapshot job only; a refusal of the data ends the run here, before any training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from agents.decisions import ClusterPlan
from memory.errors import InputError
from phases import PHASES
from phases.active_run import ActiveRun
from phases.backends import told
from phases.champion import schema_checks
from phases.consent import allow
from phases.gates import Check, fact, number
from phases.isolation import in_words, isolation_check, walls
from phases.measure import measurement
from phases.progress import leave
from phases.sandbox import ensure_open, machine
from phases.workspace import read_json, write_json

ROW = PHASES[0]
ROLE: Final = "neural-orchestrator"
FEWEST_ROWS, FEWEST_COLUMNS = 10, 2


async def run(active: ActiveRun, attempt: int, verdict: str) -> tuple[int, str]:
    """Open the sandbox, take the snapshot, write `configs/training.json`; the gate needs all three."""
    await allow(active)
    there = await machine(active)
    context = {"request": active.request.model_dump(mode="json"), "machine": there}
    plan = await active.decide("cluster", ClusterPlan, ROLE, context)
    answered = await ensure_open(active)
    snapshot = await take_snapshot(active)
    config = {
        "cluster": plan.model_dump(mode="json", include={"backend", "workers", "topology", "device", "limits"}),
        "training": {"seed": active.seed, "epochs": active.request.epochs},
        "validation": {"gates": active.request.gates},
    }
    closed = walls(active)
    config["isolation"] = closed
    path = active.root / "configs" / "training.json"
    await active.in_thread(write_json, path, config)
    valid = await active.in_thread(_valid, path, plan)
    await active.put("config", config, by=ROLE)
    await active.put("environment", {**there, "isolation": in_words(closed)}, by=ROLE)
    refuse_tiny(snapshot)
    checks = [
        *_gate(active, answered, snapshot),
        *_prepared(active, there),
        valid,
        isolation_check(closed, active.request.terms.isolation),
        *await schema_checks(active),
    ]
    await leave(active, ROW, attempt, checks, source=snapshot["source"])
    return attempt, verdict


async def take_snapshot(active: ActiveRun) -> dict[str, Any]:
    """The result of the snapshot job; the first call reads the data, every later one the recorded outcome."""
    request = active.request
    args = {
        "source": request.data,
        "validation": request.validation,
        "test": request.test,
        "missing": active.missing or None,
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
        number("data_rows", rows, ">=", float(FEWEST_ROWS), why=f"rows read, content hash {snapshot['sha256'][:12]}"),
        number("data_columns", columns, ">=", float(FEWEST_COLUMNS), why="columns read"),
    ]


def _prepared(active: ActiveRun, there: dict[str, Any]) -> list[Check]:
    """What a machine other than this one brings, as a row that does not block: what must be there was asked for."""
    if active.request.backend == "local":
        return []
    differing = ", ".join(f"{name} {version}" for name, version in there.get("differing", {}).items())
    same = fact("libraries_equal", not differing, blocking=False, why=f"differing there: {differing or 'none'}")
    return [fact("backend_machine", True, why=told(there)), same]


def _valid(path: Path, plan: ClusterPlan) -> Check:
    """Whether the configuration on disk is one, by the decision's own type, and the one that was decided."""
    try:
        found = ClusterPlan.model_validate({**read_json(path)["cluster"], "reason": plan.reason, "evidence": {}})
    except (OSError, ValueError, LookupError, TypeError) as error:
        return fact("configuration_valid", False, why=f"configs/training.json: {error}")
    same = {"reason", "evidence", "notes"}
    equal = found.model_dump(exclude=same) == plan.model_dump(exclude=same)
    return fact("configuration_valid", equal, why="configs/training.json, read back and checked by its type")


def refuse_tiny(snapshot: dict[str, Any]) -> None:
    """End a run whose table is too small to split, before anything is planned.

    Raises:
        InputError: `input.too_few_rows` or `input.no_usable_column`.
    """
    rows, columns = int(snapshot["rows"]), len(snapshot["columns"])
    if columns < FEWEST_COLUMNS:
        raise InputError(
            f"the table has {columns} column: there is nothing to predict it from",
            code="input.no_usable_column",
            field="data",
            fix="give a table with the target and at least one more column",
        )
    if rows < FEWEST_ROWS:
        raise InputError(
            f"the table has {rows} rows; fewer than {FEWEST_ROWS} cannot be split for training, validation and test",
            code="input.too_few_rows",
            field="data",
            fix=f"give at least {FEWEST_ROWS} rows; some hundreds are needed for a useful model",
        )
