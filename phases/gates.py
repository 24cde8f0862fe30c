"""Gates: named checks over measured values, evaluated from data. A check that does not apply is absent, never passed.

It reads `Measurement`s and recorded facts only; where a number has no provenance it refuses.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from memory.errors import GateRejected
from memory.measurement import Measurement

Comparison = Literal[">=", "<=", ">", "<", "==", "is"]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "is": operator.eq,
}


class Check(BaseModel):
    """One check of a gate. `measured` is a measurement, or a recorded fact (true, false, text)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    measured: Measurement | bool | str
    comparison: Comparison
    threshold: float | bool | str
    passed: bool
    blocking: bool = True
    why: str = ""


def number(
    name: str, measured: Any, comparison: Comparison, threshold: float, *, blocking: bool = True, why: str = ""
) -> Check:
    """A numeric check; `measured` must be a measurement (model or its plain dict), else pydantic refuses it."""
    found = measured if isinstance(measured, Measurement) else Measurement.model_validate(measured)
    passed = COMPARE[comparison](found.value, threshold)
    return Check(
        name=name, measured=found, comparison=comparison, threshold=threshold, passed=passed, blocking=blocking, why=why
    )


def fact(
    name: str, measured: bool | str, expected: bool | str = True, *, blocking: bool = True, why: str = ""
) -> Check:
    """A check of a recorded fact, such as "the file's hash is the attempt's"."""
    return Check(
        name=name,
        measured=measured,
        comparison="is",
        threshold=expected,
        passed=measured == expected,
        blocking=blocking,
        why=why,
    )


def passed(checks: list[Check]) -> bool:
    """Whether no blocking check failed."""
    return all(check.passed for check in checks if check.blocking)


def failures(checks: list[Check]) -> list[Check]:
    """The blocking checks that failed."""
    return [check for check in checks if check.blocking and not check.passed]


def shown(value: Measurement | bool | float | str) -> str:
    """A measured value or threshold as people read it."""
    if isinstance(value, Measurement):
        return f"{value.value:.4g} {value.unit}" if value.unit != "fraction" else f"{value.value:.4f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float | int) else value


def refuse(phase: str, checks: list[Check]) -> None:
    """Raise when a blocking check failed.

    Raises:
        GateRejected: naming each failed check with what was measured and what was needed.
    """
    if bad := failures(checks):
        told = "; ".join(
            f"{c.name}: measured {shown(c.measured)}, needed {c.comparison} {shown(c.threshold)}" for c in bad
        )
        raise GateRejected(f"the gate of {phase} refused: {told}", field=bad[0].name)
