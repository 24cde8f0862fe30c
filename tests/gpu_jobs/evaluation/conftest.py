"""A small run folder as `prepare` and `train` leave it, with a network that really learnt its table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from gpu_jobs.data.rows import load
from gpu_jobs.data.target import TargetScale
from gpu_jobs.models.architecture import Architecture
from gpu_jobs.models.network import TabularNetwork
from gpu_jobs.models.weights import save_network
from gpu_jobs.tasks.job import Job

CITIES = [f"city{i}" for i in range(12)]


@dataclass
class RunFolder:
    """A run folder and the documents that its jobs get as arguments."""

    root: Path
    dataset: dict[str, Any]
    architecture: dict[str, Any]
    training: dict[str, Any] = field(default_factory=lambda: {"threads": 1, "class_weights": None})

    def job(self, kind: str, **args: Any) -> Job:
        given = {
            "dataset": self.dataset,
            "architecture": self.architecture,
            "training": self.training,
            "attempt_folder": "attempts/1",
            **args,
        }
        spec = {"id": f"{kind}-1", "kind": kind, "run": "r-test", "args": given, "dataset_sha256": "d" * 64}
        return Job(self.root, spec)


def raw_table(rows: int, seed: int) -> tuple[dict[str, list[Any]], np.ndarray[Any, Any]]:
    """Raw columns, and the hidden score that the target is made of: `strong` above all, then `city` and `colour`."""
    rng = np.random.default_rng(seed)
    strong, noise = rng.normal(10, 3, rows), rng.normal(0, 1, rows)
    city, colour = rng.integers(0, len(CITIES), rows), rng.integers(0, 3, rows)
    score = (strong - 10) / 3 * 2 + (city % 3 - 1) * 0.8 + (colour == 1) * 0.7 + rng.normal(0, 0.4, rows)
    columns: dict[str, list[Any]] = {
        "strong": [None if gone else float(v) for v, gone in zip(strong, rng.random(rows) < 0.05, strict=True)],
        "noise": noise.tolist(),
        "colour": [("red", "green", "blue")[c] for c in colour],
        "city": [CITIES[c] for c in city],
    }
    return columns, score


def preprocessing(task: str, labels: list[str] | None, scale: TargetScale | None) -> dict[str, Any]:
    """What `prepare` records for this table."""
    numbers = [{"field": f} for f in ("strong", "strong", "noise", "colour", "colour", "colour")]
    base: dict[str, Any] = {"markers": [], "example": None}
    document: dict[str, Any] = {
        "task": task,
        "inputs": {"numbers": numbers, "categories": [{"field": "city", "levels": len(CITIES) + 2}], "continuous": 3},
        "fields": [
            {**base, "name": "strong", "kind": "number", "median": 10.0, "scale": 4.0, "fill": 10.0}
            | {"value_at": 0, "missing_at": 1},
            {**base, "name": "noise", "kind": "number", "median": 0.0, "scale": 1.3, "fill": 0.0}
            | {"value_at": 2, "missing_at": None},
            {**base, "name": "colour", "kind": "category", "levels": ["red", "green", "blue"]}
            | {"encoding": "one_hot", "start": 3, "missing_at": None, "other_at": None},
            {**base, "name": "city", "kind": "category", "levels": CITIES, "encoding": "index", "place": 0},
        ],
        "labels": labels,
    }
    if scale is not None:
        document["target"] = {"transform": scale.transform, "mean": scale.mean, "std": scale.std}
    return document


def train_quickly(network: TabularNetwork, inputs: dict[str, torch.Tensor], target: torch.Tensor) -> None:
    """A few full-batch steps; enough to be far better than the majority."""
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        out = network(**inputs)
        if network.architecture.classes:
            loss = torch.nn.functional.cross_entropy(out.flatten(0, 1), target.repeat(out.shape[0]))
        else:
            loss = ((out.squeeze(-1) - target) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    network.eval()


def make_run(root: Path, task: str, rows: int = 600, seed: int = 0) -> RunFolder:
    """Write a run folder with one trained attempt."""
    columns, score = raw_table(rows, seed)
    splits = np.split(np.random.default_rng(seed).permutation(rows), [int(rows * 0.64), int(rows * 0.8)])
    scale, labels = None, None
    target: np.ndarray[Any, Any]
    if task == "regression":
        target = np.exp(score / 3) * 1000
        scale = TargetScale.fit(target[splits[0]], "log1p")
        shown: list[Any] = target.tolist()
    else:
        labels = ["no", "yes"] if task == "binary" else ["low", "mid", "high"]
        target = np.digitize(score, [0.5] if task == "binary" else [-0.7, 1.0])
        shown = [labels[t] for t in target]
    document = preprocessing(task, labels, scale)
    arrays = load(document).encode_columns(columns)
    write_data(root, {**columns, "goal": shown}, document, arrays, target, splits)
    arch = Architecture.from_dict(
        {
            "inputs": {"numbers": 6, "categories": [len(CITIES) + 2]},
            "outputs": len(labels or [0]),
            "task": task,
            "width": 16,
            "depth": 1,
            "members": 2,
            "dropout": 0.0,
        }
    )
    torch.manual_seed(seed)
    network = TabularNetwork(arch)
    wanted = target if scale is None else scale.forward(target).astype(np.float32)
    train = {name: torch.from_numpy(array[splits[0]]) for name, array in arrays.items()}
    train_quickly(network, train, torch.from_numpy(wanted[splits[0]]))
    save_network(network, root / "attempts" / "1" / "models" / "weights.safetensors")
    dataset = {
        "task": task,
        "target": "goal",
        "labels": labels,
        "positive": "yes" if task == "binary" else None,
        "metric": "rmse" if task == "regression" else "accuracy",
    }
    return RunFolder(root, dataset, arch.as_dict())


def write_data(
    root: Path,
    columns: dict[str, list[Any]],
    document: dict[str, Any],
    arrays: dict[str, Any],
    target: np.ndarray[Any, Any],
    splits: list[Any],
) -> None:
    data = root / "data"
    (data / "encoded").mkdir(parents=True)
    pl.DataFrame(columns).write_parquet(data / "snapshot.parquet")
    kinds = {
        name: "number" if any(isinstance(v, float) for v in values) else "category" for name, values in columns.items()
    }
    described = [{"name": n, "type": kind, "integer": False, "levels": None} for n, kind in kinds.items()]
    (data / "snapshot.json").write_text(json.dumps({"columns": described}))
    parts = dict(zip(("train", "validation", "test"), (part.tolist() for part in splits), strict=True))
    (data / "splits.json").write_text(json.dumps(parts))
    (data / "preprocessing.json").write_text(json.dumps(document))
    for name, array in arrays.items():
        np.save(data / "encoded" / f"{name}.npy", array)
    np.save(data / "encoded" / "target.npy", target)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., RunFolder]:
    """A maker of run folders: task, rows, seed and name."""

    def made(task: str, rows: int = 600, seed: int = 0, name: str = "run") -> RunFolder:
        return make_run(tmp_path / name, task, rows, seed)

    return made


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[RunFolder, dict[str, Any]]]:
    """A run of a task whose export, evaluate and test jobs ran: the folder and {"export", "evaluate", "test"}."""
    from gpu_jobs.tasks import evaluate, export, test

    kept: dict[str, tuple[RunFolder, dict[str, Any]]] = {}

    def get(task: str) -> tuple[RunFolder, dict[str, Any]]:
        if task not in kept:
            run = make_run(tmp_path_factory.mktemp(task), task)
            modules = {"export": export, "evaluate": evaluate, "test": test}
            results = {kind: module.run(run.job(kind)) for kind, module in modules.items()}
            kept[task] = run, json.loads(json.dumps(results, allow_nan=False))
        return kept[task]

    return get
