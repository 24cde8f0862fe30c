"""Measurements for contexts in tests, with complete provenance."""

from __future__ import annotations

from typing import Any

from memory.measurement import Measurement

TEST: dict[str, Any] = {"job": "test-1", "split": "test", "rows": 69}
BENCHMARK: dict[str, Any] = {"job": "benchmark-1", "split": None, "rows": None}


def measured(
    value: float, unit: str = "fraction", interval: tuple[float, float] | None = None, **where: Any
) -> Measurement:
    """A measurement of the run that the goldens tell of."""
    provenance = {
        "run": "r-20261121-094501-k3f9",
        "dataset_sha256": "ab" * 32,
        "code_version": "0.1.0",
        "device": "cpu",
        "seed": 0,
        "load": 0.42,
        "at": "2026-11-21T09:45:01Z",
        **(where or TEST),
    }
    return Measurement.model_validate({"value": value, "unit": unit, "interval": interval, "provenance": provenance})
