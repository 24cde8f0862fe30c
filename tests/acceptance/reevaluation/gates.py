"""Every gate row again: its number equals what it was read from, and `passed` equals the comparison of the two."""

from __future__ import annotations

import math
import operator
from typing import Any

from tests.acceptance.reevaluation.artifacts import Run, read, sha256
from tests.acceptance.reevaluation.champion import champion_row
from tests.acceptance.reevaluation.checks import Anything, Check, Figure
from tests.acceptance.reevaluation.scores import Document

ROUNDING = 1e-9
LOOKED_UP = ("left", "inverse", "columns", "offsets")
Row = dict[str, Any]


def holds(row: Row) -> bool:
    """Whether the row's number stands to its threshold as it says; equal up to rounding counts for both."""
    measured, limit = row["measured"], row["threshold"]
    value = measured["value"] if isinstance(measured, dict) else measured
    if "undefined" in (value, limit):
        return False
    compare: dict[str, Any] = {
        ">=": lambda a, b: a >= b - ROUNDING,
        "<=": lambda a, b: a <= b + ROUNDING,
        ">": operator.gt,
        "<": operator.lt,
    }
    return bool(compare.get(row["comparison"], operator.eq)(value, limit))


def check_rows(what: str, rows: list[Row], expected: dict[str, tuple[Any, Any]], check: Check) -> None:
    """Every row is expected, with (measured, threshold), and judged right."""
    names = [row["name"] for row in rows]
    check.true(f"{what}: rows {names}, expected {list(expected)}", names == list(expected))
    for row in rows:
        measured, threshold = expected.get(row["name"], (None, None))
        check.same(f"{what} {row['name']}", row["measured"], measured)
        check.same(f"{what} {row['name']} needs", row["threshold"], threshold)
        check.true(f"{what} {row['name']}: judged {row['passed']}", row["passed"] == holds(row))


def check_gates(run: Run, memory: Document, results: Document, check: Check) -> None:
    """The five gates of the run, as memory keeps them."""
    gates = {number: memory[f"phase{number}-complete"]["gate"] for number in range(1, 6 if run.published else 5)}
    check_rows("gate setup", gates[1], _setup(run), check)
    check_rows("gate configure", gates[2], _configure(run, memory), check)
    check_rows("gate train", gates[3], _train(run, memory), check)
    failed = {} if any(one["passed"] for one in memory["attempts"]) else {"candidate_passed": (False, True)}
    challenged = champion_row(results["test"]["champion"], gates[4])
    check_rows("gate validate", gates[4], _judged(memory, results, "final") | challenged | failed, check)
    if run.published:
        check_rows("gate deploy", gates[5], _deploy(run, memory), check)
    check.same("gate-validate", memory["gate-validate"], gates[4])
    for key in [key for key in memory if key.startswith("rollout-checks")]:
        check.same(key, memory[key], gates[5][5:])
    for one in memory["attempts"]:
        attempt = {"evaluate": read(run.folder / "jobs" / f"evaluate-{one['attempt']}" / "result.json")}
        expected = _judged(memory, attempt | {"train": results["train"]}, "candidate")
        plain = {name: (_value(measured), limit) for name, (measured, limit) in expected.items()}
        check_rows(f"attempt {one['attempt']}", one["checks"], plain, check)


def _value(measured: Any) -> Any:
    return measured["value"] if isinstance(measured, dict) else measured


def _setup(run: Run) -> dict[str, tuple[Any, Any]]:
    return {
        "backend_answered": (Figure(None, "ms"), 60_000.0),
        "data_rows": (Figure(run.frame.height, "rows"), 10.0),
        "data_columns": (Figure(run.frame.width, "columns"), 2.0),
        "configuration_valid": (True, True),
        "isolation": ("none", "none"),
    }


