"""The generated scripts of a run: training code and train.py, the attempt's server, backup, and what it watches.

Each is a rendered template or a verbatim copy; what it says comes from the run's request and configurations.
"""

from __future__ import annotations

from pathlib import Path

from gpu_jobs.machine import version_of
from phases.workspace import copy_package, copy_training_code, read_json, write_text
from templates import render
from templates.backup_sh.context import BackupShContext
from templates.requirements_train.context import RequirementsTrainContext
from templates.serve.context import ServeContext
from templates.train_py.context import TrainPyContext
from templates.training_watch.context import TrainingWatchContext

TRAINING = (
    "torch",
    "numpy",
    "polars",
    "scikit-learn",
    "safetensors",
    "onnx",
    "onnxruntime",
    "charset-normalizer",
    "psutil",
)
PROGRAM = 0o755


def write_training_scripts(root: Path, seed: int) -> None:
    """`scripts/train.py` with the verbatim training code, and the versions it was run with."""
    name = read_json(root / "attempts" / "1" / "configs" / "dataset.json")["name"]
    copy_training_code(root / "scripts" / "training_code")
    write_text(root / "scripts" / "train.py", render("train_py", TrainPyContext(name=name, run=root.name, seed=seed)))
    versions = {package: version_of(package) for package in TRAINING}
    text = render("requirements_train", RequirementsTrainContext(packages=versions))
    write_text(root / "requirements-train.txt", text)


def write_server(root: Path, attempt: int) -> None:
    """`serve.py` and the code that turns rows into arrays, into the attempt."""
    folder = root / "attempts" / str(attempt) / "scripts"
    name = read_json(root / "attempts" / str(attempt) / "configs" / "dataset.json")["name"]
    copy_package("gpu_jobs.data.rows", folder / "rows")
    write_text(folder / "serve.py", render("serve", ServeContext(name=name, version="0.0.0", run=root.name)))


def write_backup_script(root: Path) -> None:
    """`scripts/backup-checkpoints.sh`."""
    path = root / "scripts" / "backup-checkpoints.sh"
    write_text(path, render("backup_sh", BackupShContext(run=root.name)))
    path.chmod(PROGRAM)


def write_training_watch(root: Path, patience: int) -> dict[str, object]:
    """`configs/monitoring.json`: what the training reports and does by itself; returns the document."""
    context = TrainingWatchContext(run=root.name, patience=patience)
    write_text(root / "configs" / "monitoring.json", render("training_watch", context))
    return context.document
