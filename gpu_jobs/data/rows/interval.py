"""The interval around a predicted number, as preprocessing has it: fixed at export. It measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Interval:
    """A width in the target's unit, or a factor where the target's logarithm was learned.

    Args:
        spec: ``{"level", "half_width"}``: value ± half_width; or ``{"level", "factor", "least"}``: from
            (1 + value) / factor - 1 to (1 + value) · factor - 1, which is one width around log(1 + value), and not
            below `least` where that is not None.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._half: float | None = spec.get("half_width")
        self._factor = float(spec.get("factor", 1.0))
        self._least: float | None = spec.get("least")

    @classmethod
    def of(cls, preprocessing: Mapping[str, Any]) -> Interval | None:
        """The interval of a model; None where it has none."""
        spec = preprocessing.get("interval")
        return None if spec is None else cls(spec)

    def ends(self, value: float) -> tuple[float, float]:
        """Lower and upper end around one predicted value."""
        if self._half is not None:
            return value - self._half, value + self._half
        low, high = (1.0 + value) / self._factor - 1.0, (1.0 + value) * self._factor - 1.0
        if self._least is None:
            return low, high
        return max(low, self._least), max(high, self._least)
