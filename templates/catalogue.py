"""Which folder holds which artefact, and the context it takes. A folder not in this table is not rendered."""

from __future__ import annotations

from pydantic import BaseModel

from .backup_sh.context import BackupShContext
from .deploy_sh.context import DeployShContext
from .deployment_md.context import DeploymentMdContext
from .dockerfile.context import DockerfileContext
from .dockerignore.context import DockerignoreContext
from .metadata.context import MetadataContext
from .model_card.context import ModelCardContext
from .monitoring.context import MonitoringContext
from .report.context import ReportContext
from .requirements.context import RequirementsContext
from .requirements_train.context import RequirementsTrainContext
from .serve.context import ServeContext
from .train_py.context import TrainPyContext
from .training_watch.context import TrainingWatchContext
from .validation_py.context import ValidationPyContext

CONTEXTS: dict[str, type[BaseModel]] = {
    "serve": ServeContext,
    "dockerfile": DockerfileContext,
    "dockerignore": DockerignoreContext,
    "requirements": RequirementsContext,
    "requirements_train": RequirementsTrainContext,
    "deploy_sh": DeployShContext,
    "backup_sh": BackupShContext,
    "monitoring": MonitoringContext,
    "training_watch": TrainingWatchContext,
    "deployment_md": DeploymentMdContext,
    "model_card": ModelCardContext,
    "metadata": MetadataContext,
    "train_py": TrainPyContext,
    "validation_py": ValidationPyContext,
    "report": ReportContext,
}
