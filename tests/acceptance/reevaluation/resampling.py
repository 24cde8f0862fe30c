"""Intervals again: the documented resampling, each resample scored by the plain definitions of the metrics.

Documented: rows are drawn with replacement by `numpy.random.default_rng(seed)`, one resample after the other, all
models on the same ones; 1000 resamples, fewer above 50 000 rows, never under 200; ends are 2.5 and 97.5 percentiles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.acceptance.reevaluation.metrics import LOWER, Array

Score = Callable[[Array, Array], dict[str, float]]


class Resampled:
    """Metrics of several models under the same resamples of a split's rows."""

    def __init__(self, score: Score, y: Array, models: dict[str, Array], seed: int) -> None:
        self.score, self.y, self.models = score, y, models
        self.points = {name: score(y, given) for name, given in models.items()}
        self.drawn: dict[str, dict[str, list[float]]] = {
            name: {metric: [] for metric in found} for name, found in self.points.items()
        }
        generator, rows = np.random.default_rng(seed), len(y)
        for _ in range(int(min(1000, max(200, 5e7 // rows)))):
            chosen = generator.integers(0, rows, size=rows)
            for name, given in models.items():
                found = score(y[chosen], given[chosen])
                for metric, values in self.drawn[name].items():
                    values.append(found.get(metric, float("nan")))

    def interval(self, model: str, metric: str) -> tuple[float, float]:
        """The interval, moved back by its shift for `ece`, and widened to hold the value."""
        values, value = np.array(self.drawn[model][metric]), self.points[model][metric]
        low, high = np.nanpercentile(values, [2.5, 97.5])
        if metric == "ece":
            shift = float(np.median(values)) - value
            low, high = max(0.0, low - shift), max(0.0, high - shift)
        return min(float(low), value), max(float(high), value)

    def difference(self, other: str, metric: str) -> tuple[float, tuple[float, float], float]:
        """(value, interval, standard error) of how much better the network is; the jackknife's up to 1000 rows."""
        sign = -1.0 if metric in LOWER else 1.0
        value = sign * (self.points["network"][metric] - self.points[other][metric])
        drawn = sign * (np.array(self.drawn["network"][metric]) - np.array(self.drawn[other][metric]))
        low, high = np.nanpercentile(drawn, [2.5, 97.5])
        error = self._jackknife(other, metric) if 1 < len(self.y) <= 1000 else float(np.nanstd(drawn, ddof=1))
        return value, (float(low), float(high)), error

    def _jackknife(self, other: str, metric: str) -> float:
        left_out = []
        for row in range(len(self.y)):
            kept = np.arange(len(self.y)) != row
            ours = self.score(self.y[kept], self.models["network"][kept]).get(metric, float("nan"))
            left_out.append(ours - self.score(self.y[kept], self.models[other][kept]).get(metric, float("nan")))
        values = np.array(left_out)
        values = values[np.isfinite(values)]
        rows = len(self.y)
        return float(np.sqrt((rows - 1) / rows * ((values - values.mean()) ** 2).sum()))
