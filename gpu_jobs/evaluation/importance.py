"""Permutation importance per raw column: how much the metric drops when a column's values are shuffled.

It says what the model uses, not what causes the target; of two columns that say the same, both may look unimportant.
Source: Fisher, Rudin and Dominici 2019, All Models are Wrong, but Many are Useful, arXiv 1801.01489.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .inputs import Group, Inputs, Predict, Sample, replaced
from .metrics import Array, higher_is_better, point
from .problem import Problem
from .scoring import scores

REPEATS = 5
_PREDICTIONS = 100_000  # row predictions that the whole table of importances should cost
_MOST_ROWS, _FEWEST_ROWS = 4_000, 200
_STUDENT = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764}  # 97.5 % point of Student's t by degrees of freedom


@dataclass(frozen=True)
class Importance:
    """Mean drop of the metric over the shuffles of one column (positive = it helps), 95 % interval and rows."""

    column: str
    drop: float
    low: float
    high: float
    rows: int


def permutation_importance(
    predict: Predict, sample: Sample, groups: Sequence[Group], problem: Problem, *, seed: int = 0
) -> list[Importance]:
    """Importance of every column, largest first, on at most 4000 of the rows (fewer when there are many columns).

    Empty when the metric is undefined on these rows (one class only). The interval is Student's t over the few
    shuffles; sampling of rows is not in it.
    """
    generator = np.random.default_rng(seed)
    affordable = _PREDICTIONS // (REPEATS * max(len(groups), 1))
    size = min(len(sample), _MOST_ROWS, max(_FEWEST_ROWS, affordable))
    sample = sample.part(np.sort(generator.permutation(len(sample))[:size]))
    repeats = REPEATS if affordable >= _FEWEST_ROWS else 2
    sign = 1.0 if higher_is_better(problem.metric) else -1.0

    def score(given: Inputs) -> float:
        return sign * point(scores(problem, sample.truth, predict(given))).get(problem.metric, float("nan"))

    base = score(sample.inputs)
    if not np.isfinite(base):
        return []
    table = []
    for group in groups:
        shuffles = [generator.permutation(size) for _ in range(repeats)]
        drops = [base - score(replaced(sample.inputs, group, sample.inputs, shuffle)) for shuffle in shuffles]
        table.append(_importance(group.column, np.array(drops), size))
    return sorted(table, key=lambda one: -one.drop)


def _importance(column: str, drops: Array, rows: int) -> Importance:
    mean = float(drops.mean())
    spread = _STUDENT[len(drops) - 1] * float(drops.std(ddof=1)) / len(drops) ** 0.5
    return Importance(column, mean, mean - spread, mean + spread, rows)
