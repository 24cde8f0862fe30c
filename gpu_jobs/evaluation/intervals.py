"""Prediction intervals for numbers: split conformal, from absolute validation residuals. Nothing for classes.

Source: Lei et al. 2018, Distribution-Free Predictive Inference for Regression, arXiv 1604.04173. Coverage is marginal,
not per group; and it is exact only for rows that chose nothing, so it is also measured, on rows that set no quantile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .metrics import Array

COVERAGE = 0.9
_FEWEST = 20


@dataclass(frozen=True)
class Conformal:
    """Half-width of the interval around a predicted number, and what it was measured to cover.

    Attributes:
        half_width: in the target's unit; the interval is value ± half_width.
        asked: the coverage asked for (fraction).
        covered: the fraction covered of the validation rows that did not set the width.
        rows: how many rows set the width.
        checked: how many rows `covered` was measured on.
    """

    half_width: float
    asked: float
    covered: float
    rows: int
    checked: int


def fit_conformal(
    truth: npt.NDArray[np.floating],
    predicted: npt.NDArray[np.floating],
    *,
    coverage: float = COVERAGE,
    seed: int = 0,
) -> Conformal | None:
    """Set the width on a random half of the validation rows and measure its coverage on the other half.

    None with fewer than 20 rows in a half: the quantile asked for would not exist or mean nothing.
    """
    residual = np.abs(truth.astype(np.float64) - predicted.astype(np.float64))
    order = np.random.default_rng(seed).permutation(len(residual))
    half = len(order) // 2
    if half < _FEWEST:
        return None
    sets, checks = residual[order[:half]], residual[order[half:]]
    width = quantile(sets, coverage)
    if width is None:
        return None
    return Conformal(width, coverage, float((checks <= width).mean()), len(sets), len(checks))


def quantile(residuals: Array, coverage: float) -> float | None:
    """The ceil(coverage (n + 1))-th smallest residual; None when n is too small for that rank to exist."""
    rank = int(np.ceil(coverage * (len(residuals) + 1) - 1e-9))
    if rank > len(residuals):
        return None
    return float(np.partition(residuals, rank - 1)[rank - 1])


def covered(truth: npt.NDArray[np.floating], predicted: npt.NDArray[np.floating], half_width: float) -> float:
    """Fraction of rows whose true value lies inside value ± half_width."""
    error = np.abs(truth.astype(np.float64) - predicted.astype(np.float64))
    return float((error <= half_width).mean())
