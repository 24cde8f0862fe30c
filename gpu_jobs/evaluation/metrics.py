"""Metrics of a model's predictions, in NumPy, for any weighting of the rows. It draws no resamples.

A `Scores` object reduces predictions to per-row terms once; every metric is then a function of weighted sums of these
terms, so 1000 bootstrap resamples cost one matrix product. The values equal scikit-learn's (tests/gpu_jobs/evaluation).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

ECE_BINS = 15
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)

_LOWER = ("log_loss", "ece", "rmse", "mae")
_CLASSES = (
    "accuracy",
    "balanced_accuracy",
    "f1",
    "macro_f1",
    "precision",
    "recall",
    "auc",
    "log_loss",
    "ece",
)
_NUMBERS = ("rmse", "mae", "r2")


def metric_names(task: str) -> tuple[str, ...]:
    """Names of the metrics a task has, in the order of reports."""
    return _NUMBERS if task == "regression" else _CLASSES


def higher_is_better(metric: str) -> bool:
    """Whether a larger value of the metric is the better one."""
    return metric not in _LOWER


def unit(metric: str) -> str:
    """Unit of a metric: "nats" for log_loss, "target" for rmse and mae (the target's own unit), else "fraction"."""
    return {"log_loss": "nats", "rmse": "target", "mae": "target"}.get(metric, "fraction")


class Scores(Protocol):
    """One model's predictions of fixed rows, ready to be scored under many row weightings."""

    rows: int

    def under(self, weights: Array) -> dict[str, Array]:
        """Each metric under each of the weightings: (r, rows) weights give r values, NaN where undefined."""


class ClassScores:
    """Scores of class probabilities (n, k) against true classes (n,).

    The predicted class is the most probable one (the first of equals). `f1`, `precision` and `recall` are the positive
    label's in a binary task and the mean over classes otherwise; classes that neither occur nor are predicted are left
    out of means, as in scikit-learn. `auc` is one-versus-rest, averaged over classes, with ties counted half.
    `ece` is the expected calibration error of the top label in 15 equal bins (Guo et al. 2017, arXiv 1706.04599).
    `log_loss` clips probabilities at float32's epsilon.
    """

    def __init__(self, truth: Labels, probabilities: npt.NDArray[np.floating], positive: int | None = None) -> None:
        p = probabilities.astype(np.float64)
        self.rows, self.classes = p.shape
        self.positive = positive
        guess = p.argmax(axis=1)
        hit = (guess == truth).astype(np.float64)
        top = p.max(axis=1)
        each = np.arange(self.rows)
        surprise = -np.log(np.clip(p[each, truth], SMALLEST_PROBABILITY, 1.0))
        one_hot = np.eye(self.classes)
        bins = np.zeros((self.rows, ECE_BINS))
        bins[each, confidence_bins(top)] = top - hit
        self._terms = np.hstack(
            [
                hit[:, None],
                surprise[:, None],
                bins,
                one_hot[truth] * hit[:, None],
                one_hot[guess],
                one_hot[truth],
            ]
        )
        self._rankings = [_Ranking(truth == c, p[:, c]) for c in self._ranked_classes()]

    def _ranked_classes(self) -> tuple[int, ...]:
        if self.classes == 2:
            return (1 if self.positive is None else self.positive,)
        return tuple(range(self.classes))

    def under(self, weights: Array) -> dict[str, Array]:
        """Each metric under each weighting; see `Scores`."""
        total = weights.sum(axis=1)
        sums = weights @ self._terms
        hit, surprise, bins = sums[:, 0], sums[:, 1], sums[:, 2 : 2 + ECE_BINS]
        right, said, real = np.split(sums[:, 2 + ECE_BINS :], 3, axis=1)
        seen = (said + real) > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            recall = np.where(real > 0, right / real, 0.0)
            precision = np.where(said > 0, right / said, 0.0)
            f1 = np.where(seen, 2 * right / (said + real), 0.0)
            balanced = _mean_over(recall, real > 0)
        return {
            "accuracy": hit / total,
            "balanced_accuracy": balanced,
            "f1": self._summary(f1, seen),
            "macro_f1": _mean_over(f1, seen),
            "precision": self._summary(precision, seen),
            "recall": self._summary(recall, seen),
            "auc": self._area(weights),
            "log_loss": surprise / total,
            "ece": np.abs(bins).sum(axis=1) / total,
        }

    def _summary(self, per_class: Array, seen: npt.NDArray[np.bool_]) -> Array:
        return per_class[:, self.positive] if self.positive is not None else _mean_over(per_class, seen)

    def _area(self, weights: Array) -> Array:
        areas = np.stack([ranking.area(weights) for ranking in self._rankings])
        counted = ~np.isnan(areas)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(counted, areas, 0.0).sum(axis=0) / counted.sum(axis=0))


