"""How much one column alone says about the target, out of fold: nearly everything means a leak. It drops nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .rows.errors import short

_MOST_ROWS = 40_000
_BINS = 64
_ENOUGH_ROWS = 500
_SURE, _SURE_SMALL, _SURE_NUMBER = 0.95, 0.99, 0.985
Codes = NDArray[np.int64]


def find_leaks(frame: pl.DataFrame, target: NDArray[Any], classes: int, kinds: dict[str, str]) -> list[dict[str, Any]]:
    """Columns that almost give the target, the strongest first.

    Args:
        frame: Candidate feature columns, rows with a target only.
        target: Class indices (n,), or numbers.
        classes: Number of classes; 0 for numbers.
        kinds: Snapshot type of every column.

    Returns:
        ``{"column", "score", "measure", "why"}`` each; 1 is a perfect prediction, 0 no better than a constant.
    """
    if len(target) > _MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(target), _MOST_ROWS, replace=False))
        frame, target = frame[rows], target[rows]
    found = []
    for name in frame.columns:
        if kinds[name] == "text":
            continue
        score = _score(frame[name], kinds[name], target, classes)
        if score >= _threshold(classes, len(target)):
            found.append(_leak(name, score, classes))
    return sorted(found, key=lambda leak: (-leak["score"], leak["column"]))


def _threshold(classes: int, rows: int) -> float:
    if not classes:
        return _SURE_NUMBER
    return _SURE if rows >= _ENOUGH_ROWS else _SURE_SMALL


def _leak(name: str, score: float, classes: int) -> dict[str, Any]:
    measure = "balanced accuracy above chance, out of fold" if classes else "R², out of fold"
    why = f"{short(name)!r} alone gives the target almost exactly ({measure} {score:.3f}); known only afterwards?"
    return {"column": name, "score": round(score, 4), "measure": measure, "why": why}


def _score(series: pl.Series, kind: str, target: NDArray[Any], classes: int) -> float:
    values = None
    if kind in ("number", "boolean"):
        values = series.to_numpy()
    scores = [_out_of_fold(codes, target, classes) for codes in _codes(series, values)]
    if not classes and values is not None:
        scores.append(_straight_line(values, target))
    return max(scores)


def _codes(series: pl.Series, values: NDArray[np.float64] | None) -> list[Codes]:
    """The column as whole numbers, 0 = missing: its exact values, and bins of a number."""
    exact = series.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    if values is None or exact.max(initial=0) <= _BINS:
        return [exact]
    known = values[np.isfinite(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    binned = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right") + 1, 0)
    return [exact, binned.astype(np.int64)]


def _out_of_fold(codes: Codes, target: NDArray[Any], classes: int) -> float:
    """What the other half of the rows says about each value, tried on this half, both ways."""
    half = np.random.default_rng(1).permutation(len(codes)) % 2 == 0
    width = int(codes.max(initial=0)) + 1
    if classes:
        guess = np.empty(len(codes), np.int64)
        for part in (half, ~half):
            guess[part] = _majority(codes, target, ~part, (width, classes))[codes[part]]
        hits = np.bincount(target[guess == target], minlength=classes) / np.bincount(target, minlength=classes)
        return float((hits.mean() - 1 / classes) / (1 - 1 / classes))
    values = np.empty(len(codes))
    for part in (half, ~half):
        values[part] = _means(codes, target, ~part, width)[codes[part]]
    return _r2(values, target)


def _majority(codes: Codes, target: NDArray[Any], rows: NDArray[np.bool_], shape: tuple[int, int]) -> Codes:
    """The class that stands out most at each value, against its share of all rows."""
    width, classes = shape
    if width * classes > 20_000_000:
        return np.zeros(width, np.int64)
    table = np.bincount(codes[rows] * classes + target[rows], minlength=width * classes).reshape(width, classes)
    share = np.maximum(np.bincount(target[rows], minlength=classes), 1)
    best: Codes = (table / share).argmax(axis=1)
    return best


def _means(codes: Codes, target: NDArray[Any], rows: NDArray[np.bool_], width: int) -> NDArray[np.float64]:
    counts = np.bincount(codes[rows], minlength=width)
    sums = np.bincount(codes[rows], target[rows], minlength=width)
    return np.where(counts > 0, sums / np.maximum(counts, 1), target[rows].mean())


def _straight_line(values: NDArray[np.float64], target: NDArray[Any]) -> float:
    known = np.isfinite(values)
    if known.sum() < 0.9 * len(values) or np.ptp(values[known]) == 0:
        return 0.0
    x, y = values[known], target[known]
    x = (x - x.mean()) / (x.std() or 1.0)
    return _r2(y.mean() + x * (x * (y - y.mean())).mean(), y)


def _r2(guess: NDArray[np.float64], target: NDArray[Any]) -> float:
    total = float(((target - target.mean()) ** 2).sum())
    return 1 - float(((target - guess) ** 2).sum()) / total if total > 0 else 0.0
