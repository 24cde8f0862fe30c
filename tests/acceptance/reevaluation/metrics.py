"""Metrics by their definitions, in plain NumPy: written to be read beside a textbook, not to be fast."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LOWER = ("log_loss", "ece", "rmse", "mae")
UNITS = {"log_loss": "nats", "rmse": "target", "mae": "target"}


def ranks(score: Array) -> Array:
    """Ranks from 1, equal scores share their mean rank."""
    order = np.argsort(score, kind="stable")
    rank = np.empty(len(score))
    rank[order] = np.arange(1, len(score) + 1)
    _, group = np.unique(score, return_inverse=True)
    counts = np.bincount(group)
    sums = np.bincount(group, weights=rank)
    return np.asarray((sums / counts)[group])


def area(positive: Array, score: Array) -> float:
    """Area under the ROC curve by the rank sum (Mann and Whitney 1947); NaN with one class."""
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        return float("nan")
    return float((ranks(score)[positive].sum() - ups * (ups + 1) / 2) / (ups * downs))


def class_table(y: Array, guess: Array, classes: int) -> list[tuple[float, float, float, int, int]]:
    """(precision, recall, f1, true rows, predicted rows) of each class, by counting."""
    table = []
    for c in range(classes):
        right = int(((y == c) & (guess == c)).sum())
        said, real = int((guess == c).sum()), int((y == c).sum())
        precision, recall = (right / said if said else 0.0), (right / real if real else 0.0)
        f1 = 2 * right / (said + real) if said + real else 0.0
        table.append((precision, recall, f1, real, said))
    return table


def calibration_error(y: Array, p: Array, bins: int = 15) -> float:
    """Expected calibration error of the top label, bin by bin."""
    sure, right = p.max(axis=1), p.argmax(axis=1) == y
    total = 0.0
    for b in range(bins):
        inside = (sure > b / bins) & (sure <= (b + 1) / bins)
        if inside.any():
            total += inside.sum() * abs(sure[inside].mean() - right[inside].mean())
    return float(total / len(y))


def class_metrics(y: Array, p: Array, positive: int | None) -> dict[str, float]:
    """All metrics of class probabilities, by their definitions."""
    p = p.astype(np.float64)
    guess = p.argmax(axis=1)
    table = class_table(y, guess, p.shape[1])
    seen = [row for row in table if row[3] + row[4]]
    mean = [float(np.mean([row[i] for row in seen])) for i in range(3)]
    chosen = mean if positive is None else list(table[positive][:3])
    ranked = range(p.shape[1]) if positive is None else [positive]
    areas = [one for one in (area(y == c, p[:, c]) for c in ranked) if one == one]
    loss = -np.log(np.clip(p[np.arange(len(y)), y], np.finfo(np.float32).eps, 1.0))
    found = {
        "accuracy": float((guess == y).mean()),
        "balanced_accuracy": float(np.mean([row[1] for row in table if row[3]])),
        "f1": chosen[2],
        "macro_f1": mean[2],
        "precision": chosen[0],
        "recall": chosen[1],
        "log_loss": float(loss.mean()),
        "ece": calibration_error(y, p),
    }
    return found | ({"auc": float(np.mean(areas))} if areas else {})


def number_metrics(y: Array, v: Array) -> dict[str, float]:
    """All metrics of predicted numbers, by their definitions."""
    error = v.astype(np.float64) - y
    spread = float(((y - y.mean()) ** 2).sum())
    found = {"rmse": float(np.sqrt((error**2).mean())), "mae": float(np.abs(error).mean())}
    return found | ({"r2": 1.0 - float((error**2).sum()) / spread} if spread else {})