class NumberScores:
    """Scores of predicted numbers (n,) against true ones (n,), both in the target's unit.

    `r2` is one minus the share of the variance around the rows' own mean that the errors leave.
    """

    def __init__(self, truth: npt.NDArray[np.floating], predicted: npt.NDArray[np.floating]) -> None:
        y = truth.astype(np.float64)
        error = predicted.astype(np.float64) - y
        centred = y - y.mean()
        self.rows = len(y)
        self._terms = np.stack([error**2, np.abs(error), centred, centred**2], axis=1)

    def under(self, weights: Array) -> dict[str, Array]:
        """Each metric under each weighting; see `Scores`."""
        total = weights.sum(axis=1)
        squared, absolute, centred, spread = (weights @ self._terms).T
        variance = spread - centred**2 / total
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = np.where(variance > 1e-12 * np.maximum(spread, 1e-300), 1.0 - squared / variance, np.nan)
        return {"rmse": np.sqrt(squared / total), "mae": absolute / total, "r2": r2}


class _Ranking:
    """Area under the ROC curve of one class against the rest, for many weightings at once."""

    def __init__(self, positive: npt.NDArray[np.bool_], score: Array) -> None:
        self.up = np.flatnonzero(positive)
        down = np.flatnonzero(~positive)
        self.down = down[np.argsort(score[down], kind="stable")]
        sorted_down = score[self.down]
        self.below = np.searchsorted(sorted_down, score[self.up], side="left")
        self.to = np.searchsorted(sorted_down, score[self.up], side="right")

    def area(self, weights: Array) -> Array:
        """Weighted share of (positive, negative) pairs that are in order; NaN where one side is empty."""
        up = weights[:, self.up]
        passed = np.zeros((len(weights), len(self.down) + 1))
        np.cumsum(weights[:, self.down], axis=1, out=passed[:, 1:])
        pairs = up.sum(axis=1) * passed[:, -1]
        ordered = (up * (passed[:, self.below] + passed[:, self.to])).sum(axis=1) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(pairs > 0, ordered / pairs, np.nan))


def confidence_bins(confidence: Array) -> Labels:
    """Index (0 … 14) of the equal-width bin that each confidence falls into; bins are closed on the right."""
    return np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)


def point(scores: Scores) -> dict[str, float]:
    """The metrics of the rows as they are; undefined ones (one class only, constant target) are left out."""
    values = scores.under(np.ones((1, scores.rows)))
    return {name: float(value[0]) for name, value in values.items() if np.isfinite(value[0])}


def per_class(truth: Labels, predicted: Labels, classes: int) -> list[dict[str, float]]:
    """Precision, recall, F1 (0 where undefined) and number of true rows of each class."""
    matrix = confusion(truth, predicted, classes)
    table = []
    for c in range(classes):
        right, said, real = int(matrix[c, c]), int(matrix[:, c].sum()), int(matrix[c].sum())
        table.append(
            {
                "precision": right / said if said else 0.0,
                "recall": right / real if real else 0.0,
                "f1": 2 * right / (said + real) if said + real else 0.0,
                "rows": real,
            }
        )
    return table


def confusion(truth: Labels, predicted: Labels, classes: int) -> Labels:
    """Counts (classes, classes): true class in rows, predicted class in columns."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def _mean_over(values: Array, counted: npt.NDArray[np.bool_]) -> Array:
    return np.asarray(np.where(counted, values, 0.0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1))
