"""The generated training script, without the package it came from: it repeats a real run and notices any other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.tasks.job import Job
from templates import render
from templates.train_py.context import TrainPyContext

ROOT = Path(__file__).parents[2]
SEED = 3
ISOLATED = """
import importlib.util, runpy, sys
sys.path = [path for path in sys.path if path != {root!r}]
assert importlib.util.find_spec("gpu_jobs") is None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _job(root: Path, kind: str, **args: Any) -> Job:
    job = Job(root, {"id": kind, "kind": kind, "run": "r-1", "seed": SEED, "args": args})
    job.folder.mkdir(parents=True)
    return job


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over the penguins up to its test, and the workspace that it leaves."""
    from gpu_jobs.tasks import export, prepare, snapshot, test, train

    root = tmp_path_factory.mktemp("run")
    facts = snapshot.run(_job(root, "snapshot", source=str(ROOT / "examples" / "penguins.csv")))
    dataset = {
        "task": "multiclass",
        "target": "species",
        "metric": "accuracy",
        "positive": None,
        "features": [{"name": c["name"], "kind": c["type"]} for c in facts["columns"] if c["name"] != "species"],
        "split": {"method": "stratified", "fractions": [0.64, 0.16, 0.2], "seed": 0},
    }
    prepared = prepare.run(_job(root, "prepare", dataset=dataset))
    dataset["labels"] = prepared["labels"]
    inputs = {key: prepared["inputs"][key] for key in ("numbers", "categories")}
    architecture = {"kind": "tabular", "inputs": inputs, "outputs": 3, "task": "multiclass", "width": 32}
    given = {"architecture": architecture, "training": {"epochs": 6, "seed": SEED}, "attempt_folder": "attempts/1"}
    train.run(_job(root, "train", **given))
    export.run(_job(root, "export", architecture=architecture, attempt_folder="attempts/1"))
    tested = test.run(_job(root, "test", **given, dataset=dataset, champion=None))
    documents = {"architecture": architecture, "training": given["training"], "dataset": dataset}
    for folder in ("configs", "models", "scripts"):
        (root / folder).mkdir()
    for name, document in documents.items():
        (root / "configs" / f"{name}.json").write_text(json.dumps(document))
    (root / "models" / "model-metadata.json").write_text(json.dumps({"metrics": tested["metrics"]}))
    for package in ("data", "models", "training", "evaluation", "export"):
        source, target = ROOT / "gpu_jobs" / package, root / "scripts" / "training_code" / package
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    script = render("train_py", TrainPyContext(name="penguins", run="r-1", seed=SEED))
    (root / "scripts" / "train.py").write_text(script)
    shutil.rmtree(root / "data" / "encoded")
    (root / "data" / "preprocessing.json").unlink()
    return root


def _train(workspace: Path, out: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the script in an interpreter that cannot import this project."""
    script = str(workspace / "scripts" / "train.py")
    command = [sys.executable, "-P", "-c", ISOLATED.format(root=str(ROOT)), script, "--out", str(out), *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=170, cwd=out.parent)


def test_the_script_reproduces_the_recorded_test_metrics(workspace: Path, tmp_path: Path) -> None:
    done = _train(workspace, tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    recorded = json.loads((workspace / "models" / "model-metadata.json").read_text())["metrics"]
    assert done.stdout.count("same  ") == len(recorded) > 3
    assert "epoch    6/6" in done.stdout
    original = (workspace / "attempts" / "1" / "models" / "weights.safetensors").read_bytes()
    assert (tmp_path / "out" / "models" / "weights.safetensors").read_bytes() == original


def test_another_metric_and_other_rows_are_noticed(workspace: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(workspace, changed)
    path = changed / "models" / "model-metadata.json"
    document = json.loads(path.read_text())
    document["metrics"]["accuracy"]["value"] -= 0.01
    path.write_text(json.dumps(document))
    done = _train(changed, tmp_path / "out", "--quiet")
    assert done.returncode == 1 and "OTHER" in done.stdout and "NOT the recorded ones" in done.stdout
    splits = json.loads((changed / "data" / "splits.json").read_text())
    splits["test"] = splits["test"][1:]
    (changed / "data" / "splits.json").write_text(json.dumps(splits))
    done = _train(changed, tmp_path / "out", "--quiet")
    assert done.returncode == 2 and "the test rows are not those of data/splits.json" in done.stderr
