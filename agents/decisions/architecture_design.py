"""`ArchitectureDesign`: the network and how it is trained, within stated limits. It builds nothing."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from agents.decisions.base import AgentDecision
from gpu_jobs.models.architecture import Architecture
from gpu_jobs.models.errors import ModelError
from gpu_jobs.training.errors import TrainingError
from gpu_jobs.training.settings import TrainSettings

ARCHITECTURE_LIMITS: dict[str, tuple[float, float]] = {
    "width": (8, 2048),
    "depth": (1, 8),
    "dropout": (0.0, 0.7),
    "members": (1, 32),
    "embedding_size": (1, 256),
}
TRAINING_LIMITS: dict[str, tuple[float, float]] = {
    "epochs": (1, 1000),
    "batch": (1, 8192),
    "rate": (1e-6, 1.0),
    "warmup": (0.0, 0.5),
    "weight_decay": (0.0, 1.0),
    "l1": (0.0, 1.0),
    "label_smoothing": (0.0, 0.3),
    "clip_norm": (0.01, 100.0),
    "ema": (0.0, 0.9999),
    "patience": (1, 1000),
    "checkpoint_every": (1, 1000),
    "threads": (1, 256),
    "workers": (1, 64),
    "seed": (0, 2**32 - 1),
    "budget_seconds": (0.1, 30 * 86400.0),
}


def check_limits(values: dict[str, Any], limits: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """`values` itself when each limited entry that is present and not None lies within its limits.

    Raises:
        ValueError: The first entry outside its limits, with both limits.
    """
    for name, (low, high) in limits.items():
        value = values.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{name} {value!r} must be a number from {low:g} to {high:g}")
    return values


def within(name: str, value: float) -> float:
    """`value` moved to the nearest allowed one for the architecture or training entry `name`."""
    low, high = {**ARCHITECTURE_LIMITS, **TRAINING_LIMITS}[name]
    return type(value)(min(max(value, low), high))


class ArchitectureDesign(AgentDecision):
    """The network (`configs/architecture.json`) and its training (`configs/training.json`), by the
    ml-developer.

    Attributes:
        notes: What was asked for or recorded in a recipe and not used, each with its reason.
    """

    agent: Literal["ml-developer"] = "ml-developer"
    architecture: dict[str, Any]
    training: dict[str, Any]
    notes: tuple[str, ...] = Field(default=())

    @field_validator("architecture")
    @classmethod
    def _architecture(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_limits(value, ARCHITECTURE_LIMITS)
        try:
            return Architecture.from_dict(value).as_dict()
        except ModelError as error:
            raise ValueError(error.message) from error

    @field_validator("training")
    @classmethod
    def _training(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_limits(value, TRAINING_LIMITS)
        try:
            return TrainSettings.from_dict(value).as_dict()
        except TrainingError as error:
            raise ValueError(error.message) from error
