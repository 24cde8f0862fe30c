"""`RulesReasoner`: picks the rule for a decision type. The expertise is in the files beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from agents.brief import Brief
from agents.decisions import (
    AgentDecision,
    ArchitectureDesign,
    ClusterPlan,
    DeploymentPlan,
    DeploymentReview,
    Diagnosis,
    RolloutVerdict,
    TaskPlan,
    TrainingRecovery,
    ValidationPlan,
)
from agents.reasoners.rules import (
    architecture,
    cluster,
    deployment,
    diagnosis,
    recovery,
    review,
    rollout,
    task_plan,
    validation,
)
from memory.errors import UsageError

D = TypeVar("D", bound=AgentDecision)

RULES: dict[type[AgentDecision], Callable[[dict[str, Any]], AgentDecision]] = {
    TaskPlan: task_plan.decide,
    ArchitectureDesign: architecture.decide,
    ValidationPlan: validation.decide,
    Diagnosis: diagnosis.decide,
    ClusterPlan: cluster.decide,
    TrainingRecovery: recovery.decide,
    DeploymentPlan: deployment.decide,
    DeploymentReview: review.decide,
    RolloutVerdict: rollout.decide,
}


class RulesReasoner:
    """Decides by written rules: free, offline, repeatable."""

    name = "rules"

    async def decide(self, brief: Brief, decision_type: type[D], context: dict[str, Any]) -> D:
        """The decision by the rules; see `Reasoner.decide`.

        Raises:
            UsageError: `usage.not_its_decision` when the role does not make this decision.
        """
        if decision_type.__name__ not in brief.decisions:
            raise UsageError(
                f"{brief.name!r} does not decide {decision_type.__name__}, but {', '.join(brief.decisions)}",
                code="usage.not_its_decision",
            )
        decision = RULES[decision_type](context)
        assert isinstance(decision, decision_type)
        return decision
