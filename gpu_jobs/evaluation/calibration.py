"""Do probabilities mean what they say: one temperature fitted on validation rows, and reliability bins.

It never looks at the test split, and changes no label: a temperature keeps the most probable class.
Source: Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv 1706.04599.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .metrics import ECE_BINS, SMALLEST_PROBABILITY, Array, Labels, confidence_bins

LOWEST, HIGHEST = 0.25, 4.0
_PRIOR_SPREAD = 0.5  # of log temperature: holds it near 1 when few rows speak, and is nothing against thousands
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature and what it did to the validation log loss (nats).

    Attributes:
        value: the temperature to divide log probabilities by; 1.0 when none is applied.
        before: log loss as trained.
        after: log loss with `value`, on rows that did not choose it (two-fold).
    """

    value: float
    before: float
    after: float

    @property
    def applied(self) -> bool:
        """Whether the temperature changes anything."""
        return self.value != 1.0


def tempered(probabilities: npt.NDArray[np.floating], temperature: float) -> Array:
    """Probabilities (n, k) as softmax(log p / temperature), in float64."""
    p = probabilities.astype(np.float64)
    if temperature == 1.0:
        return p
    logs = np.log(np.maximum(p, SMALLEST_PROBABILITY)) / temperature
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def log_loss(probabilities: npt.NDArray[np.floating], truth: Labels) -> float:
    """Mean negative log probability (nats) of the true class."""
    chosen = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.clip(chosen, SMALLEST_PROBABILITY, 1.0)).mean())


def fit_temperature(probabilities: npt.NDArray[np.floating], truth: Labels, *, seed: int = 0) -> Temperature:
    """Choose the temperature on validation rows; applied only where it lowers the log loss of rows held out.

    The gain is judged two-fold (each half by the other half's temperature); the value comes from all rows.
    Fewer than 20 rows, or rows of one class only, get none.
    """
    before = log_loss(probabilities, truth)
    none = Temperature(1.0, before, before)
    if len(truth) < 20 or len(np.unique(truth)) < 2:
        return none
    order = np.random.default_rng(seed).permutation(len(truth))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    after = 0.0
    for fitted, judged in (halves, halves[::-1]):
        value = _best(probabilities[fitted], truth[fitted])
        after += log_loss(tempered(probabilities[judged], value), truth[judged]) * len(judged) / len(truth)
    if after >= before:
        return none
    return Temperature(_best(probabilities, truth), before, after)


def _best(probabilities: npt.NDArray[np.floating], truth: Labels) -> float:
    def cost(log_temperature: float) -> float:
        loss = log_loss(tempered(probabilities, float(np.exp(log_temperature))), truth)
        return loss + (log_temperature / _PRIOR_SPREAD) ** 2 / (2 * len(truth))

    low, high = float(np.log(LOWEST)), float(np.log(HIGHEST))
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    cost_left, cost_right = cost(left), cost(right)
    while high - low > 1e-3:
        if cost_left <= cost_right:
            high, right, cost_right = right, left, cost_left
            left = high - _GOLDEN * (high - low)
            cost_left = cost(left)
        else:
            low, left, cost_left = left, right, cost_right
            right = low + _GOLDEN * (high - low)
            cost_right = cost(right)
    return float(np.exp((low + high) / 2))


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows whose top probability lies in (low, high]: how sure the model was (mean), how often it was right."""

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


def reliability(probabilities: npt.NDArray[np.floating], truth: Labels) -> list[ReliabilityBin]:
    """The bins that hold rows, in order; the mean of |confidence - accuracy| over rows is the `ece`."""
    p = probabilities.astype(np.float64)
    top, hit = p.max(axis=1), p.argmax(axis=1) == truth
    index = confidence_bins(top)
    bins = []
    for b in np.unique(index):
        inside = index == b
        bins.append(
            ReliabilityBin(
                low=float(b / ECE_BINS),
                high=float((b + 1) / ECE_BINS),
                rows=int(inside.sum()),
                confidence=float(top[inside].mean()),
                accuracy=float(hit[inside].mean()),
            )
        )
    return bins
