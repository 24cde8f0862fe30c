"""A gate's check as data, and how it is judged from measured results. It measures nothing and blocks nothing itself."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from memory.errors import AssertedOnly
from memory.measurement import Measurement

Comparison = Literal[">=", ">", "<=", "<", "is"]
Stage = Literal["candidate", "final"]
UNDEFINED: Final = "undefined"  # what a check "measured" where the job says that there is no such value
ROUNDING = 1e-9  # one row's difference in accuracy is exactly one standard error: sums of floats must not decide it


def _at_least(value: float, limit: float) -> bool:
    return value >= limit - ROUNDING


def _at_most(value: float, limit: float) -> bool:
    return value <= limit + ROUNDING


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": _at_least,
    ">": operator.gt,
    "<=": _at_most,
    "<": operator.lt,
    "is": operator.is_,
}


class CheckDefinition(BaseModel):
    """One check of the validate gate.

    The measurement at `path` in `{"scores": SCORES, "validation": SCORES, "benchmark": …, "train": …}` is compared
    with `threshold`, or with `threshold_scale` times the measurement at `threshold_path`. With comparison
    `is` the value at `path` is a recorded yes or no; with `counted` it may be a plain count of the system,
    such as its nodes.

    Attributes:
        statistic: The measurement's value, or the low or high end of its interval.
        blocking: A failure rejects the model; otherwise it is only shown.
        tasks: The tasks it applies to; elsewhere the check is absent.
        stages: `candidate` on the validation split, `final` with the test split and the generated server.
        counted: The value may be a plain whole number of things, which is no measurement of a model.
        requirement: The threshold was stated by the person.
        says: The check in plain words; what a judged check says adds which number was compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1)
    path: str
    statistic: Literal["value", "low", "high"] = "value"
    comparison: Comparison
    threshold: bool | float | None = None
    threshold_path: str | None = None
    threshold_scale: float = 1.0
    blocking: bool
    tasks: tuple[str, ...] = Field(min_length=1)
    stages: tuple[Stage, ...] = ("candidate", "final")
    counted: bool = False
    requirement: bool = False
    says: str

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.threshold is None) == (self.threshold_path is None):
            raise ValueError(f"check {self.name!r} needs a threshold or a threshold_path, and not both")
        if (self.comparison == "is") != isinstance(self.threshold, bool):
            raise ValueError(f"check {self.name!r}: comparison 'is' goes with true or false, and only with them")
        return self

    def applies(self, results: Mapping[str, Any]) -> bool:
        """False for a shown check whose value the job reports as undefined (null); a blocking one never vanishes."""
        paths = (self.path, self.threshold_path)
        return self.blocking or all(_at(results, path) is not None for path in paths if path is not None)

    def judge(self, results: Mapping[str, Any]) -> CheckResult:
        """The judged check. A value or threshold that the job could not define makes it fail, and it says so.

        Raises:
            AssertedOnly: `gate.unmeasured` when the job's results are absent, or what stands at a path was
                not measured.
        """
        found, limit = self.measured(results), self.limit(results)
        value = found.value if isinstance(found, Measurement) else found
        undefined = UNDEFINED in (value, limit)
        return CheckResult(
            name=self.name,
            measured=value,
            comparison=self.comparison,
            threshold=limit,
            passed=not undefined and _COMPARE[self.comparison](value, limit),
            blocking=self.blocking,
            says=self._told(undefined),
        )

    def measured(self, results: Mapping[str, Any]) -> Measurement | bool | int | str:
        """What the check judges, with its provenance; for an end of an interval, that end as the value.

        Returns:
            The text `UNDEFINED` where the job reports no value, such as an AUC on rows of one class.

        Raises:
            AssertedOnly: `gate.unmeasured` as in `judge`.
        """
        found = self._read(results, self.path)
        if found is None:
            return UNDEFINED
        if self.comparison == "is" and isinstance(found, bool):
            return found
        if self.counted and isinstance(found, int) and not isinstance(found, bool):
            return found
        measurement = self._measurement(found, self.path)
        if self.statistic == "value":
            return measurement
        if measurement.interval is None:
            return UNDEFINED
        end = measurement.interval[0 if self.statistic == "low" else 1]
        return measurement.model_copy(update={"value": end, "interval": None})

    def limit(self, results: Mapping[str, Any]) -> float | bool | str:
        """What the measured value is compared with; `UNDEFINED` where it is to be read and the job reports none.

        Raises:
            AssertedOnly: `gate.unmeasured` as in `judge`.
        """
        if self.threshold_path is None:
            assert self.threshold is not None  # by _one_threshold
            return self.threshold
        found = self._read(results, self.threshold_path)
        if found is None:
            return UNDEFINED
        return self.threshold_scale * self._measurement(found, self.threshold_path).value

    def _read(self, results: Mapping[str, Any], path: str) -> Any:
        """What stands at the path; None where the job's results are there and define no such value."""
        job = path.partition(".")[0]
        if results.get(job) is None:
            raise self._unmeasured(path, f"no results of {job!r}")
        return _at(results, path)

    def _told(self, undefined: bool) -> str:
        """The check in plain words, with what was compared where that is not the plain value."""
        told = self.says
        if self.statistic != "value":
            end, what = "lower" if self.statistic == "low" else "upper", self.path.rpartition(".")[2]
            told += f" (measured: {end} end of the 95 % interval of the {what.replace('_', ' ')})"
        return f"{told}; undefined on these rows, which counts as failed" if undefined else told

    def _measurement(self, found: Any, path: str) -> Measurement:
        if isinstance(found, Measurement):
            return found
        try:
            return Measurement.model_validate(found)
        except ValidationError as error:
            raise self._unmeasured(path, type(found).__name__) from error

    def _unmeasured(self, path: str, found: str) -> AssertedOnly:
        return AssertedOnly(
            f"check {self.name!r} needs a measurement at {path!r} and found {found}",
            code="gate.unmeasured",
            field=self.name,
            fix="run the job that measures it; a missing or asserted value is never judged",
        )


class CheckResult(BaseModel):
    """A judged check: one row of a gate table. Yes and no stay booleans; text says that there is no value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    measured: bool | float | str
    comparison: Comparison
    threshold: bool | float | str
    passed: bool
    blocking: bool
    says: str = ""


def _at(results: Mapping[str, Any], path: str) -> Any:
    found: Any = results
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
