"""The typed decisions of the three roles, one noun per file, and the record kept of each. They hold
choices, not rules.
"""

from agents.decisions.architecture_design import ArchitectureDesign
from agents.decisions.base import AgentDecision, Decision
from agents.decisions.check import CheckDefinition, CheckResult
from agents.decisions.cluster_plan import ClusterPlan
from agents.decisions.deployment_plan import DeploymentPlan
from agents.decisions.deployment_review import DeploymentReview
from agents.decisions.diagnosis import Diagnosis
from agents.decisions.rollout_verdict import RolloutVerdict
from agents.decisions.task_plan import Dropped, Feature, Split, TaskPlan
from agents.decisions.training_recovery import TrainingRecovery
from agents.decisions.validation_plan import ValidationPlan

TYPES: dict[str, type[AgentDecision]] = {
    kind.__name__: kind
    for kind in (
        TaskPlan,
        ArchitectureDesign,
        ValidationPlan,
        Diagnosis,
        ClusterPlan,
        TrainingRecovery,
        DeploymentPlan,
        DeploymentReview,
        RolloutVerdict,
    )
}

__all__ = [
    "TYPES",
    "AgentDecision",
    "ArchitectureDesign",
    "CheckDefinition",
    "CheckResult",
    "ClusterPlan",
    "Decision",
    "DeploymentPlan",
    "DeploymentReview",
    "Diagnosis",
    "Dropped",
    "Feature",
    "RolloutVerdict",
    "Split",
    "TaskPlan",
    "TrainingRecovery",
    "ValidationPlan",
]