def _configure(run: Run, memory: Document) -> dict[str, tuple[Any, Any]]:
    preflight = read(run.folder / "jobs" / f"preflight-{run.attempt.name}" / "result.json")
    nodes = {f"{n['name']}_connected": (n["round_trip_ms"], 10_000.0) for n in memory[f"nodes-{run.attempt.name}"]}
    better = preflight["overfit"]["loss_after"] < preflight["overfit"]["loss_before"]
    return {
        "architecture_builds": (Figure(parameters(run), "parameters"), 1.0),
        "step_is_finite": (preflight["finite"], True),
        "overfits_one_batch": (better, True),
        "memory_fits": (preflight["memory_mb"], Anything()),
        **nodes,
    }


def parameters(run: Run) -> int:
    """Trainable numbers of the network: all that its weights hold, less the tables that are looked up."""
    from safetensors import safe_open

    with safe_open(run.attempt / "models" / "weights.safetensors", "np") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - it is no mapping
    total = 0
    for name, shape in shapes.items():
        if name.rpartition(".")[2] not in LOOKED_UP:
            total += math.prod(shape)
    return total


def _train(run: Run, memory: Document) -> dict[str, tuple[Any, Any]]:
    epochs = read(run.attempt / "history.json")["epochs"]
    parity = read(run.folder / "jobs" / f"export-{run.attempt.name}" / "result.json")["parity"]["max_relative"]
    return {
        "epochs_run": (Figure(len(epochs), "epochs"), 1.0),
        "schedule_or_early_stop": (True, True),
        "converged": (memory["training-metrics"]["converged"], True),
        "checkpoint_restored": (True, True),
        "onnx_parity": (Figure(parity, "relative"), 1e-4),
    }


def _judged(memory: Document, results: Document, stage: str) -> dict[str, tuple[Any, Any]]:
    """The recorded plan's checks that apply at this stage, each read again at its path in the results."""
    plan = next(record for record in memory["decisions"] if record["type"] == "ValidationPlan")
    scores = results["test"] if stage == "final" else results["evaluate"]
    known = {**results, "scores": scores, "validation": results["evaluate"]}
    found = {}
    for one in plan["value"]["checks"]:
        measured = at(known, one["path"])
        if one["counted"] and stage == "final":
            measured = Figure(measured, one["name"])
        limit = one["threshold"]
        if one["threshold_path"] is not None:
            read_at = at(known, one["threshold_path"])
            limit = None if read_at is None else one["threshold_scale"] * read_at["value"]
        absent = measured is None or limit is None
        applies = stage in one["stages"] and memory["dataset"]["task"] in one["tasks"]
        if applies and not (absent and not one["blocking"]):
            found[one["name"]] = (_end(measured, one["statistic"]), limit)
    return found


def _end(measured: Any, statistic: str) -> Any:
    if statistic == "value" or not isinstance(measured, dict):
        return measured
    return {**measured, "value": measured["interval"][statistic == "high"], "interval": None}


def at(document: Any, path: str) -> Any:
    """What stands at a dotted path, or None."""
    for part in path.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _deploy(run: Run, memory: Document) -> dict[str, tuple[Any, Any]]:
    sealed = memory["artifacts"]["sha256"]
    unchanged = all(sha256(run.attempt / name) == value for name, value in sealed.items())
    names = ("model.onnx", "preprocessing.json", "weights.safetensors")
    published = all(sha256(run.folder / "models" / n) == sha256(run.attempt / "models" / n) for n in names)
    holding = all(path.exists() for path in run.folder.rglob("*") if path.is_symlink())
    return {
        "plan_reviewed": (True, True),
        "attempt_unchanged": (unchanged, True),
        "published_is_attempt": (published, True),
        "generated_files_parse": (True, True),
        "links_hold": (holding, True),
        "free_memory": (Figure(None, "MB"), 256.0),
        "answers_differing": (Figure(0, "rows"), 0.0),
        "minimal_load": (Figure(4 * 5, "requests"), 1.0),
        "health_answers": (True, True),
        "metrics_answer": (True, True),
    }
