"""Splits in which a class does not occur: the jobs end, and say nothing about what they cannot know."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpu_jobs.tasks import evaluate, export, plots, test


def without(run: Any, labels: list[int], splits: list[str]) -> None:
    """Take the rows of these classes out of these splits."""
    path = run.root / "data/splits.json"
    held, target = json.loads(path.read_text()), np.load(run.root / "data/encoded/target.npy")
    for name in splits:
        held[name] = [row for row in held[name] if target[row] not in labels]
    path.write_text(json.dumps(held))


@pytest.mark.parametrize("metric", ["accuracy", "auc", "f1"])
@pytest.mark.parametrize(
    ("task", "labels"), [("multiclass", [2]), ("multiclass", [0, 2]), ("binary", [1]), ("binary", [0])]
)
def test_classes_missing_from_validation_and_test_crash_nothing(
    make: Callable[..., Any], task: str, labels: list[int], metric: str
) -> None:
    run = make(task, rows=300)
    run.dataset["metric"] = metric
    without(run, labels, ["validation", "test"])
    export.run(run.job("export"))
    for split, found in (("evaluate", evaluate.run(run.job("evaluate"))), ("test", test.run(run.job("test")))):
        json.dumps(found, allow_nan=False)
        for place, row in enumerate(found["per_class"]):
            absent = place in labels
            assert (row["rows"] == 0) == absent, split
            assert all((row[name] is None) == absent for name in ("precision", "recall", "f1"))
        alone = len(found["per_class"]) - len(labels) < 2
        assert ("auc" in found["metrics"]) != alone
        results = {"evaluate": found} if split == "evaluate" else {"test": found}
        drawn = plots.run(run.job("plots", results=results))
        assert drawn["notes"] == [] and drawn["plots"]


@pytest.mark.parametrize("splits", [["train"], ["train", "test"]])
def test_a_class_that_training_never_saw_crashes_nothing(make: Callable[..., Any], splits: list[str]) -> None:
    run = make("multiclass", rows=300)
    without(run, [2], splits)
    export.run(run.job("export"))
    json.dumps([evaluate.run(run.job("evaluate")), test.run(run.job("test"))], allow_nan=False)


def test_single_rows_to_validate_and_test_on_crash_nothing(make: Callable[..., Any]) -> None:
    for task in ("binary", "regression"):
        run = make(task, rows=120, name=task)
        path = run.root / "data/splits.json"
        held = json.loads(path.read_text())
        path.write_text(json.dumps({**held, "validation": held["validation"][:1], "test": held["test"][:1]}))
        export.run(run.job("export"))
        json.dumps([evaluate.run(run.job("evaluate")), test.run(run.job("test"))], allow_nan=False)
