"""`DeploymentPlan`: under which name and version a model is served. It starts nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agents.decisions.base import AgentDecision


class DeploymentPlan(AgentDecision):
    """Name, version and roll-back of a deployment, by the cicd-engineer; `DeploymentReview` is the ml-developer's.

    Attributes:
        name: Name of the deployment: lower-case letters, digits and hyphens.
        version: Semantic version of the model.
        keep_previous: The version served before is kept to roll back to.
        needs_approval: Policy asks a person first.
    """

    agent: Literal["cicd-engineer"] = "cicd-engineer"
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    version: str = Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")
    keep_previous: bool
    needs_approval: bool = False
