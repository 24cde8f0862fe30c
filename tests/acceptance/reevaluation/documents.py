"""Memory, the `--json` document and the published metadata: each number equals the verified one it repeats.

What jobs measured is taken from `jobs/*/result.json`, which other files here verify; every other place must repeat it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tests.acceptance.reevaluation.artifacts import Run, read, sha256
from tests.acceptance.reevaluation.checks import ORIGIN, Anything, Check, Figure, measurements, number, numbers
from tests.acceptance.reevaluation.scores import Document

STATED = {"request", "config", "override", "deploy-request"}  # what a person or settings say: their own source
NAMED: tuple[str, ...] = (
    "backup-script",
    "cluster-id",
    "deploy-script",
    "deployment-docs",
    "dockerfile",
    "error",
    "report",
)
NAMED += ("serve-api", "training-job-id", "training-script", "training-status", "workflow-complete")


def job(run: Run, name: str) -> Any:
    """A job's result."""
    return read(run.folder / "jobs" / name / "result.json")


def check_results(run: Run, memory: Document, results: Document, check: Check) -> None:
    """The results file and memory repeat what the jobs measured."""
    attempt = run.attempt.name
    check.same("results test", results["test"], job(run, "test") | {"test_reads": len(memory["test-reads"])})
    check.same("results evaluate", results["evaluate"], job(run, f"evaluate-{attempt}"))
    check.same("results benchmark", results["benchmark"], job(run, "benchmark"))
    training = read(run.attempt / "training-result.json")
    check.same("training-result", training, job(run, memory["training-job-id"]))
    expected = {
        "validation": results["test"],
        "candidate-scores": results["evaluate"],
        "benchmark-results": results["benchmark"],
        "training-metrics": training,
        "architecture": read(run.attempt / "configs" / "architecture.json"),
        "dataset": run.dataset,
        "nodes-deployed": memory[f"nodes-{attempt}"],
        "artifacts": {"attempt": int(attempt), "sha256": _hashes(run, memory["artifacts"]["sha256"])},
        "test-reads": [{"job": "test", "attempt": int(attempt)}],
        "environment": _machine(memory["environment"]),
        "monitoring": memory["monitoring"] | {"alerts": _alerts(run, memory["monitoring"]["alerts"])},
    }
    if run.published:
        expected |= dict.fromkeys(("model-view", "deployment-ready"), _model(run, memory))
    for key, value in expected.items():
        check.same(f"memory {key}", memory[key], value)
    check_state(memory, check)
    nodes = [{**node, "round_trip_ms": Figure(None, "ms")} for node in memory["nodes-deployed"]]
    for place in (2, 3):
        chosen = memory[f"phase{place}-complete-{attempt}"]
        check.same(f"memory phase{place}-complete", memory[f"phase{place}-complete"], chosen)
    check.same("memory nodes", memory["nodes-deployed"], nodes)
    gates = {f"phase{n}-complete" for n in range(1, 6)} | {"gate-validate", "attempts", "decisions"}
    repeated = ("rollout-checks", "phase2-complete-", "phase3-complete-")
    gates |= {key for key in memory if key.startswith(repeated)}
    unknown = set(memory) - set(expected) - gates - STATED - {*NAMED, "state", "deployment-view"}
    unknown -= {f"nodes-{one['attempt']}" for one in memory["attempts"]}
    for key in sorted(unknown):
        check.true(f"memory {key}: its numbers have no source", not list(numbers(memory[key])))
    for key in NAMED:
        check.true(f"memory {key} holds numbers", not list(numbers(memory.get(key))))


def _hashes(run: Run, names: Iterable[str]) -> Document:
    return {name: sha256(run.attempt / name) for name in names}


def _model(run: Run, memory: Document) -> Document:
    path = run.folder / "models" / "model.onnx"
    return {**memory["model-view"], "path": str(path), "sha256": sha256(path)}


def _machine(found: Document) -> Document:
    """The machine's facts can only be read off the machine: the report must repeat them."""
    return {key: Anything() if number(value) else value for key, value in found.items()}


def _alerts(run: Run, found: Document) -> Document:
    """Limits of alerts are settings; the patience is the training's."""
    patience = read(run.attempt / "configs" / "training.json")["patience"]
    settings = {name: {k: Anything() if number(v) else v for k, v in one.items()} for name, one in found.items()}
    settings["loss_plateau"]["epochs"] = patience
    return settings


def seconds(begun: str, ended: str) -> float:
    """Between two recorded times."""
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()


def check_state(memory: Document, check: Check) -> None:
    """Phases took what lies between their recorded times, and what earlier attempts of them took."""
    state = memory["state"]
    for place, phase in enumerate(state["phases"], 1):
        if phase["status"] == "skipped":
            absent = phase["seconds"] is None and f"phase{place}-complete" not in memory
            check.true(f"state {phase['name']} was skipped and has figures", absent)
            continue
        took = seconds(phase["started_at"], phase["finished_at"]) + phase["spent"]
        check.equal(f"state {phase['name']} seconds", phase["seconds"], took, 2e-3)
        complete = memory[f"phase{place}-complete"]
        if len(memory["attempts"]) == 1 and "deploy-request" not in memory:
            check.equal(f"state {phase['name']} spent", phase["spent"], 0)
            named = {key: complete[key] for key in ("started_at", "finished_at")}
            check.same(f"phase{place}-complete", named, {key: phase[key] for key in named})
        chosen = memory["artifacts"]["attempt"] if place > 1 else complete["attempt"]
        check.equal(f"phase{place}-complete attempt", complete["attempt"], chosen)
    check.equal("state attempt", state["attempt"], memory["artifacts"]["attempt"])
    check.equal("phase4-complete test_reads", memory["phase4-complete"]["test_reads"], len(memory["test-reads"]))
    check.same("phase1-complete source", memory["phase1-complete"]["source"], memory["dataset"]["source"])


