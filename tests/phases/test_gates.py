"""Gates judge measurements and facts, and nothing else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from memory.errors import GateRejected
from memory.measurement import Measurement
from phases.gates import fact, failures, number, passed, refuse, shown

PROVENANCE = {
    "run": "r-1", "job": "test", "dataset_sha256": "ab", "code_version": "src-1", "device": "cpu", "seed": 0,
    "load": 0.5, "at": "2026-11-21T10:00:00+00:00",
}  # fmt: skip


def measured(value: float, unit: str = "fraction") -> Measurement:
    return Measurement.model_validate({"value": value, "unit": unit, "provenance": PROVENANCE})


@pytest.mark.parametrize(
    ("comparison", "threshold", "good"), [(">=", 0.9, True), (">", 0.9, False), ("<=", 0.9, True), ("<", 0.5, False)]
)
def test_a_number_is_compared_as_the_check_says(comparison: str, threshold: float, good: bool) -> None:
    assert number("accuracy", measured(0.9), comparison, threshold).passed is good  # type: ignore[arg-type]


@pytest.mark.parametrize("bare", [0.97, "0.97", {"value": 0.97}, {"value": 0.97, "unit": "fraction"}, None])
def test_a_number_without_provenance_is_refused(bare: object) -> None:
    with pytest.raises(ValidationError):
        number("accuracy", bare, ">=", 0.9)


def test_an_asserted_number_is_refused() -> None:
    claimed = {"value": 0.97, "unit": "fraction", "provenance": PROVENANCE | {"kind": "asserted"}}
    with pytest.raises(ValidationError):
        number("accuracy", claimed, ">=", 0.9)


def test_only_a_blocking_check_refuses() -> None:
    shown_only = number("target", measured(0.8), ">=", 0.94, blocking=False)
    assert passed([shown_only]) and not failures([shown_only])
    refuse("validate", [shown_only])
    blocking = number("accuracy", measured(0.8), ">=", 0.9)
    with pytest.raises(GateRejected, match=r"accuracy: measured 0\.8000, needed >= 0\.9"):
        refuse("validate", [shown_only, blocking])


def test_a_fact_must_be_what_is_expected() -> None:
    assert fact("links_hold", True).passed
    assert not fact("links_hold", False).passed
    assert fact("hash", "ab12", "ab12").passed


def test_values_are_shown_as_people_read_them() -> None:
    assert shown(measured(4.0697, "ms")) == "4.07 ms"
    assert shown(measured(0.98765)) == "0.9877"
    assert (shown(True), shown(0.1), shown("ab")) == ("yes", "0.1", "ab")
