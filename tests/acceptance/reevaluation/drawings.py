"""The points of curves, calibration bins and residuals again, by their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.acceptance.reevaluation.artifacts import Run
from tests.acceptance.reevaluation.metrics import Array, area

Points = list[list[float]]


def curves(run: Run, y: Array, p: Array) -> dict[str, list[dict[str, Any]]]:
    """ROC and precision-recall curves: of the positive class, or of the ten most frequent ones."""
    labels = run.labels or []
    counts = np.bincount(y, minlength=len(labels))
    drawn = [run.positive] if run.positive is not None else list(np.argsort(-counts)[:10])
    found: dict[str, list[dict[str, Any]]] = {"roc": [], "pr": []}
    for index in drawn:
        positive, score = y == index, p[:, int(index)]
        if positive.all() or not positive.any():
            continue
        one = {"label": labels[int(index)], "rows": int(counts[index])}
        right, wrong = _above(positive, score)
        rates = [[0.0, 0.0], *_pairs(wrong / wrong[-1], right / right[-1])]
        sharp = right / (right + wrong)
        found["roc"].append({**one, "auc": area(positive, score), "points": thinned(rates)})
        points = [[0.0, float(sharp[0])], *_pairs(right / right[-1], sharp)]
        found["pr"].append({**one, "share": float(positive.mean()), "points": thinned(points)})
    return found


def _above(positive: Array, score: Array) -> tuple[Array, Array]:
    """How many positives and negatives score at least each distinct score, the highest first."""
    levels = np.unique(score)[::-1]
    ups, downs = np.sort(score[positive]), np.sort(score[~positive])
    right = len(ups) - np.searchsorted(ups, levels, side="left")
    wrong = len(downs) - np.searchsorted(downs, levels, side="left")
    return right.astype(float), wrong.astype(float)


def _pairs(a: Array, b: Array) -> Points:
    return [[float(x), float(y)] for x, y in zip(a, b, strict=True)]


def thinned(points: Points) -> Points:
    """At most 200 of the points, evenly, with both ends."""
    if len(points) <= 200:
        return points
    kept = np.unique(np.linspace(0, len(points) - 1, 200).round().astype(int))
    return [points[i] for i in kept]


def reliability(y: Array, p: Array, bins: int = 15) -> list[dict[str, Any]]:
    """The bins of the top label's confidence that hold rows."""
    sure, right = p.max(axis=1), p.argmax(axis=1) == y
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for b in range(bins):
        inside = place == b
        if inside.any():
            ends = {"low": b / bins, "high": (b + 1) / bins, "rows": int(inside.sum())}
            found.append({**ends, "confidence": float(sure[inside].mean()), "accuracy": float(right[inside].mean())})
    return found


def residuals(y: Array, predicted: Array, seed: int) -> dict[str, Any]:
    """At most 1000 pairs (true, predicted), and the histogram of predicted less true; tails in the outermost bins."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(y))[:1000])
    error = predicted - y
    low, high = (float(end) for end in np.percentile(error, [0.5, 99.5]))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = [low + (high - low) * i / 40 for i in range(41)]
    place = np.clip(np.searchsorted(np.array(edges), np.clip(error, low, high), side="right") - 1, 0, 39)
    counts = [float((place == b).sum()) for b in range(40)]
    histogram = {"edges": edges, "counts": counts}
    return {"points": _pairs(y[chosen], predicted[chosen]), "histogram": histogram, "median": float(np.median(error))}
