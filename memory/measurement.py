"""Measured numbers and, apart from them, asserted ones. It checks their shape and never measures anything.

A number that describes a model, a job, a node or an endpoint exists only as a `Measurement`. What a person or
a tool claims is an `Asserted` and can never become one: the kind of its provenance is another literal.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from memory.errors import AssertedOnly, RunError

Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Named = Annotated[str, Field(min_length=1)]


def _utc(at: str) -> str:
    moment = datetime.fromisoformat(at)
    if moment.utcoffset() != timedelta(0):
        raise ValueError(f"{at!r} is not a time in UTC, like '2026-11-21T09:45:01+00:00'")
    return at


class Provenance(BaseModel):
    """Where a measured number comes from: enough to measure it again.

    Attributes:
        run, job: Ids of the run and of the job that measured it.
        dataset_sha256: Hash of the snapshot it was measured on; empty when no data were involved.
        code_version: Version of the code that measured it.
        device: `cpu`, `cuda:0`, `mps`.
        seed: Seed of the job.
        load: One-minute load average of the machine at that moment.
        at: ISO time in UTC.
        split: `train`, `validation` or `test`, when rows of a split were read.
        rows: How many rows were read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["measured"] = "measured"
    run: Named
    job: Named
    dataset_sha256: str
    code_version: str
    device: Named
    seed: int
    load: Finite
    at: str
    split: str | None = None
    rows: int | None = None

    _at_is_utc = field_validator("at")(_utc)


class Measurement(BaseModel):
    """A finite value with its unit and provenance; `interval`: its 95 % interval (low, high), same unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Finite
    unit: Named
    provenance: Provenance
    interval: tuple[Finite, Finite] | None = None

    @field_validator("interval")
    @classmethod
    def _low_to_high(cls, interval: tuple[float, float] | None) -> tuple[float, float] | None:
        if interval is not None and interval[0] > interval[1]:
            raise ValueError(f"interval {interval!r} runs from high to low")
        return interval


class Claim(BaseModel):
    """Who claimed an asserted value, and when (ISO time in UTC)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["asserted"] = "asserted"
    by: Named
    at: str

    _at_is_utc = field_validator("at")(_utc)


class Asserted(BaseModel):
    """What a person or a tool says: kept and shown as such, never read by a gate, report or comparison."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Any
    provenance: Claim


def read_measurement(document: Any) -> Measurement:
    """The measurement in a plain document, as gates, reports and comparisons read it.

    Args:
        document: What a job result or a memory value holds where a number is expected.

    Raises:
        AssertedOnly: The document is a claim, not a measurement.
        RunError: `run.not_measured`: a bare number, NaN, or a value without complete provenance.
    """
    provenance = document.get("provenance") if isinstance(document, dict) else None
    if isinstance(provenance, dict) and provenance.get("kind") == "asserted":
        raise AssertedOnly(
            f"{document.get('value')!r} is asserted by {provenance.get('by')!r}, not measured",
            fix="measure it with a job; an asserted value is shown, but nothing is decided on it",
        )
    try:
        return Measurement.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the value"
        raise RunError(
            f"{document!r} is not a measurement: {where}: {first['msg']}",
            code="run.not_measured",
            fix="a number needs its value, unit and provenance, as a job's `measure` gives them",
        ) from error
