"""`DeploymentReview`: what the ml-developer says of a deployment plan. It changes no plan."""

from __future__ import annotations

from typing import Literal

from agents.decisions.base import AgentDecision


class DeploymentReview(AgentDecision):
    """Agreement with a `DeploymentPlan`, or what speaks against it.

    Attributes:
        approves: The plan may be carried out.
        objections: What speaks against it, in plain words; empty when approved.
    """

    agent: Literal["ml-developer"] = "ml-developer"
    approves: bool
    objections: tuple[str, ...] = ()
