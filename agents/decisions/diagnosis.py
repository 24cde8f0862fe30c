"""`Diagnosis`: why a candidate failed and what to change next, or that the data cannot do it. It changes
nothing itself.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from agents.decisions.architecture_design import ARCHITECTURE_LIMITS, TRAINING_LIMITS, check_limits
from agents.decisions.base import AgentDecision

CHANGEABLE = {*ARCHITECTURE_LIMITS, *TRAINING_LIMITS, "number_embedding"} - {"seed", "workers", "threads"}


class Diagnosis(AgentDecision):
    """What was wrong with an attempt, by the ml-developer.

    Attributes:
        change: New values of architecture and training entries for the next attempt, empty when `stop`.
        stop: No further attempt is worth its time; the best one so far goes on to the report.
    """

    agent: Literal["ml-developer"] = "ml-developer"
    kind: Literal["under_fit", "over_fit", "unstable", "too_slow", "too_little_data", "hopeless"]
    change: dict[str, Any] = Field(default_factory=dict)
    stop: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if unknown := sorted(set(self.change) - CHANGEABLE):
            raise ValueError(f"a diagnosis cannot change {unknown}; it can change {sorted(CHANGEABLE)}")
        check_limits(self.change, {**ARCHITECTURE_LIMITS, **TRAINING_LIMITS})
        if self.stop == bool(self.change):
            raise ValueError("a diagnosis either stops or changes something")
        return self
