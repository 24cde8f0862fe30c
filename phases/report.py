"""The run's report: what memory and the result files hold, put into the report's types and rendered twice.

It computes no figure. A metric without provenance is refused by the context's types. It may be written again at any
time: it tells the gates reached by then, and the verdict is the last one only when the run's state is final.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, Literal

from gpu_jobs.machine import version_of
from memory.measurement import Measurement
from phases import PHASES
from phases.active_run import ActiveRun
from phases.clock import now
from phases.gates import shown
from phases.steering import words
from phases.workspace import read_json, write_text
from templates import render
from templates.report import context as report

TASKS = {"binary": "binary classification", "multiclass": "multi-class classification"}
MOST_LACKING = 10
When = Literal["training", "writing"]
LIBRARIES = ("torch", "numpy", "polars", "scikit-learn", "onnx", "onnxruntime", "fastapi", "langgraph", "redis")


async def write_report(active: ActiveRun, attempt: int) -> None:
    """Render `reports/performance-report.{md,html}` from what is recorded, and write the key `report`.

    Raises:
        FileNotFoundError: the run has no test results (it ended before the test job).
    """
    results = await active.in_thread(read_json, active.root / "reports" / "results.json")
    context = await _context(active, attempt, results)
    paths = {}
    for kind, ending in (("report.md", "md"), ("report.html", "html")):
        path = active.root / "reports" / f"performance-report.{ending}"
        await active.in_thread(write_text, path, render(kind, context))
        paths[ending] = str(path)
    await active.put("report", {"markdown": paths["md"], "html": paths["html"]}, by="ml-developer")


async def _context(active: ActiveRun, attempt: int, results: dict[str, Any]) -> report.ReportContext:
    test, evaluate = results["test"], results["evaluate"]
    dataset, state = await active.get("dataset"), await active.get("state")
    model, decisions = await active.get("model-view") or {}, await active.get("decisions") or []
    attempts = await active.get("attempts") or []
    checks = await gate_rows(active)
    bad = [check for check in checks if check.verdict == "failed"]
    return report.ReportContext(
        name=model.get("name") or dataset["name"],
        version=model.get("version") or "not deployed",
        run=active.id,
        created=now(),
        goal=active.request.goal,
        task=TASKS.get(dataset["task"], dataset["task"]),
        target=dataset["target"],
        positive=dataset.get("positive"),
        primary=test["metric"],
        higher_is_better=test["higher_is_better"],
        state=active.verdict or state["state"],
        attempt=attempt,
        verdict="rejected" if bad else "passed",
        override=await override_of(active) if bad else None,
        checks=tuple(checks),
        **_scores(test, evaluate),
        serving=_measured(_serving(results["benchmark"])),
        plots=tuple(await active.in_thread(_plots, active.root)),
        recommendations=tuple(_recommendations(test, decisions, attempt if bad else None)),
        decisions=tuple(_decision(row) for row in decisions),
        attempts=tuple(_attempts(attempts, attempt, decisions)),
        data=tuple(await active.in_thread(_data, active, dataset)),
        notes=(*_steered(_trained(active.root, attempt)), *await active.in_thread(_notes, active.root)),
        environment=tuple(_environment(await active.get("environment") or {}, state, _trained(active.root, attempt))),
        test_reads=test["test_reads"],
    )


def _scores(test: dict[str, Any], evaluate: dict[str, Any]) -> dict[str, Any]:
    """The fields that come from the two SCORES documents; each gap says in its provenance on which split it stands."""
    gaps = (evaluate.get("gap"), test.get("gap"))
    return {
        "metrics": _measured(test["metrics"]),
        "train_metrics": _measured(test.get("train_metrics") or evaluate.get("train_metrics") or {}),
        "gaps": tuple(Measurement.model_validate(gap) for gap in gaps if gap is not None),
        "gap_metric": test.get("gap_metric"),
        "baselines": tuple(baselines(test)),
        "importance": tuple(
            report.Importance(column=row["column"], drop=_one(row["drop"])) for row in _important(evaluate)
        ),
        "robustness": tuple(_robustness(test)),
        "per_class": tuple(report.ClassRow.model_validate(row) for row in test.get("per_class") or ()),
    }


async def override_of(active: ActiveRun) -> report.Override | None:
    """A person's recorded word that the rejected model is to be served, or None."""
    found = await active.get("override")
    return None if found is None else report.Override(why=found["why"], by=found["by"], at=found["at"])


def _one(found: Any) -> Any:
    return None if found is None else Measurement.model_validate(found)


