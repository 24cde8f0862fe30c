"""How the metric falls when inputs get worse: noise on numeric columns, and each column missing in turn.

It disturbs what the model is given, never what it learnt, and searches for no adversarial row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .inputs import Group, Inputs, Predict, Sample, replaced
from .metrics import higher_is_better, point
from .problem import Problem
from .scoring import scores

MOST_ROWS = 2_000
NOISE_SHARE = 0.1


@dataclass(frozen=True)
class Disturbed:
    """What the encoder makes of worse inputs.

    Attributes:
        groups: the raw columns.
        empty: one encoded row in which every column is missing.
        noisy: the rows with noise on their numeric columns; None without such columns.
    """

    groups: Sequence[Group]
    empty: Inputs
    noisy: Inputs | None


@dataclass(frozen=True)
class Robustness:
    """Drops of the metric (positive = worse) on the same rows.

    Attributes:
        rows: rows measured on.
        metric: the metric on the rows as they are.
        noise: drop with noise on every numeric column together; None without numeric columns.
        missing: (column, drop) with that column missing in every row, largest drop first.
    """

    rows: int
    metric: float
    noise: float | None
    missing: tuple[tuple[str, float], ...]


def measure_robustness(predict: Predict, sample: Sample, problem: Problem, disturbed: Disturbed) -> Robustness | None:
    """Measure the drops on the sample's rows; None when the metric is undefined on them."""
    sign = 1.0 if higher_is_better(problem.metric) else -1.0

    def score(inputs: Inputs) -> float:
        return sign * point(scores(problem, sample.truth, predict(inputs))).get(problem.metric, float("nan"))

    base = score(sample.inputs)
    if not np.isfinite(base):
        return None
    noise = None if disturbed.noisy is None else base - score(disturbed.noisy)
    first = np.zeros(len(sample), np.int64)
    missing = [
        (group.column, base - score(replaced(sample.inputs, group, disturbed.empty, first)))
        for group in disturbed.groups
    ]
    ordered = tuple(sorted(missing, key=lambda pair: -pair[1]))
    return Robustness(len(sample), sign * base, noise, ordered)


def sample_rows(count: int, seed: int) -> npt.NDArray[np.int64]:
    """Positions of at most 2000 of `count` rows, in order."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:MOST_ROWS])


def deviations(columns: Mapping[str, Sequence[Any]]) -> dict[str, float]:
    """Standard deviation of each column's finite numbers; columns without any are left out."""
    found = {}
    for name, values in columns.items():
        numbers = np.array([float(v) for v in values if _is_number(v)])
        numbers = numbers[np.isfinite(numbers)]
        if len(numbers) and numbers.std() > 0:
            found[name] = float(numbers.std())
    return found


def with_noise(
    columns: Mapping[str, Sequence[Any]],
    spread: Mapping[str, float],
    *,
    share: float = NOISE_SHARE,
    seed: int = 0,
) -> dict[str, list[Any]]:
    """Raw columns with normal noise of `share` of each column's deviation; missing values and texts stay."""
    generator = np.random.default_rng(seed)
    changed = {}
    for name, values in columns.items():
        noise = generator.standard_normal(len(values)) * share * spread.get(name, 0.0)
        moved = name in spread
        changed[name] = [
            float(value) + float(draw) if moved and _is_number(value) else value
            for value, draw in zip(values, noise, strict=True)
        ]
    return changed


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
