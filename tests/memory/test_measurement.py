"""Measurements and claims: what is refused by type and at runtime."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from memory.errors import AssertedOnly, RunError
from memory.measurement import Asserted, Measurement, Provenance, read_measurement

AT = "2026-11-21T09:45:01+00:00"
PROVENANCE: dict[str, Any] = {
    "kind": "measured",
    "run": "r-20261121-094501-k3f9",
    "job": "test-1",
    "dataset_sha256": "ab" * 32,
    "code_version": "0.1.0",
    "device": "cpu",
    "seed": 0,
    "load": 0.5,
    "at": AT,
}


def document(**changes: Any) -> dict[str, Any]:
    return {"value": 0.9, "unit": "fraction", "provenance": PROVENANCE} | changes


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["fraction", "ms", "MB"]))
def test_a_measurement_survives_json_to_the_last_bit(value: float, unit: str) -> None:
    measured = read_measurement(document(value=value, unit=unit))
    assert Measurement.model_validate_json(measured.model_dump_json()) == measured
    assert measured.value == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.9", True, None])
def test_a_value_that_is_not_a_finite_number_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Measurement.model_validate(document(value=value))


@pytest.mark.parametrize("missing", ["run", "job", "dataset_sha256", "code_version", "device", "seed", "load", "at"])
def test_a_number_without_complete_provenance_is_not_a_measurement(missing: str) -> None:
    holed = {name: kept for name, kept in PROVENANCE.items() if name != missing}
    with pytest.raises(RunError, match=missing) as caught:
        read_measurement(document(provenance=holed))
    assert caught.value.code == "run.not_measured"


@pytest.mark.parametrize("bare", [0.9, None, {"value": 0.9, "unit": "fraction"}, {}, "0.9"])
def test_a_bare_number_is_not_a_measurement(bare: object) -> None:
    with pytest.raises(RunError):
        read_measurement(bare)


def test_a_claim_can_never_become_a_measurement() -> None:
    claim = Asserted.model_validate({"value": 0.99, "provenance": {"kind": "asserted", "by": "chat", "at": AT}})
    with pytest.raises(AssertedOnly, match=r"0\.99 is asserted by 'chat'"):
        read_measurement(claim.model_dump())
    with pytest.raises(ValidationError):
        Measurement.model_validate(document(provenance=claim.provenance.model_dump()))
    with pytest.raises(ValidationError):
        Provenance.model_validate(PROVENANCE | {"kind": "asserted"})


@pytest.mark.parametrize("changes", [{"interval": [2.0, 1.0]}, {"interval": [0.0, float("nan")]}, {"extra": 1}])
def test_a_backward_interval_and_unknown_fields_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Measurement.model_validate(document(**changes))


def test_a_local_time_is_refused() -> None:
    with pytest.raises(RunError, match="UTC"):
        read_measurement(document(provenance=PROVENANCE | {"at": "2026-11-21T09:45:01+01:00"}))


def test_a_measurement_cannot_be_changed() -> None:
    measured = read_measurement(document())
    with pytest.raises(ValidationError):
        measured.value = 1.0  # type: ignore[misc]
