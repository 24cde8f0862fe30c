"""`ValidationPlan`: the checks that a model of this run must pass. It judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from agents.decisions.base import AgentDecision
from agents.decisions.check import CheckDefinition, Stage


class ValidationPlan(AgentDecision):
    """The gate of the validate phase, by the ml-developer: a profile's checks that apply, and the person's
    requirements.
    """

    agent: Literal["ml-developer"] = "ml-developer"
    profile: Literal["default", "reference"]
    checks: tuple[CheckDefinition, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [check.name for check in self.checks]
        if len(set(names)) != len(names):
            raise ValueError(f"check names {names} must differ")
        return self

    def at(self, stage: Stage, results: Mapping[str, Any] | None = None) -> tuple[CheckDefinition, ...]:
        """The checks of one stage, in order; with `results`, without the shown ones that are undefined there."""
        found = tuple(check for check in self.checks if stage in check.stages)
        return found if results is None else tuple(check for check in found if check.applies(results))
