"""`TrainingRecovery`: what happens after a training job diverged or died. It restarts nothing itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agents.decisions.base import AgentDecision


class TrainingRecovery(AgentDecision):
    """The next step after trouble in training, by the neural-orchestrator.

    Attributes:
        action: `resume` from the last good checkpoint, `restart` the attempt from its beginning, or
            `give_up`.
        rate_factor: The learning rate of the next try is the last one times this.
        batch_factor: The batch of the next try is the last one times this (memory).
    """

    agent: Literal["neural-orchestrator"] = "neural-orchestrator"
    action: Literal["resume", "restart", "give_up"]
    rate_factor: float = Field(default=1.0, gt=0, le=1)
    batch_factor: float = Field(default=1.0, gt=0, le=1)
