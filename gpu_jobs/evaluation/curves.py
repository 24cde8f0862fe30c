"""Points to draw: ROC and precision-recall curves, predicted against true, and residuals. It computes no metric.

Curves are thinned to a bounded number of points for reports; areas are computed from all rows elsewhere (`metrics`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .metrics import Array

MOST_POINTS = 200
MOST_DOTS = 1_000


def roc(positive: npt.NDArray[np.bool_], score: Array) -> list[list[float]]:
    """[false positive rate, true positive rate] from (0, 0) to (1, 1), one point per distinct score, thinned."""
    right, wrong = _running(positive, score)
    points = np.column_stack([wrong / max(wrong[-1], 1), right / max(right[-1], 1)])
    return _thinned(np.vstack([[0.0, 0.0], points]))


def precision_recall(positive: npt.NDArray[np.bool_], score: Array) -> list[list[float]]:
    """[recall, precision] for falling thresholds, one point per distinct score, thinned."""
    right, wrong = _running(positive, score)
    points = np.column_stack([right / max(right[-1], 1), right / np.maximum(right + wrong, 1)])
    return _thinned(np.vstack([[0.0, points[0, 1]], points]))


def dots(truth: Array, predicted: Array, *, seed: int = 0) -> list[list[float]]:
    """[true, predicted] of at most 1000 rows, drawn without replacement."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(truth))[:MOST_DOTS])
    return [[float(a), float(b)] for a, b in zip(truth[chosen], predicted[chosen], strict=True)]


def histogram(values: Array, bins: int = 40) -> dict[str, list[float]]:
    """{"edges": bins + 1 numbers, "counts": bins numbers}; the outermost bins hold the half percent in each tail."""
    low, high = np.percentile(values, [0.5, 99.5])
    if not high > low:
        low, high = float(low) - 0.5, float(high) + 0.5
    edges = np.linspace(low, high, bins + 1)
    counts, _ = np.histogram(np.clip(values, low, high), edges)
    return {"edges": [float(edge) for edge in edges], "counts": [float(count) for count in counts]}


def _running(positive: npt.NDArray[np.bool_], score: Array) -> tuple[Array, Array]:
    """Positives and negatives at or above each distinct score, from the highest score down."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hit = positive[order].astype(np.float64)
    return np.cumsum(hit)[last], np.cumsum(1.0 - hit)[last]


def _thinned(points: Array) -> list[list[float]]:
    if len(points) > MOST_POINTS:
        keep = np.unique(np.linspace(0, len(points) - 1, MOST_POINTS).round().astype(int))
        points = points[keep]
    return [[float(a), float(b)] for a, b in points]
