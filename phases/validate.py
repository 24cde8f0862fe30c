"""Phase 4, validate: the candidate check on the validation split with its bounded way back, then the one test job.

The test split is read here once, for the chosen attempt; nothing is chosen afterwards.
"""

from __future__ import annotations

import math
from typing import Any, Final

from agents.decisions import CheckDefinition, Diagnosis, ValidationPlan
from phases import PHASES
from phases.active_run import ActiveRun
from phases.champion import champion_args, champion_checks
from phases.gates import Check, fact
from phases.measure import measurement
from phases.progress import PER_ATTEMPT, leave
from phases.report import write_report
from phases.sandbox import ensure_open
from phases.workspace import read_json, seal, write_json

ROW = PHASES[3]
ROLE: Final = "ml-developer"
MAX_ATTEMPTS = 3


async def candidate(active: ActiveRun, attempt: int, _verdict: str) -> tuple[int, str]:
    """Judge the attempt on the validation split; not good enough leads back to configure, at most twice."""
    await ensure_open(active)
    configs = _configs(active, attempt)
    plan = await _validation_plan(active, configs)
    scores = await active.job("evaluate", _job_args(attempt, configs, "validation"), name=f"evaluate-{attempt}")
    train = await _train_result(active, attempt)
    results = {"scores": scores, "validation": scores, "train": train}
    judged = [check.judge(results) for check in plan.at("candidate", results)]
    good = all(row.passed for row in judged if row.blocking)
    told = {
        "attempt": attempt,
        "passed": good,
        "checks": [row.model_dump(mode="json") for row in judged],
        "metric": scores["metric"],
        "score": scores["metrics"].get(scores["metric"]),
        "better": scores["higher_is_better"],
    }
    await active.put("candidate-scores", scores, by=ROLE, provenance={"kind": "measured", "job": f"evaluate-{attempt}"})
    await active.append("attempts", told, by=ROLE, write_id=f"attempt:{attempt}")
    if good:
        return attempt, "candidate"
    context = {
        "attempt": attempt,
        "max_attempts": MAX_ATTEMPTS,
        "scores": scores,
        "train": train,
        "checks": told["checks"],
        "request": active.request.model_dump(mode="json"),
        **configs,
    }
    diagnosis = await active.decide(f"diagnosis-{attempt}", Diagnosis, ROLE, context)
    if attempt < MAX_ATTEMPTS and not diagnosis.stop:
        return attempt + 1, "again"
    return await _best(active), "rejected"


async def run(active: ActiveRun, attempt: int, verdict: str) -> tuple[int, str]:
    """Test, benchmark and report the chosen attempt; the gate's checks are the validation plan's."""
    await ensure_open(active)
    configs = _configs(active, attempt)
    plan = await _validation_plan(active, configs)
    args = _job_args(attempt, configs, "test")
    args["champion"] = champion_args(active)
    read = {"job": "test", "attempt": attempt}
    reads = await active.append("test-reads", read, by=ROLE, write_id="test-read:test")
    test = {**await active.job("test", args), "test_reads": reads}
    rows = [example["row"] for example in test["examples"]]
    bench_args = {"attempt_folder": f"attempts/{attempt}", "example_rows": rows, "seconds": 0.5}
    benchmark = await active.job("benchmark", bench_args)
    evaluate = await active.job("evaluate", _job_args(attempt, configs, "validation"), name=f"evaluate-{attempt}")
    results = {"test": test, "evaluate": evaluate, "benchmark": benchmark}
    await active.in_thread(write_json, active.root / "reports" / "results.json", results, None)
    plots = {"attempt_folder": f"attempts/{attempt}", "results": results, "history": f"attempts/{attempt}/history.json"}
    await active.job("plots", plots)
    hashes = await active.in_thread(seal, active.root / "attempts" / str(attempt))
    await active.put("artifacts", {"attempt": attempt, "sha256": hashes}, by=ROLE)
    await _remember_chosen(active, attempt, configs, evaluate)
    await active.put("validation", test, by=ROLE, provenance={"kind": "measured", "job": "test"})
    await active.put("benchmark-results", benchmark, by=ROLE, provenance={"kind": "measured", "job": "benchmark"})
    train = await _train_result(active, attempt)
    judged = {"scores": test, "validation": evaluate, "benchmark": benchmark, "train": train}
    checks = [_row(active, check, judged) for check in plan.at("final", judged)]
    checks += champion_checks(active, test)
    if verdict == "rejected":
        checks.append(fact("candidate_passed", False, why="no attempt passed its check on the validation split"))
    await _close(active, attempt, checks, test)
    return attempt, "deploy"


async def _remember_chosen(active: ActiveRun, attempt: int, configs: dict[str, Any], evaluate: dict[str, Any]) -> None:
    """What memory says of the model is of the chosen attempt, which need not be the last one."""
    job = {"kind": "measured", "job": f"evaluate-{attempt}"}
    await active.put("candidate-scores", evaluate, by=ROLE, provenance=job)
    await active.put("architecture", configs["architecture"], by=ROLE)
    trained = {"kind": "measured", "job": f"train-{attempt}"}
    result = await _train_result(active, attempt)
    await active.put("training-metrics", result, by=ROLE, provenance=trained)
    await active.put("training-job-id", result["seconds"]["provenance"]["job"], by=ROLE)
    await active.put("nodes-deployed", await active.get(f"nodes-{attempt}"), by="neural-orchestrator")
    for row in PER_ATTEMPT:
        await active.put(row.complete_key, await active.get(f"{row.complete_key}-{attempt}"), by=row.agents[0])


async def _close(active: ActiveRun, attempt: int, checks: list[Check], test: dict[str, Any]) -> None:
    await active.put("gate-validate", [check.model_dump(mode="json") for check in checks], by=ROLE)
    await write_report(active, attempt)
    await leave(active, ROW, attempt, checks, test_reads=test["test_reads"])


def _row(active: ActiveRun, check: CheckDefinition, results: dict[str, Any]) -> Check:
    """A judged check as a gate row; its number keeps the provenance of what was measured."""
    result, found = check.judge(results), check.measured(results)
    if isinstance(found, int) and not isinstance(found, bool):
        found = measurement(active, found, check.name, job="train")
    return Check(
        name=result.name,
        measured=found,
        comparison=result.comparison,
        threshold=result.threshold,
        passed=result.passed,
        blocking=result.blocking,
        why=result.says,
    )


async def _validation_plan(active: ActiveRun, configs: dict[str, Any]) -> ValidationPlan:
    context = {"request": active.request.model_dump(mode="json"), "dataset": configs["dataset"]}
    return await active.decide("validation-plan", ValidationPlan, ROLE, context)


def _configs(active: ActiveRun, attempt: int) -> dict[str, Any]:
    folder = active.root / "attempts" / str(attempt) / "configs"
    return {name: read_json(folder / f"{name}.json") for name in ("dataset", "architecture", "training")}


def _job_args(attempt: int, configs: dict[str, Any], split: str) -> dict[str, Any]:
    return {**configs, "attempt_folder": f"attempts/{attempt}", "split": split}


async def _train_result(active: ActiveRun, attempt: int) -> dict[str, Any]:
    return dict(read_json(active.root / "attempts" / str(attempt) / "training-result.json"))


async def _best(active: ActiveRun) -> int:
    """The attempt with the best validation score, for the report of a rejected run."""
    attempts = await active.get("attempts")
    sign = 1.0 if attempts[0]["better"] else -1.0

    def worth(one: dict[str, Any]) -> float:
        return -math.inf if one["score"] is None else sign * float(one["score"]["value"])

    return int(max(attempts, key=worth)["attempt"])