def _measured(found: dict[str, Any]) -> dict[str, Measurement]:
    return {name: Measurement.model_validate(value) for name, value in found.items()}


def _serving(benchmark: dict[str, Any]) -> dict[str, Any]:
    """The benchmark's figures; those of 32 rows a request under their own names."""
    flat = {name: value for name, value in benchmark.items() if isinstance(value, dict) and "provenance" in value}
    for name, value in (benchmark.get("batch32") or {}).items():
        if isinstance(value, dict) and "provenance" in value and name in {"latency_p95_ms", "rows_per_second"}:
            flat["batch32_p95_ms" if name == "latency_p95_ms" else name] = value
    return flat


async def gate_rows(active: ActiveRun) -> list[report.Check]:
    """Every check of the gates that this run has reached, in the order of the phases."""
    found = []
    for row in PHASES:
        complete = await active.get(row.complete_key)
        gate = (complete or {}).get("gate")
        if gate is None and row.name == "validate":
            gate = await active.get("gate-validate")
        found += [_check(row.name, check) for check in gate or ()]
    return found


def _check(phase: str, check: dict[str, Any]) -> report.Check:
    measured, threshold = check["measured"], check["threshold"]
    is_number = isinstance(measured, dict)
    return report.Check(
        phase=phase,
        name=check["name"],
        measured=Measurement.model_validate(measured) if is_number else None,
        said="" if is_number else shown(measured),
        comparison=check["comparison"],
        threshold=shown(threshold) if isinstance(threshold, bool) else threshold,
        passed=check["passed"],
        blocking=check["blocking"],
        why=check.get("why") or "",
    )


def baselines(test: dict[str, Any]) -> list[report.Baseline]:
    """The simpler models on the test rows; one without a difference where the run's metric is undefined on them."""
    versus = test.get("versus") or {}
    return [
        report.Baseline(
            name=name, metrics=_measured(metrics), difference=_one((versus.get(name) or {}).get("difference"))
        )
        for name, metrics in test["baselines"].items()
    ]


