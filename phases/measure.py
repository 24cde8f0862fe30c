"""Measurements that the runner itself takes (round trips, free memory): a value with full provenance or none."""

from __future__ import annotations

import os
from typing import Any

from memory.measurement import Measurement, Provenance
from phases.active_run import ActiveRun
from phases.clock import now


def measurement(active: ActiveRun, value: float, unit: str, *, job: str, device: str = "cpu") -> Measurement:
    """A measurement made by this runner in step `job`."""
    provenance = Provenance(
        run=active.id,
        job=job,
        dataset_sha256=active.dataset_sha256,
        code_version=active.request.code_version,
        device=device,
        seed=active.seed,
        load=os.getloadavg()[0],
        at=now(),
    )
    return Measurement(value=value, unit=unit, provenance=provenance)


def measured(found: dict[str, Any]) -> Measurement:
    """The measurement that a job's result holds as plain data.

    Raises:
        pydantic.ValidationError: it has no provenance, or is asserted.
    """
    return Measurement.model_validate(found)
