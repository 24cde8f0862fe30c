"""How a network is trained, as checked plain data that survives JSON (`configs/training.json`).

No torch here: agents and the runner check settings without loading it. Nothing here decides; see
`gpu_jobs/models/defaults.py` for recommended values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from .errors import TrainingError

CHOICES: dict[str, tuple[str, ...]] = {
    "schedule": ("cosine", "constant"),
    "loss": ("auto", "cross_entropy", "mse", "huber"),
}
WHOLE: dict[str, tuple[int, int]] = {
    "epochs": (1, 100_000),
    "batch": (1, 1 << 20),
    "patience": (1, 100_000),
    "checkpoint_every": (1, 100_000),
    "threads": (1, 1024),
    "workers": (1, 256),
    "seed": (0, 2**63 - 1),
}
REAL: dict[str, tuple[float, float]] = {
    "rate": (1e-8, 10.0),
    "warmup": (0.0, 0.9),
    "flat": (0.0, 1.0),
    "beta2": (0.5, 0.99999),
    "weight_decay": (0.0, 10.0),
    "l1": (0.0, 10.0),
    "label_smoothing": (0.0, 0.9),
    "clip_norm": (1e-6, 1e9),
    "ema": (0.0, 0.99999),
}


@dataclass(frozen=True)
class TrainSettings:
    """Everything that, with data and architecture, decides a training run to the last bit on one machine.

    Attributes:
        epochs: most passes over the training rows.
        batch: rows of an optimiser step, over all workers together.
        rate: peak learning rate of AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101).
        warmup: share of all steps over which the rate rises linearly from near zero.
        schedule: "cosine" falls to zero over the steps after `flat`; "constant" stays.
        flat: share of all steps at the peak rate before the cosine begins (warm-up included).
        beta2: second-moment decay of AdamW.
        weight_decay: decoupled decay of weight matrices (never of biases, norms, scales).
        l1: weight of the summed absolute values of the weight matrices in the loss.
        label_smoothing: share of the target spread evenly over the classes (classification).
        clip_norm: largest global gradient norm.
        ema: decay of the exponential moving average of the weights; 0 is off.
        patience: epochs without a better validation loss before training stops.
        checkpoint_every: epochs between checkpoints.
        threads: intra-op threads of the process; one per process when workers > 1.
        class_weights: loss weight of each class in label order, or None.
        seed: seeds the weights, the order of rows and the dropout.
        workers: processes that average their gradients.
        device: "cpu", "cuda", "cuda:0", "mps" ...
        mixed_precision: autocast on a GPU; ignored on a CPU.
        loss: "auto" is cross-entropy for classes and mean squared error for numbers.
        budget_seconds: a guard on wall-clock time, or None; a run that it cut cannot be repeated by seed.
        compress_checkpoints: zstd-compress checkpoint tensors (needs `zstandard`).
    """

    epochs: int = 60
    batch: int = 256
    rate: float = 3e-3
    warmup: float = 0.05
    schedule: Literal["cosine", "constant"] = "cosine"
    flat: float = 0.3
    beta2: float = 0.95
    weight_decay: float = 0.02
    l1: float = 0.0
    label_smoothing: float = 0.0
    clip_norm: float = 1.0
    ema: float = 0.0
    patience: int = 10
    checkpoint_every: int = 5
    threads: int = 1
    class_weights: tuple[float, ...] | None = None
    seed: int = 0
    workers: int = 1
    device: str = "cpu"
    mixed_precision: bool = False
    loss: Literal["auto", "cross_entropy", "mse", "huber"] = "auto"
    budget_seconds: float | None = None
    compress_checkpoints: bool = False

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> TrainSettings:
        """Read a JSON document; raises `TrainingError` naming the first field that is unknown or wrong."""
        known = {f.name for f in fields(cls)}
        for name in document:
            if name not in known:
                raise _refuse(name, f"unknown training field {name!r}", f"known fields: {sorted(known)}")
        values = dict(document)
        if isinstance(values.get("class_weights"), list):
            values["class_weights"] = tuple(values["class_weights"])
        return cls(**values)

    @classmethod
    def load(cls, path: Path) -> TrainSettings:
        """Read `configs/training.json`; raises `TrainingError` when it is not such a document."""
        try:
            document = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise _refuse("training", f"{str(path)!r} is not JSON: {error}", "write it again") from error
        if not isinstance(document, dict):
            raise _refuse("training", f"{str(path)!r} holds no JSON object", "write it again")
        return cls.from_dict(document)

    def as_dict(self) -> dict[str, Any]:
        """The JSON document; `from_dict` gives back equal settings."""
        document = asdict(self)
        document["class_weights"] = None if self.class_weights is None else list(self.class_weights)
        return document


def recipe_hash(*documents: Mapping[str, Any] | str) -> str:
    """SHA-256 of what a checkpoint belongs to: architecture, settings, data. Another is never resumed."""
    text = json.dumps(documents, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse(name: str, message: str, fix: str) -> TrainingError:
    return TrainingError(message, code="training.settings", field=name, fix=fix)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(settings: TrainSettings) -> None:
    """Raise `TrainingError` for the first field that is out of its range."""
    for name, allowed in CHOICES.items():
        value = getattr(settings, name)
        if value not in allowed:
            raise _refuse(name, f"{name} {value!r} is not one of {allowed}", f"use {allowed[0]!r}")
    for name, (low, high) in WHOLE.items():
        value = getattr(settings, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _refuse(name, f"{name} {value!r} is not a whole number from {low} to {high}", f"{low} to {high}")
    for name, (least, most) in REAL.items():
        value = getattr(settings, name)
        if not _number(value) or not least <= value <= most:
            raise _refuse(name, f"{name} {value!r} is not between {least} and {most}", f"{least} to {most}")
    _check_rest(settings)


def _check_rest(settings: TrainSettings) -> None:
    weights, budget = settings.class_weights, settings.budget_seconds
    if weights is not None and not all(_number(weight) and 0 < weight < 1e6 for weight in weights):
        raise _refuse("class_weights", f"class_weights {weights!r} must all be above 0", "one number per class")
    if budget is not None and not (_number(budget) and budget > 0):
        raise _refuse("budget_seconds", f"budget_seconds {budget!r} is not above 0", "seconds, or null")
    for name in ("mixed_precision", "compress_checkpoints"):
        if not isinstance(getattr(settings, name), bool):
            raise _refuse(name, f"{name} {getattr(settings, name)!r} is neither true nor false", "true or false")
    if not isinstance(settings.device, str) or not settings.device:
        raise _refuse("device", f"device {settings.device!r} is no device name", "cpu, cuda, mps")
