"""Every golden file and what it is rendered from: (artefact, context) by path below templates/."""

from __future__ import annotations

from pydantic import BaseModel

from templates.backup_sh.context import BackupShContext
from templates.deploy_sh.context import DeployShContext
from templates.deployment_md.context import DeploymentMdContext
from templates.dockerfile.context import DockerfileContext
from templates.dockerignore.context import DockerignoreContext
from templates.metadata.context import MetadataContext
from templates.model_card.context import ModelCardContext
from templates.monitoring.context import MonitoringContext
from templates.requirements.context import RequirementsContext
from templates.requirements_train.context import RequirementsTrainContext
from templates.serve.context import ServeContext
from templates.train_py.context import TrainPyContext
from templates.training_watch.context import TrainingWatchContext
from templates.validation_py.context import ValidationPyContext
from tests.templates.measured import measured
from tests.templates.report_cases import HOSTILE, PASSED, REJECTED

RUN = "r-20261121-094501-k3f9"
ROW = {"island": "Torger'sen", "bill_length_mm": 39.1, "sex": None}
_MONITORING = MonitoringContext(name="penguins", run=RUN, url="http://127.0.0.1:8123", latency_ms=20.0)
_CARD = ModelCardContext(
    name="penguins",
    version="1.0.0",
    run=RUN,
    created="2026-11-21T09:45:19Z",
    goal="which penguin is this?",
    task="multi-class classification",
    target="species",
    labels=("Adelie", "Chinstrap", "Gentoo"),
    primary="accuracy",
    metrics={"accuracy": measured(0.9565, interval=(0.8986, 0.9899)), "log_loss": measured(0.1123, "nats")},
    baselines=PASSED.baselines,
    rows={"training": 220, "validation": 55, "test": 69},
    split="stratified, seed 0",
    dataset_sha256="ab" * 32,
    source="penguins.csv",
    features=(("bill_length_mm", "number"), ("island", "category")),
    dropped=(("row_id", "identifies rows"),),
    notes=("11 missing values in sex",),
    limits=("14 test rows of Chinstrap: its recall is uncertain.",),
    architecture="2 layers of 64, 5,123 parameters",
)
_HOSTILE_CARD = _CARD.model_copy(
    update={
        "name": HOSTILE,
        "goal": HOSTILE,
        "target": HOSTILE,
        "labels": (HOSTILE,),
        "features": ((HOSTILE, "text"),),
        "limits": (HOSTILE,),
        "rejected": REJECTED.checks,
        "override": REJECTED.override,
        "baselines": (),
    }
)
_METADATA = MetadataContext(
    name="penguins",
    version="1.0.0",
    run=RUN,
    created="2026-11-21T09:45:19Z",
    task="multiclass",
    target="species",
    labels=("Adelie", "Chinstrap", "Gentoo"),
    fields=({"name": "island", "kind": "category", "required": False, "example": "Torgersen"},),
    example=ROW,
    metrics={"accuracy": measured(0.9565, interval=(0.8986, 0.9899))},
    files={"model.onnx": "cd" * 32},
    lineage={"dataset_sha256": "ab" * 32, "attempt": 1, "parent": None, "rejected": [], "override": None},
    versions={"torch": "2.13.0"},
    versions_at="training",
)
_GUIDE = DeploymentMdContext(
    name="penguins",
    version="1.0.0",
    run=RUN,
    url="http://127.0.0.1:8123",
    example=ROW,
    answer={"predictions": [{"label": "Adelie", "probabilities": {"Adelie": 0.98}}]},
    files=(("models/model.onnx", "cd" * 32),),
    previous="0.9.0",
)

CASES: dict[str, tuple[str, BaseModel]] = {
    "serve/golden/serve.py": ("serve", ServeContext(name="penguins", version="1.0.0", run=RUN)),
    "serve/golden/hostile.py": ("serve", ServeContext(name=HOSTILE, version='1"""0', run="r\n1")),
    "dockerfile/golden/Dockerfile": ("dockerfile", DockerfileContext(name="penguins", version="1.0.0", run=RUN)),
    "dockerfile/golden/attempt.Dockerfile": (
        "dockerfile",
        DockerfileContext(
            name=HOSTILE,
            version="1.0.0",
            run="r-1",
            base="registry.example:5000/python:3.12-slim@sha256:" + "0" * 64,
            server="attempts/2/scripts",
            models="attempts/2/models",
            port=9000,
        ),
    ),
    "dockerignore/golden/penguins.dockerignore": ("dockerignore", DockerignoreContext()),
    "dockerignore/golden/attempt.dockerignore": (
        "dockerignore",
        DockerignoreContext(server="attempts/2/scripts", models="attempts/2/models"),
    ),
    "requirements/golden/requirements.txt": ("requirements", RequirementsContext()),
    "requirements_train/golden/requirements-train.txt": (
        "requirements_train",
        RequirementsTrainContext(packages={"numpy": "2.4.6", "torch": "2.13.0+cpu", "polars": "2.1.0"}),
    ),
    "deploy_sh/golden/deploy.sh": ("deploy_sh", DeployShContext(name="penguins", version="1.0.0")),
    "backup_sh/golden/backup-checkpoints.sh": ("backup_sh", BackupShContext(run=RUN)),
    "monitoring/golden/rules.yml": ("monitoring.rules.yml", _MONITORING),
    "monitoring/golden/prometheus.yml": ("monitoring.prometheus.yml", _MONITORING),
    "monitoring/golden/unserved.yml": ("monitoring.prometheus.yml", _MONITORING.model_copy(update={"url": None})),
    "training_watch/golden/monitoring.json": ("training_watch", TrainingWatchContext(run=RUN, patience=10)),
    "deployment_md/golden/DEPLOYMENT.md": ("deployment_md", _GUIDE),
    "deployment_md/golden/first.md": (
        "deployment_md",
        _GUIDE.model_copy(update={"name": "Penguins_2", "url": None, "previous": None, "answer": None}),
    ),
    "model_card/golden/MODEL_CARD.md": ("model_card", _CARD),
    "model_card/golden/hostile.md": ("model_card", _HOSTILE_CARD),
    "metadata/golden/model-metadata.json": ("metadata", _METADATA),
    "train_py/golden/train.py": ("train_py", TrainPyContext(name="penguins", run=RUN)),
    "validation_py/golden/validation.py": ("validation_py", ValidationPyContext(name="penguins", run=RUN)),
    "report/golden/performance-report.md": ("report.md", PASSED),
    "report/golden/performance-report.html": ("report.html", PASSED),
    "report/golden/rejected.md": ("report.md", REJECTED),
    "report/golden/rejected.html": ("report.html", REJECTED),
}