def _important(evaluate: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = sorted(evaluate.get("importance") or [], key=lambda row: -row["drop"]["value"])
    return rows[:20]


def _robustness(test: dict[str, Any]) -> list[report.Fall]:
    found = test.get("robustness") or {}
    falls = [report.Fall(what="noise on every number", drop=_one(found["noise"]))] if found.get("noise") else []
    for row in found.get("missing") or ():
        falls.append(report.Fall(what=f"missing: {row['column']}", drop=_one(row["drop"])))
    return falls


def _plots(root: Path) -> list[report.Plot]:
    result = root / "jobs" / "plots" / "result.json"
    rows = read_json(result)["plots"] if result.exists() else []
    found = []
    for row in rows:
        path = root / row["file"] if (root / row["file"]).exists() else root / "reports" / row["file"]
        svg = path.read_text(encoding="utf-8")
        found.append(report.Plot(file=path.name, title=row["title"], alt=row["alt"], svg=svg))
    return found


def _recommendations(test: dict[str, Any], decisions: list[dict[str, Any]], rejected: int | None) -> list[str]:
    """What to do next; for a rejected run the diagnoses first, that of the attempt it is about before the others."""
    diagnoses = [record for record in decisions if record["type"] == "Diagnosis"]
    diagnoses.sort(key=lambda record: record["key"] != f"diagnosis-{rejected}")
    told = [f"{_attempt_of(record['key'])}: {record['reason']}" for record in diagnoses]
    notes = [str(note) for record in decisions for note in record["value"].get("notes") or ()]
    better = []
    for name, versus in (test.get("versus") or {}).items():
        interval = versus["difference"].get("interval") if versus else None
        if interval and interval[1] < 0:
            title = report.BASELINES.get(name, name)
            better.append(f"On these rows {title} is better than the network: consider serving that instead.")
    ordered = [*better, *notes, *told] if rejected is None else [*told, *better, *notes]
    return list(dict.fromkeys(ordered))[:20]


def _attempt_of(key: str) -> str:
    """`diagnosis-2` as people say it."""
    number = key.removeprefix("diagnosis-")
    return f"Attempt {number}" if number.isdigit() else key


def _decision(record: dict[str, Any]) -> report.DecisionRow:
    return report.DecisionRow(
        agent=record["agent"],
        type=f"{record['type']} ({record['key']})",
        reason=record["reason"],
        reasoner=record["reasoner"],
        at=record["at"],
        evidence=record["evidence"],
    )


def _attempts(attempts: list[dict[str, Any]], chosen: int, decisions: list[dict[str, Any]]) -> list[report.AttemptRow]:
    diagnoses = {record["key"]: record["reason"] for record in decisions if record["type"] == "Diagnosis"}
    rows = []
    for one in attempts:
        missed = [row["name"] for row in one["checks"] if row["blocking"] and not row["passed"]]
        summary = "passed its check on the validation split" if one["passed"] else f"failed: {', '.join(missed)}"
        rows.append(
            report.AttemptRow(
                number=one["attempt"],
                chosen=one["attempt"] == chosen,
                summary=summary,
                metric=_one(one.get("score")),
                diagnosis=diagnoses.get(f"diagnosis-{one['attempt']}"),
            )
        )
    return rows


def _data(active: ActiveRun, dataset: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [("file", active.request.data), ("snapshot (SHA-256)", dataset["sha256"])]
    for source in dataset.get("source") or ():
        path = Path(source["path"])
        changed = not path.exists() or path.stat().st_mtime_ns != source["mtime_ns"]
        told = f"{source['rows']} rows, {source['bytes']} bytes"
        facts.append(
            (f"{source['role']} file", told + ("; it has changed since: the run used the snapshot" if changed else ""))
        )
    facts += _as_read(read_json(active.root / "data" / "snapshot.json"))
    splits = read_json(active.root / "data" / "splits.json")
    rows = ", ".join(f"{len(splits[name])} {name}" for name in ("train", "validation", "test"))
    facts.append(("split", f"{dataset['split']['method']}: {rows} rows"))
    facts += [(f"left out: {row['name']}", row["reason"]) for row in dataset.get("dropped") or ()]
    return facts


def _as_read(snapshot: dict[str, Any]) -> list[tuple[str, str]]:
    """How the table was read, and which columns lack values."""
    how = snapshot.get("dialect") or {}
    words = [str(how[key]) for key in ("format", "compression", "encoding") if how.get(key)]
    words += [f"{key} {how[key]!r}" for key in ("delimiter", "decimal") if how.get(key) and how.get("delimiter")]
    if how.get("header") is not None:
        words.append("with a header" if how["header"] else "without a header")
    lacking = sorted((c for c in snapshot["columns"] if c["missing"]), key=lambda c: -int(c["missing"]))
    shown = ", ".join(f"{one['name']} {one['missing']}" for one in lacking[:MOST_LACKING])
    more = f" and {len(lacking) - MOST_LACKING} more columns" if len(lacking) > MOST_LACKING else ""
    return [("read as", ", ".join(words)), ("missing values", shown + more if lacking else "none")]


def _notes(root: Path) -> list[report.Note]:
    found = []
    paths = [
        path for job in ("snapshot", "profile-*", "prepare", "plots") for path in root.glob(f"jobs/{job}/result.json")
    ]
    for path in paths:
        for note in (read_json(path).get("notes") or ()) if path.exists() else ():
            kept = (
                {key: note.get(key) for key in ("message", "column", "count")}
                if isinstance(note, dict)
                else {"message": note}
            )
            found.append(report.Note.model_validate(kept))
    return found


def _steered(trained: dict[str, Any]) -> list[report.Note]:
    """That a person steered the training of this attempt, and when; its settings alone do not repeat it."""
    return [
        report.Note(message=f"A person steered this training after epoch {record['epoch']}: {words(record)}.")
        for record in trained.get("steered") or ()
    ]


def _trained(root: Path, attempt: int) -> dict[str, Any]:
    """The attempt's training result."""
    path = root / "attempts" / str(attempt) / "training-result.json"
    return dict(read_json(path)) if path.exists() else {}


def library_versions(trained: dict[str, Any], names: Sequence[str]) -> tuple[dict[str, str], When]:
    """Versions of the named libraries and when they were taken: at training where its result has them, else now."""
    if recorded := trained.get("versions"):
        return {name: str(value) for name, value in recorded.items()}, "training"
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version_of(name)
    return found, "writing"


def _environment(machine: dict[str, Any], state: dict[str, Any], trained: dict[str, Any]) -> list[tuple[str, str]]:
    versions, when = library_versions(trained, LIBRARIES)
    said = "at training" if when == "training" else "at report time"
    libraries = [(f"{name}, {said}", value) for name, value in versions.items()]
    rows = [(name, str(value)) for name, value in machine.items()]
    return [*rows, *libraries, ("workspace", str(state["workspace"]))]
