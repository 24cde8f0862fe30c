"""Learnable tables made from a seed, small networks and short settings for them, and a prepared folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpu_jobs.data.target import TargetScale
from gpu_jobs.models.architecture import Architecture, Inputs
from gpu_jobs.training.settings import TrainSettings
from gpu_jobs.training.table import Table

NUMBERS, LEVELS = 6, 12
Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]


def arrays(rows: int, classes: int, seed: int = 0) -> Arrays:
    """Numbers (n, 6), categories (n, 1), target (n,): a curved function of both, with noise."""
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(rows, NUMBERS)).astype(np.float32)
    categories = generator.integers(0, LEVELS, (rows, 1))
    z = numbers[:, 0] * numbers[:, 1] + np.sin(2 * numbers[:, 2]) + 0.2 * categories[:, 0] - 1.1
    z += 0.3 * generator.normal(size=rows)
    if not classes:
        return numbers, categories, 50.0 + 20.0 * z
    edges = np.quantile(z, np.linspace(0, 1, classes + 1)[1:-1])
    return numbers, categories, np.searchsorted(edges, z).astype(np.int64)


def make_table(rows: int = 1200, classes: int = 2, seed: int = 0) -> Table:
    """A table whose last fifth is for validation."""
    numbers, categories, target = arrays(rows, classes, seed)
    cut, scale = rows * 4 // 5, None
    if not classes:
        scale = TargetScale.fit(target[:cut], "none")
        target = scale.forward(target).astype(np.float32)
    inputs = {"numbers": torch.from_numpy(numbers), "categories": torch.from_numpy(categories)}
    y = torch.from_numpy(target)
    train = {name: tensor[:cut] for name, tensor in inputs.items()}
    held = {name: tensor[cut:] for name, tensor in inputs.items()}
    return Table(train, y[:cut], held, y[cut:], classes, scale, NUMBERS)


def make_architecture(classes: int = 2, **changes: Any) -> Architecture:
    """A small network for `make_table`."""
    task: Any = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    settings: dict[str, Any] = {
        "width": 24, "depth": 2, "members": 2, "dropout": 0.1, "number_embedding": "piecewise", "bins": 8, **changes,
    }  # fmt: skip
    return Architecture(Inputs(NUMBERS, (LEVELS,)), classes or 1, task, **settings)


def make_settings(**changes: Any) -> TrainSettings:
    """Short, quick training."""
    return TrainSettings(**{"epochs": 8, "batch": 64, "rate": 5e-3, "ema": 0.9, **changes})


def write_prepared(root: Path, rows: int = 1200, classes: int = 2) -> None:
    """What `prepare` leaves in a sandbox."""
    numbers, categories, target = arrays(rows, classes)
    (root / "data" / "encoded").mkdir(parents=True)
    np.save(root / "data" / "encoded" / "numbers.npy", numbers)
    np.save(root / "data" / "encoded" / "categories.npy", categories)
    np.save(root / "data" / "encoded" / "target.npy", target)
    cuts = [0, rows * 64 // 100, rows * 80 // 100, rows]
    names = ("train", "validation", "test")
    splits = {name: list(range(cuts[i], cuts[i + 1])) for i, name in enumerate(names)}
    (root / "data" / "splits.json").write_text(json.dumps(splits))
    learnt = TargetScale.fit(target[: cuts[1]], "none")
    scale = {"transform": "none", "mean": learnt.mean, "std": learnt.std}
    preprocessing = {"inputs": {"continuous": NUMBERS}, "target": scale if not classes else {}}
    (root / "data" / "preprocessing.json").write_text(json.dumps(preprocessing))
