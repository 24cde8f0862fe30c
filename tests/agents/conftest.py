"""Contexts of decisions as the jobs would report them, built from a few words. They hold no expectation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Context = dict[str, Any]
Build = Callable[..., Context]


def column(name: str, kind: str = "number", **facts: Any) -> Context:
    found: Context = {
        "name": name,
        "type": kind,
        "rows": 1000,
        "missing": 0,
        "missing_markers": {},
        "distinct": 500 if kind == "number" else 4,
        "min": None,
        "max": None,
        "mean": None,
        "std": None,
        "examples": [],
        "top": [],
        "constant": False,
        "all_missing": False,
        "identifier": None,
        "date_format": "%Y-%m-%d" if kind == "date" else None,
        "decimal": None,
        "mixed": None,
        "infinite": 0,
        "sorted": False,
        "integer": False,
        "words_mean": None,
    }
    return {**found, **facts}


def plan_context(*columns: Context, rows: int = 1000, target: Context | None = None, **profile: Any) -> Context:
    """A `TaskPlan` context; `target` is the profile's target, other words are its findings, or `request`."""
    request = profile.pop("request", {})
    return {
        "request": {"seed": 0, **request},
        "snapshot": {"sha256": "ab" * 32, "rows": rows, "columns": list(columns), "source": []},
        "profile": {"target": target, "target_candidates": [], "leaks": [], **profile},
    }


def churn(**changes: Any) -> Context:
    """A thousand customers, a quarter of them gone."""
    request = {"target": "churned", **changes.pop("request", {})}
    classes = changes.pop("classes", [["no", 750], ["yes", 250]])
    extra = changes.pop("columns", [])
    columns = [
        column("age"),
        column("plan", "category", top=[["basic", 400], ["plus", 300], ["pro", 200], ["team", 100]]),
        column("churned", "category", distinct=len(classes), top=classes),
        *extra,
    ]
    target = {"name": "churned", "type": "category", "distinct": len(classes), "classes": classes}
    return plan_context(*columns, target=target, request=request, **changes)


def prices(**changes: Any) -> Context:
    """A thousand flats with their price, a mildly skewed quantity."""
    request = {"target": "price", **changes.pop("request", {})}
    facts = {"min": 50.0, "max": 900.0, "mean": 400.0, **changes.pop("price", {})}
    skew = facts.pop("skew", 0.4)
    target = {"name": "price", "type": "number", "distinct": 900, "skew": skew, **facts}
    columns = [column("area"), column("district", "category"), column("price", distinct=900, **facts)]
    return plan_context(*columns, target=target, request=request, **changes)


def design_context(rows: int = 10_000, task: str = "binary", **changes: Any) -> Context:
    labels = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"], "regression": None}[task]
    metric = "rmse" if task == "regression" else "accuracy"
    each = rows // max(len(labels or []), 1)
    context: Context = {
        "request": {"seed": 0},
        "dataset": {"task": task, "labels": labels, "metric": metric},
        "prepare": {
            "rows": {"train": rows, "validation": rows // 4, "test": rows // 3},
            "inputs": {"numbers": 6, "categories": [9, 16]},
            "classes": [[label, each, each // 4, each // 3] for label in labels or []] or None,
        },
    }
    return {**context, **changes}


def measure(value: float, interval: tuple[float, float] | None = None, rows: int = 6400) -> Context:
    provenance = {
        "kind": "measured",
        "run": "r-1",
        "job": "evaluate-1",
        "dataset_sha256": "ab" * 32,
        "code_version": "src-1",
        "device": "cpu",
        "seed": 0,
        "load": 0.5,
        "at": "2026-11-21T10:00:00+00:00",
        "split": "validation",
        "rows": rows,
    }
    return {"value": value, "unit": "fraction", "provenance": provenance, "interval": interval}


def scores(
    network: float = 0.86,
    train: float = 0.87,
    linear: float = 0.85,
    trees: float = 0.87,
    naive: float = 0.75,
    metric: str = "accuracy",
    error: float = 0.005,
    rows: int = 6400,
) -> Context:
    """SCORES of a candidate, all in one metric; `error` is one standard error of the metric."""
    naive_name = "mean" if metric in ("rmse", "mae", "r2") else "majority"
    higher = metric not in ("rmse", "mae", "log_loss")
    points = {naive_name: naive, "linear": linear, "trees": trees}
    half = 1.96 * error

    def against(other: float) -> Context:
        better = network - other if higher else other - network
        return {
            "difference": measure(better, (better - half, better + half)),
            "standard_error": measure(error),
        }

    return {
        "split": "validation",
        "rows": 1600,
        "metric": metric,
        "higher_is_better": higher,
        "metrics": {metric: measure(network, (network - half, network + half))},
        "train_metrics": {metric: measure(train, rows=rows)},
        "gap": measure(abs(train - network)),
        "baselines": {name: {metric: measure(value)} for name, value in points.items()},
        "versus": {name: against(value) for name, value in points.items()},
    }


def candidate(attempt: int = 1, **changes: Any) -> Context:
    """A `Diagnosis` context of a plain binary candidate."""
    context: Context = {
        "attempt": attempt,
        "max_attempts": 3,
        "scores": changes.pop("scores", scores()),
        "train": {"diverged": 0, "converged": True, "stopped": "early", "epochs_run": 20, "best_epoch": 9},
        "checks": changes.pop("checks", []),
        "dataset": {"task": "binary", "split": {"fractions": [0.64, 0.16, 0.2]}},
        "architecture": {
            "width": 128, "depth": 3, "dropout": 0.1, "members": 8, "number_embedding": "none",
            "inputs": {"numbers": 6, "categories": []},
        },
        "training": {
            "epochs": 20, "batch": 256, "rate": 6e-3, "warmup": 0.05, "weight_decay": 0.02, "clip_norm": 1.0,
            "label_smoothing": 0.0,
        },
    }  # fmt: skip
    for name in ("train", "architecture", "training", "dataset"):
        context[name] = {**context[name], **changes.pop(name, {})}
    return {**context, **changes}


@pytest.fixture
def build() -> Any:
    """The builders of this file, by name."""

    class Builders:
        column = staticmethod(column)
        plan_context = staticmethod(plan_context)
        churn = staticmethod(churn)
        prices = staticmethod(prices)
        design_context = staticmethod(design_context)
        measure = staticmethod(measure)
        scores = staticmethod(scores)
        candidate = staticmethod(candidate)

    return Builders
