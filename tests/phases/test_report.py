"""The report, the card and the metadata of a run, from what memory and its folder hold."""

from __future__ import annotations

import asyncio
import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from agents.decisions import DeploymentPlan
from agents.reasoners.rules import RulesReasoner, validation
from memory.records import Envelope, Lease
from memory.store import MemorySettings
from phases.active_run import ActiveRun
from phases.publish import publish
from phases.report import write_report
from phases.request import RunRequest
from phases.settings import RunnerSettings
from phases.workspace import write_json

PLAN = DeploymentPlan(reason="first", name="small", version="1.0.0", keep_previous=False)
OVERRIDE = {"why": "a demo, not for customers", "by": "cli", "at": "2026-11-21T12:30:00+00:00", "number": 1}


class Store:
    """A run's keys, as memory gives and takes them."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    async def get(self, _run: str, name: str) -> Envelope | None:
        value = self.values.get(name)
        return None if value is None else Envelope(value, 1, "test", "2026-11-21T12:00:00+00:00", None)

    async def put(self, _run: str, name: str, value: Any, **_: Any) -> None:
        self.values[name] = value


def measured(value: float, interval: tuple[float, float] | None = None, **where: Any) -> dict[str, Any]:
    provenance = {
        "run": "r-1", "job": "test", "dataset_sha256": "ab", "code_version": "src-1", "device": "cpu", "seed": 0,
        "load": 0.5, "at": "2026-11-21T10:00:00+00:00", "split": "test", "rows": 60, **where,
    }  # fmt: skip
    return {"value": value, "unit": "fraction", "interval": interval, "provenance": provenance}


def scores(split: str, gap: float) -> dict[str, Any]:
    where: dict[str, Any] = {"split": split, "job": "test" if split == "test" else "evaluate-2"}
    against = {"difference": measured(0.45, (0.3167, 0.58), **where), "standard_error": measured(0.06, **where)}
    return {
        "split": split, "rows": 60, "metric": "accuracy", "higher_is_better": True,
        "metrics": {"accuracy": measured(0.95, **where)}, "train_metrics": {"accuracy": measured(0.99, split="train")},
        "gap": measured(gap, **where), "gap_metric": "accuracy",
        "baselines": {name: {"accuracy": measured(0.5, **where)} for name in ("majority", "linear", "trees")},
        "versus": {"majority": against, "linear": against, "trees": against},
        "per_class": None, "test_reads": 1, "importance": [],
    }  # fmt: skip


def row(name: str, *, passed: bool, **more: Any) -> dict[str, Any]:
    fields = {"name": name, "measured": measured(0.01), "comparison": ">", "threshold": 0.0, "blocking": True}
    return {**fields, "passed": passed, **more}


def diagnosis(attempt: int, reason: str) -> dict[str, Any]:
    return {
        "key": f"diagnosis-{attempt}", "type": "Diagnosis", "agent": "ml-developer", "reason": reason, "value": {},
        "reasoner": "rules", "at": "2026-11-21T10:00:00+00:00", "evidence": {},
    }  # fmt: skip


REJECTED = [
    row("better_than_majority", passed=False, why="better than always the most frequent class (measured: lower end)"),
    row("min_auc", passed=False, measured="undefined", comparison=">=", threshold=0.8, why="auc; undefined"),
]


class Run:
    """A run's folder and memory, ready to be reported: 2 attempts, the second of which was tested."""

    def __init__(self, root: Path) -> None:
        request = RunRequest(data=str(root / "small.csv"), target="left", workspace=str(root))
        settings = RunnerSettings(home=root, memory=MemorySettings(home=root))
        tried: list[dict[str, Any]] = [
            {"attempt": n, "passed": n == 2, "checks": [], "score": measured(0.9, split="validation")} for n in (1, 2)
        ]
        self.store = Store(
            {
                "dataset": self._dataset(), "state": {"state": "running", "workspace": str(root)}, "attempts": tried,
                "gate-validate": [row("better_than_majority", passed=True)], "decisions": [],
            }
        )  # fmt: skip
        self.results = {"test": scores("test", 0.04), "evaluate": scores("validation", 0.07), "benchmark": {}}
        self.active = ActiveRun("r-1", self.store, Lease("r-1", "t", 1), request, settings, RulesReasoner())  # type: ignore[arg-type]
        self.folder = self.active.root
        self.trained: dict[str, Any] = {"epochs_run": 3}
        write_json(self.folder / "data" / "splits.json", {"train": [0] * 384, "validation": [1] * 96, "test": [2] * 60})
        dialect = {"format": "csv", "compression": None, "encoding": "cp1252", "delimiter": ";", "decimal": ",",
                   "header": False, "quote": '"'}  # fmt: skip
        lacking = [{"name": f"c{i}", "missing": i} for i in range(13)]
        write_json(self.folder / "data" / "snapshot.json", {"dialect": dialect, "columns": lacking})

    @staticmethod
    def _dataset() -> dict[str, Any]:
        return {
            "name": "small", "sha256": "ab" * 32, "task": "binary", "target": "left", "positive": "yes",
            "labels": ["no", "yes"], "features": [{"name": "x", "kind": "number"}], "dropped": [], "source": [],
            "split": {"method": "stratified", "fractions": [0.64, 0.16, 0.2]},
        }  # fmt: skip

    def report(self) -> tuple[str, str]:
        """The Markdown, and the text of the HTML page, as written now."""
        self._write_results()
        asyncio.run(write_report(self.active, 2))
        page = (self.folder / "reports" / "performance-report.html").read_text(encoding="utf-8")
        text = re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", "", page, flags=re.DOTALL))
        return (self.folder / "reports" / "performance-report.md").read_text(encoding="utf-8"), text

    def published(self) -> tuple[str, dict[str, Any]]:
        """The model card and the metadata, as published now."""
        self._write_results()
        attempt = self.folder / "attempts" / "2"
        for name in ("model.onnx", "weights.safetensors"):
            (attempt / "models").mkdir(exist_ok=True)
            (attempt / "models" / name).write_bytes(b"weights")
        write_json(attempt / "models" / "preprocessing.json", {"fields": [{"name": "x"}], "example": {"x": 1.0}})
        write_json(attempt / "configs" / "dataset.json", self._dataset())
        write_json(attempt / "configs" / "architecture.json", {"depth": 2, "width": 64, "members": 4})
        answered = {"rows": [{"x": 1.0}], "predictions": [{"label": "no"}]}
        write_json(self.folder / "tests" / "validation_rows.json", answered)
        asyncio.run(publish(self.active, 2, PLAN))
        models = self.folder / "models"
        return (models / "MODEL_CARD.md").read_text(), json.loads((models / "model-metadata.json").read_text())

    def _write_results(self) -> None:
        write_json(self.folder / "reports" / "results.json", self.results)
        write_json(self.folder / "attempts" / "2" / "training-result.json", self.trained)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_each_gap_is_shown_under_the_split_it_was_measured_on(run: Run) -> None:
    markdown, page = run.report()
    assert "Accuracy on training rows less validation rows: 0.0700" in markdown
    assert "Accuracy on training rows less test rows: 0.0400" in markdown
    assert "less validation rows: 0.0700" in page and "less test rows: 0.0400" in page
    run.results["evaluate"]["gap"] = None
    markdown, page = run.report()
    assert "validation rows:" not in markdown and "less test rows: 0.0400" in page


