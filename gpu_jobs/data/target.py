"""The regression target's transform and scale, both ways, in NumPy. The network's export repeats it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, named

TRANSFORMS = ("none", "log1p", "asinh")
LARGEST = 1e30  # well inside float32, in which the exported graph answers


def refuse_range(target: NDArray[np.float64], name: str) -> None:
    """Refuse numbers that training could not hold.

    Raises:
        DataError: `input.target_range` when a known value is beyond ±1e30.
    """
    known = target[np.isfinite(target)]
    largest = float(np.abs(known).max(initial=0.0))
    if largest > LARGEST:
        raise DataError(
            f"the target {named([name])} reaches {largest:g}; numbers up to {LARGEST:g} can be learned",
            "input.target_range",
            field="target",
            fix="rescale it, such as to a larger unit or to its logarithm",
        )


@dataclass(frozen=True)
class TargetScale:
    """Target units to training units: ``(transform(y) - mean) / std``, both from training rows.

    Attributes:
        transform: ``none``, ``log1p`` (y > -1) or ``asinh`` (any sign).
        mean: Mean of the transformed training targets.
        std: Their standard deviation, never 0.
    """

    transform: str = "none"
    mean: float = 0.0
    std: float = 1.0

    @classmethod
    def fit(cls, target: NDArray[np.float64], transform: str) -> TargetScale:
        """The scale of these training targets, in target units, shape (n,)."""
        moved = cls(transform).forward(target)
        std = float(moved.std())
        return cls(transform, float(moved.mean()), std if std > 0 else 1.0)

    @classmethod
    def of(cls, preprocessing: Mapping[str, Any]) -> TargetScale:
        """The scale that `prepare` recorded under ``preprocessing["target"]``."""
        target = preprocessing["target"]
        return cls(target["transform"], target["mean"], target["std"])

    def forward(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Target units to training units."""
        moved = np.asarray(target, np.float64)
        if self.transform == "log1p":
            moved = np.log1p(moved)
        elif self.transform == "asinh":
            moved = np.arcsinh(moved)
        elif self.transform != "none":
            raise ValueError(f"target transform {self.transform!r} is not one of {TRANSFORMS}")
        scaled: NDArray[np.float64] = (moved - self.mean) / self.std
        return scaled

    def inverse(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Training to target units: ``none`` x·std + mean, ``log1p`` its expm1, ``asinh`` its sinh."""
        moved: NDArray[np.float64] = np.asarray(scaled, np.float64) * self.std + self.mean
        if self.transform == "log1p":
            moved = np.expm1(moved)
        elif self.transform == "asinh":
            moved = np.sinh(moved)
        return moved
