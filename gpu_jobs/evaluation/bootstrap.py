"""How sure a metric is: percentile bootstrap intervals, and paired differences of models on the same rows.

It resamples rows, never trains; rows that belong together (groups) are treated as independent.
Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 11 and 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .metrics import Array, Scores, higher_is_better, point

RESAMPLES = 1000
FEWEST_RESAMPLES = 200
_CELLS = 5e7  # resamples x rows that one bootstrap may draw
_CHUNK = 64 * 10_000


@dataclass(frozen=True)
class Difference:
    """How much better a model is than another on the same rows; positive = better, whatever the metric.

    Attributes:
        value: difference of the two metrics, in the metric's unit.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        standard_error: its standard error.
    """

    value: float
    low: float
    high: float
    standard_error: float


def resamples(rows: int, count: int, seed: int) -> Iterator[Array]:
    """Bootstrap weightings in chunks (c, rows): how often each row was drawn; `count` of them in all."""
    generator = np.random.default_rng(seed)
    step = max(1, _CHUNK // max(rows, 1))
    for start in range(0, count, step):
        size = min(step, count - start)
        drawn = generator.integers(0, rows, size=(size, rows)) + np.arange(size)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def resamples_for(rows: int) -> int:
    """Number of resamples: 1000, fewer (never under 200) above 50 000 rows, where intervals are narrow."""
    return int(min(RESAMPLES, max(FEWEST_RESAMPLES, _CELLS // max(rows, 1))))


class Bootstrap:
    """Metrics of several models under the same resamples of the same rows.

    Example:
        >>> import numpy as np
        >>> from gpu_jobs.evaluation.metrics import NumberScores
        >>> y = np.arange(50.0)
        >>> both = Bootstrap({"good": NumberScores(y, y + 1), "poor": NumberScores(y, y + 3)}, seed=0)
        >>> both.difference("good", "poor", "mae").value
        2.0
    """

    def __init__(self, models: Mapping[str, Scores], *, seed: int = 0, count: int | None = None) -> None:
        self._models = dict(models)
        self._points = {name: point(scores) for name, scores in self._models.items()}
        rows = next(iter(self._models.values())).rows
        drawn: dict[str, dict[str, list[Array]]] = {name: {} for name in self._models}
        for weights in resamples(rows, count or resamples_for(rows), seed):
            for name, scores in self._models.items():
                for metric, values in scores.under(weights).items():
                    drawn[name].setdefault(metric, []).append(values)
        self._drawn = {
            name: {metric: np.concatenate(parts) for metric, parts in metrics.items()}
            for name, metrics in drawn.items()
        }

    def points(self, model: str) -> dict[str, float]:
        """The model's metrics on the rows as they are."""
        return self._points[model]

    def interval(self, model: str, metric: str) -> tuple[float, float]:
        """95 % percentile interval; resamples where the metric is undefined are left out.

        Where a metric is biased under resampling the value itself would lie outside. `ece` always is (equal rows
        err together), so its interval is moved back by that shift and cut at zero; at the edge of its range
        another metric can be too (R² of the mean), so the interval is widened to hold the value.
        """
        values, value = self._drawn[model][metric], self._points[model][metric]
        low, high = _percentiles(values)
        if metric == "ece":
            shift = float(np.median(values)) - value
            low, high = max(0.0, low - shift), max(0.0, high - shift)
        return min(low, value), max(high, value)

    def difference(self, model: str, other: str, metric: str) -> Difference:
        """Paired difference of one metric between two models.

        The standard error is the jackknife's up to 1000 rows: no more work than the bootstrap, no Monte Carlo
        noise, and one row that only the other model gets right is exactly one standard error of accuracy. Above
        that it is the bootstrap's.
        """
        sign = 1.0 if higher_is_better(metric) else -1.0
        value = sign * (self._points[model][metric] - self._points[other][metric])
        drawn = sign * (self._drawn[model][metric] - self._drawn[other][metric])
        low, high = _percentiles(drawn)
        rows = self._models[model].rows
        if 1 < rows <= RESAMPLES:
            error = _jackknife_error(self._models[model], self._models[other], metric)
        else:
            error = float(np.nanstd(drawn, ddof=1))
        return Difference(value, low, high, error)


def _percentiles(values: Array) -> tuple[float, float]:
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _jackknife_error(model: Scores, other: Scores, metric: str) -> float:
    rows = model.rows
    weights = 1.0 - np.eye(rows)
    left_out = model.under(weights)[metric] - other.under(weights)[metric]
    left_out = left_out[np.isfinite(left_out)]
    return float(np.sqrt((rows - 1) / rows * ((left_out - left_out.mean()) ** 2).sum()))