def test_a_gate_row_says_in_words_what_was_measured(run: Run) -> None:
    check = next(one for one in validation.PROFILES["default"] if one.name == "better_than_majority")
    judged, found = check.judge({"scores": run.results["test"]}), check.measured({"scores": run.results["test"]})
    run.store.values["gate-validate"] = [row(check.name, passed=True, measured=_dumped(found), why=judged.says)]
    for text in run.report():
        assert "0.3167" in text and "lower end of the 95 % interval of the difference" in text
    markdown, _ = run.report()
    assert "| validate | better\\_than\\_majority: better than always the most frequent class" in markdown


def test_a_training_that_was_steered_is_said_to_be(run: Run) -> None:
    assert not any("steered" in text for text in run.report())
    run.trained["steered"] = [{"order": "o1", "epoch": 12, "rate": 0.5, "stop_early": True}]
    for text in run.report():
        assert "A person steered this training after epoch 12: stop early, learning rate × 0.5." in text


def _dumped(found: Any) -> Any:
    return found.model_dump(mode="json")


def test_a_rejected_run_opens_with_its_attempt_its_reasons_and_the_diagnoses(run: Run) -> None:
    run.store.values["gate-validate"] = REJECTED
    run.store.values["state"]["state"] = "rejected"
    noted = {**diagnosis(1, "x"), "key": "task-plan", "type": "TaskPlan", "value": {"notes": ["a note of the plan"]}}
    run.store.values["decisions"] = [noted, diagnosis(1, "too small a network"), diagnosis(2, "too few rows")]
    markdown, page = run.report()
    for text in (markdown.replace("*", ""), page):
        assert "Attempt 2 of 2 did not pass 2 blocking checks." in text
        assert "Better than majority (validate): better than always the most frequent class" in text
        order = [
            "did not pass", "undefined, needed ≥ 0.8", "Recommendations", "Attempt 2: too few rows",
            "Attempt 1: too small a network", "a note of the plan", "Gates",
        ]  # fmt: skip
        places = [text.index(part) for part in order]
        assert places == sorted(places)


