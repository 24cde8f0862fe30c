"""Prediction intervals for numbers: split conformal, from absolute validation residuals. Nothing for classes.

Source: Lei et al. 2018, Distribution-Free Predictive Inference for Regression, arXiv 1604.04173. Coverage is marginal,
not per group; and it is exact only for rows that chose nothing, so it is also measured, on rows that set no quantile.
Where the network learns log(1 + y), the residuals are those of the logarithm: errors of amounts grow with the amount,
and one width in the target's unit would be too wide for small ones and too narrow for large ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.rows.interval import Interval
from .metrics import Array

COVERAGE = 0.9
_FEWEST = 20
_SMALLEST = 1e-300  # 1 + a predicted value whose logarithm was learned is never below zero, but may round to it


@dataclass(frozen=True)
class Conformal:
    """The interval around a predicted number, and what it was measured to cover.

    Attributes:
        interval: as preprocessing keeps it and `Interval` reads it: "level" (the coverage asked for) with
            "half_width", or with "factor" and "least".
        covered: the fraction covered of the validation rows that did not set the width.
        rows: how many rows set the width.
        checked: how many rows `covered` was measured on.
    """

    interval: dict[str, Any]
    covered: float
    rows: int
    checked: int


def fit_conformal(
    truth: npt.NDArray[np.floating],
    predicted: npt.NDArray[np.floating],
    *,
    coverage: float = COVERAGE,
    logarithm: bool = False,
    least: float | None = None,
    seed: int = 0,
) -> Conformal | None:
    """Set the width on a random half of the validation rows and measure its coverage on the other half.

    None with fewer than 20 rows in a half: the quantile asked for would not exist or mean nothing.

    Args:
        truth: true values, in the target's unit.
        predicted: predicted values, in the target's unit.
        coverage: the share of rows that the interval is to cover.
        logarithm: the network learns log(1 + y): the width is one of the logarithm.
        least: with `logarithm`, what the target is never below; None where that is not known.
        seed: of the draw of the halves.
    """
    order = np.random.default_rng(seed).permutation(len(truth))
    half = len(order) // 2
    if half < _FEWEST:
        return None
    sets, checks = order[:half], order[half:]
    interval = _fitted(truth[sets], predicted[sets], coverage, logarithm)
    if interval is None:
        return None
    if "factor" in interval:
        interval["least"] = least
    return Conformal(interval, covered(truth[checks], predicted[checks], Interval(interval)), len(sets), len(checks))


def _fitted(
    truth: npt.NDArray[np.floating], predicted: npt.NDArray[np.floating], coverage: float, logarithm: bool
) -> dict[str, Any] | None:
    true, said = truth.astype(np.float64), predicted.astype(np.float64)
    if logarithm:
        width = quantile(np.abs(_logarithm(true) - _logarithm(said)), coverage)
        if width is not None and width < np.log(np.finfo(np.float32).max):
            return {"level": coverage, "factor": float(np.exp(width))}
    width = quantile(np.abs(true - said), coverage)
    return None if width is None else {"level": coverage, "half_width": width}


def _logarithm(values: Array) -> Array:
    return np.log(np.maximum(1.0 + values, _SMALLEST))


def quantile(residuals: Array, coverage: float) -> float | None:
    """The ceil(coverage (n + 1))-th smallest residual; None when n is too small for that rank to exist."""
    rank = int(np.ceil(coverage * (len(residuals) + 1) - 1e-9))
    if rank > len(residuals):
        return None
    return float(np.partition(residuals, rank - 1)[rank - 1])


def covered(truth: npt.NDArray[np.floating], predicted: npt.NDArray[np.floating], interval: Interval) -> float:
    """Fraction of rows whose true value lies inside the interval around the predicted one."""
    true, said = truth.astype(np.float64), predicted.astype(np.float64)
    ends = np.asarray([interval.ends(value) for value in said.tolist()])
    return float(((ends[:, 0] <= true) & (true <= ends[:, 1])).mean())
