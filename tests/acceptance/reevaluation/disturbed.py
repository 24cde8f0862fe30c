"""Permutation importance and robustness again: raw columns are shuffled, blurred or emptied, and the graph is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.acceptance.reevaluation.artifacts import Columns, Run
from tests.acceptance.reevaluation.checks import PARITY, Figure
from tests.acceptance.reevaluation.metrics import LOWER, UNITS, Array

STUDENT = {1: 12.7062, 4: 2.7764}


def _scored(run: Run, y: Array, columns: Columns) -> float:
    metric = run.dataset["metric"]
    sign = -1.0 if metric in LOWER else 1.0
    return sign * run.metrics(y, run.predict(columns)).get(metric, float("nan"))


def _fall(run: Run, split: str, rows: int, base: float, value: float) -> Figure:
    """A drop of the metric: as exact as the graph is at the metric's own size."""
    tolerance = 1e-5 * max(1.0, abs(base)) / max(1.0, abs(value))
    return Figure(value, UNITS.get(run.dataset["metric"], "fraction"), split, rows, None, tolerance)


def importance(run: Run, seed: int) -> list[dict[str, Any]]:
    """Every column, largest drop first: 5 shuffles (2 with many columns) of at most 4000 validation rows."""
    generator = np.random.default_rng(seed)
    rows = np.asarray(run.splits["validation"], np.int64)
    affordable = 100_000 // (5 * len(run.fields))
    size = min(len(rows), 4000, max(200, affordable))
    rows = rows[np.sort(generator.permutation(len(rows))[:size])]
    y, raw = run.truth(rows=rows), run.raw(rows)
    base = _scored(run, y, raw)
    if not np.isfinite(base):
        return []
    found = []
    for name in run.fields:
        orders = [generator.permutation(size) for _ in range(5 if affordable >= 200 else 2)]
        drops = np.array([base - _scored(run, y, {**raw, name: [raw[name][i] for i in order]}) for order in orders])
        wide = STUDENT[len(drops) - 1] * drops.std(ddof=1) / len(drops) ** 0.5
        mean = float(drops.mean())
        figure = _fall(run, "validation", size, base, mean)
        figure = replace(figure, interval=(float(mean - wide), float(mean + wide)))
        found.append({"column": name, "drop": figure})
    return sorted(found, key=lambda one: -one["drop"].value)


def robustness(run: Run, seed: int) -> dict[str, Any] | None:
    """Noise of a tenth of each column's deviation on training rows, and each column missing, on ≤ 2000 test rows."""
    rows = np.asarray(run.splits["test"], np.int64)
    rows = rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:2000])]
    y, raw = run.truth(rows=rows), run.raw(rows)
    base = _scored(run, y, raw)
    if not np.isfinite(base):
        return None
    unit = UNITS.get(run.dataset["metric"], "fraction")

    def drop(columns: Columns) -> Figure:
        return _fall(run, "test", len(rows), base, base - _scored(run, y, columns))

    missing = [{"column": name, "drop": drop({**raw, name: [None] * len(rows)})} for name in run.fields]
    missing.sort(key=lambda one: -float(one["drop"].value))
    noisy = _noisy(run, raw, seed)
    return {
        "rows": len(rows),
        "metric": run.dataset["metric"],
        "undisturbed": Figure(abs(base), unit, "test", len(rows), None, PARITY),
        "noise_share": 0.1,
        "noise": None if noisy is None else drop(noisy),
        "missing": missing,
    }


def _noisy(run: Run, raw: dict[str, list[Any]], seed: int) -> dict[str, list[Any]] | None:
    train = run.raw(run.sampled("train", 20_000, seed))
    numeric = {field["name"] for field in run.preprocessing["fields"] if field["kind"] == "number"}
    spread = {}
    for name in numeric:
        known = np.array([float(v) for v in train[name] if isinstance(v, int | float) and np.isfinite(v)])
        if len(known) and known.std() > 0:
            spread[name] = float(known.std())
    generator = np.random.default_rng(seed)
    changed = {}
    for name, values in raw.items():
        noise = generator.standard_normal(len(values)) * 0.1 * spread.get(name, 0.0)
        moved = [v if v is None or name not in spread else float(v + n) for v, n in zip(values, noise, strict=True)]
        changed[name] = moved
    return changed if spread else None