@pytest.mark.parametrize(
    ("state", "verdict", "sentence"),
    [
        ("running", "Passed so far", "Every blocking check of the gates so far passed."),
        ("deployed", "Passed", "Every blocking check of every gate passed."),
        ("finished", "Passed", "Every blocking check of every gate passed."),
        ("failed", "The run failed", "Every blocking check of the gates that were reached passed."),
        ("cancelled", "The run was cancelled", "Every blocking check of the gates that were reached passed."),
    ],
)
def test_every_gate_passed_is_only_said_when_the_run_has_ended_well(
    run: Run, state: str, verdict: str, sentence: str
) -> None:
    run.store.values["state"]["state"] = state
    markdown, page = run.report()
    assert f"**{verdict}.** {sentence}" in markdown
    assert f"{verdict} {sentence}" in page


def test_the_split_is_told_in_rows_that_there_are_and_not_in_the_shares_asked_for(run: Run) -> None:
    for text in run.report():
        assert "stratified: 384 train, 96 validation, 60 test rows" in text
        assert "0.64" not in text
        assert "Every figure" not in text and "Every metric" in text


def test_the_data_section_says_how_the_table_was_read_and_what_is_missing(run: Run) -> None:
    markdown, _ = run.report()
    assert "read as: csv, cp1252, delimiter ';', decimal ',', without a header" in markdown.replace("\\", "")
    assert "missing values: c12 12, c11 11" in markdown and "and 2 more columns" in markdown


def test_library_versions_are_those_of_training_or_said_to_be_of_the_report(run: Run) -> None:
    markdown, _ = run.report()
    assert f"- numpy, at report time: {metadata.version('numpy')}" in markdown
    _, document = run.published()
    assert (document["versions"]["numpy"], document["versions_at"]) == (metadata.version("numpy"), "writing")
    run.trained["versions"] = {"numpy": "0.9.1"}
    markdown, page = run.report()
    assert "- numpy, at training: 0.9.1" in markdown and "at report time" not in page
    assert run.published()[1]["versions_at"] == "training"
    assert run.published()[1]["versions"] == {"numpy": "0.9.1"}


def test_an_overridden_model_says_what_rejected_it_and_why_it_is_served_all_the_same(run: Run) -> None:
    run.store.values.update({"gate-validate": REJECTED, "override": OVERRIDE})
    card, document = run.published()
    assert "**A gate rejected this model.**" in card and "undefined, needed ≥ 0.8" in card
    assert "**It is served all the same:** a demo, not for customers (decided by cli, 2026-11-21 12:30:00 UTC)" in card
    lineage = document["lineage"]
    assert [check["name"] for check in lineage["rejected"]] == ["better_than_majority", "min_auc"]
    assert lineage["override"] == {key: OVERRIDE[key] for key in ("why", "by", "at")}
    assert "served all the same: a demo" in run.report()[1].replace("*", "")


def test_a_model_that_passed_says_nothing_of_a_rejection_even_after_an_override(run: Run) -> None:
    run.store.values["override"] = OVERRIDE
    card, document = run.published()
    assert "rejected" not in card and "all the same" not in card
    assert (document["lineage"]["rejected"], document["lineage"]["override"]) == ([], None)


def test_a_baseline_without_a_defined_difference_is_shown_without_one(run: Run) -> None:
    run.results["test"]["versus"] = {"majority": None, "linear": None, "trees": None}
    markdown, _ = run.report()
    card, _ = run.published()
    assert "gradient-boosted trees | 0.5000" in markdown and "differs by" not in markdown + card


def test_the_card_claims_no_more_of_the_test_rows_than_is_true(run: Run) -> None:
    card = run.published()[0].replace("\n", " ")
    assert "no input, metric, model, encoder, epoch or threshold was fitted or chosen with them" in card
    assert "what a column is (its kind, whether it names rows, is constant or empty) and which labels" in card
    assert "was read from all rows" in card
