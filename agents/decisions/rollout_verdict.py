"""`RolloutVerdict`: whether a started version takes the traffic. It swaps nothing itself."""

from __future__ import annotations

from typing import Literal

from agents.decisions.base import AgentDecision


class RolloutVerdict(AgentDecision):
    """Promote the new version, or keep the previous one, by the cicd-engineer.

    Attributes:
        failed: Names of the roll-out checks that did not hold.
    """

    agent: Literal["cicd-engineer"] = "cicd-engineer"
    promote: bool
    failed: tuple[str, ...] = ()
