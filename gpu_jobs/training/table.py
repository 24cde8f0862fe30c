"""The encoded table as tensors on one device: training and validation rows, never the test rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.batches import Batch, Batches, InMemoryBatches
from ..data.table import Prepared
from ..data.target import TargetScale

Inputs = dict[str, Tensor]
DEAREST = 2_000_000
"""Validation rows times classes up to which any metric is quick beside an epoch."""


@dataclass(frozen=True)
class Table:
    """Rows to learn from and rows to stop by.

    Attributes:
        train: {"numbers": float32 (n, d), "categories": int64 (n, c)}, each only when it has columns.
        target: int64 classes (n,), or the standardised float32 target.
        validation: the same inputs of the validation rows (m, ...).
        validation_target: their targets (m,).
        classes: number of classes, 0 for regression.
        scale: from the standardised target to the target's own units, None for classes.
        continuous: how many leading columns of "numbers" are continuous.
        metric: the metric to show per epoch; accuracy or RMSE where it is not named, or dear on so many rows.
        asked: a person asked for this metric while training went on: it is measured, dear or not.
    """

    train: Inputs
    target: Tensor
    validation: Inputs
    validation_target: Tensor
    classes: int
    scale: TargetScale | None = None
    continuous: int = 0
    metric: str = ""
    asked: bool = False

    def __post_init__(self) -> None:
        dear = not self.asked and len(self.validation_target) * max(self.classes, 1) > DEAREST
        if not self.metric or dear:
            object.__setattr__(self, "metric", "accuracy" if self.classes else "rmse")

    @classmethod
    def of(cls, prepared: Prepared, classes: int, device: torch.device) -> Table:
        """The training and validation rows of what `prepare` wrote; `classes` is 0 for regression."""
        train, validation = prepared.splits["train"], prepared.splits["validation"]
        scale = None if classes else TargetScale.of(prepared.preprocessing)
        return cls(
            _take(prepared, train, device),
            _target(prepared.target[train], scale).to(device),
            _take(prepared, validation, device),
            _target(prepared.target[validation], scale).to(device),
            classes,
            scale,
            prepared.continuous,
            str(prepared.preprocessing.get("metric") or ""),
        )

    @property
    def rows(self) -> int:
        """Training rows."""
        return len(self.target)

    @property
    def megabytes(self) -> float:
        """Size of all tensors held, in MB."""
        held = [*self.train.values(), *self.validation.values(), self.target, self.validation_target]
        return sum(tensor.numel() * tensor.element_size() for tensor in held) / 1e6

    def batches(self, batch: int, seed: int) -> InMemoryBatches:
        """The training rows in batches; their order is a function of (seed, epoch) alone."""
        return InMemoryBatches(self.train, self.target, batch, seed)

    def to(self, device: torch.device) -> Table:
        """The same table on another device."""
        moved = {name: tensor.to(device) for name, tensor in self.train.items()}
        held = {name: tensor.to(device) for name, tensor in self.validation.items()}
        targets = self.target.to(device), self.validation_target.to(device)
        return replace(self, train=moved, target=targets[0], validation=held, validation_target=targets[1])


def _take(prepared: Prepared, rows: NDArray[np.int64], device: torch.device) -> Inputs:
    found: Inputs = {}
    for name, array in (("numbers", prepared.numbers), ("categories", prepared.categories)):
        if array.shape[1]:
            found[name] = torch.from_numpy(np.ascontiguousarray(array[rows])).to(device)
    return found


def _target(target: NDArray[Any], scale: TargetScale | None) -> Tensor:
    """Classes, or the number in training units."""
    return torch.from_numpy(target.astype(np.int64) if scale is None else scale.forward(target).astype(np.float32))


def shards(
    batches: Batches, epoch: int, *, start: int = 0, rank: int = 0, world: int = 1
) -> Iterator[tuple[Batch, Tensor]]:
    """The batches of one epoch from step `start` on, with the whole batch's targets beside each.

    With several workers, rank r gets rows r, r + world, ... of every batch, so that all ranks together see
    exactly the batch that one process would; a short last batch may leave a rank without rows.
    """
    for inputs, target in islice(batches.epoch(epoch), start, None):
        if world == 1:
            yield (inputs, target), target
        else:
            mine = {name: tensor[rank::world] for name, tensor in inputs.items()}
            yield (mine, target[rank::world]), target