def check_answer(run: Run, answer: Document, memory: Document, check: Check) -> None:
    """The `--json` document."""
    test, evaluate, benchmark = (memory[k] for k in ("validation", "candidate-scores", "benchmark-results"))
    speeds = {name: one for name, one in benchmark.items() if isinstance(one, dict) and "provenance" in one}
    phases = []
    for place, phase in enumerate(memory["state"]["phases"], 1):
        rows = [
            {
                **{key: row[key] for key in ("name", "comparison", "threshold", "passed", "blocking")},
                "measured": plain(row),
            }
            for row in memory.get(f"phase{place}-complete", {"gate": ()})["gate"]
        ]
        phases.append({**{key: phase[key] for key in ("name", "status", "seconds")}, "gate": rows})
    served = memory.get("deployment-view")
    expected = {
        "run_id": run.folder.name,
        "status": "rejected" if served is None else "deployed",
        "phases": phases,
        "metrics": test["metrics"] | {"gap": evaluate["gap"]} | speeds,
        "baselines": test["baselines"],
        "importance": evaluate["importance"],
        "model": memory.get("model-view"),
        "deployment": served and {key: served[key] for key in ("name", "url", "pid", "example_request")},
        "report": str(run.folder / "reports" / "performance-report.md"),
        "workspace": str(run.folder),
        "error": memory["error"] if served is None else None,
    }
    check.same("--json", answer, expected)
    if served is None:
        refused = [row for row in memory["gate-validate"] if row["blocking"] and not row["passed"]]
        said = "; ".join(f"{row['name']}: {_refusal(row)}" for row in refused)
        check.true("--json error tells other figures", answer["error"]["message"].endswith(f" refused: {said}"))
        return
    stored = read(run.folder / "tests" / "validation_rows.json")["rows"][0]
    check.same("example_request", answer["deployment"]["example_request"], stored)
    check.true("the deployment's process", number(served["pid"]))


def _refusal(row: Document) -> str:
    """What was measured and what was needed, as the message of a refusal says it."""
    told = []
    for one in (row["measured"], row["threshold"]):
        if isinstance(one, dict):
            value, unit = one["value"], one["unit"]
            told.append(f"{value:.4f}" if unit == "fraction" else f"{value:.4g} {unit}")
        else:
            told.append({True: "yes", False: "no"}[one] if isinstance(one, bool) else f"{one:g}")
    return f"measured {told[0]}, needed {row['comparison']} {told[1]}"


def plain(row: Document) -> Any:
    """A gate row's measured value without its origin."""
    return row["measured"]["value"] if isinstance(row["measured"], dict) else row["measured"]


def check_metadata(run: Run, memory: Document, check: Check) -> None:
    """models/model-metadata.json."""
    found = read(run.folder / "models" / "model-metadata.json")
    names = ("model.onnx", "preprocessing.json", "weights.safetensors")
    expected = found | {
        "schema": 1,
        "metrics": memory["validation"]["metrics"],
        "fields": run.preprocessing["fields"],
        "example": run.preprocessing["example"],
        "files": {name: sha256(run.folder / "models" / name) for name in names},
        "labels": run.dataset["labels"],
    }
    expected["lineage"] = found["lineage"] | {"attempt": int(run.attempt.name), "dataset_sha256": run.dataset["sha256"]}
    check.same("metadata", found, expected)
    unknown = set(found) - {"schema", "metrics", "fields", "example", "files", "labels", "lineage"}
    check.true("metadata: numbers without source", not list(numbers({key: found[key] for key in unknown})))


def check_origins(run: Run, documents: Document, check: Check) -> None:
    """Every measurement anywhere names this run, its data, its seed, and a job or step that there was."""
    steps = {path.parent.name for path in run.folder.glob("jobs/*/result.json")} | {"setup", "deploy", "cluster"}
    seed = run.dataset["split"]["seed"]
    for name, document in documents.items():
        for path, found in measurements(document):
            origin, where = found["provenance"], f"{name}{path}"
            check.true(f"{where}: provenance {sorted(origin)}", set(origin) == ORIGIN and origin["kind"] == "measured")
            check.true(f"{where}: run {origin['run']!r}", origin["run"] == run.folder.name)
            check.true(f"{where}: there is no job {origin['job']!r}", origin["job"] in steps)
            check.true(f"{where}: other data", origin["dataset_sha256"] == run.dataset["sha256"])
            check.true(f"{where}: seed {origin['seed']}", origin["seed"] == seed)
            check.true(f"{where}: load {origin['load']}", number(origin["load"]))


def check_decisions(run: Run, memory: Document, check: Check) -> None:
    """Each number in a decision's evidence stands in what the agent was given: results, facts, request, machine."""
    keys = ("request", "environment", "dataset", "state", "attempts", "deployment-view")
    given = [memory[key] for key in keys if key in memory]
    given += [read(path) for path in sorted(run.folder.glob("jobs/*/result.json"))]
    given += [record["value"] for record in memory["decisions"]]
    counts = [len(memory["dataset"]["features"]), len(run.labels or [1]), run.frame.width]
    known = {float(value) for value in numbers(given)} | {float(count) for count in counts}
    for record in memory["decisions"]:
        for value in numbers(record["evidence"]):
            check.true(f"evidence of {record['key']}: {value!r} has no source", value in known)
    key = f"architecture-{run.attempt.name}"
    value = next(record["value"] for record in memory["decisions"] if record["key"] == key)
    check.same(f"decision {key}", value["architecture"], memory["architecture"])
