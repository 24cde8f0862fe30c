"""One optimiser step and one validation pass of a network; it knows no epochs, checkpoints or orders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from ..data.batches import Batch
from ..evaluation.metrics import ClassScores, NumberScores, Scores, point
from ..models.network import TabularNetwork, combine
from .errors import TrainingError
from .flat import FlatParameters
from .group import Group
from .losses import Loss
from .optimiser import Optimiser
from .settings import TrainSettings
from .table import Inputs, Table

CHUNK = 4096
"""Validation rows at once."""
_MIX = 0x9E3779B97F4A7C15


def device_of(settings: TrainSettings) -> torch.device:
    """The device that `settings` name; raises `TrainingError` when the machine lacks it."""
    kind = settings.device.split(":")[0]
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(kind, False):
        here = [name for name, found in present.items() if found]
        raise TrainingError(
            f"device {settings.device!r} is not on this machine",
            code="training.device",
            field="device",
            fix=f"choose one of {here}",
        )
    return torch.device(settings.device)


def reseed(device: torch.device, *numbers: int) -> None:
    """Seed the dropout of one step from (seed, epoch, step, rank): resuming needs no generator state."""
    mixed = 0
    for number in numbers:
        mixed = ((mixed ^ number) * _MIX + 0x632BE59BD9B4E019) & (2**63 - 1)
        mixed ^= mixed >> 31
    torch.default_generator.manual_seed(mixed)
    if device.type == "cuda":
        torch.cuda.manual_seed(mixed)
    elif device.type == "mps":
        torch.mps.manual_seed(mixed)


class Stepper:
    """A network with its flat parameters, optimiser and loss.

    Attributes:
        loss_sum: sum over this epoch's steps of loss times rows, float64 scalar.
        norm_sum: sum of the gradient norms before clipping, float64 scalar.
        whole: False from the first moved weight of a step until the caller has counted it.
    """

    def __init__(self, network: TabularNetwork, settings: TrainSettings, group: Group) -> None:
        self.device = device_of(settings)
        self.network = network.to(self.device)
        self.settings = settings
        self.group = group
        self.flat = FlatParameters(network)
        self.optimiser = Optimiser(self.flat, settings)
        self.loss = Loss.of(settings, network.architecture.classes, self.device)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.norm_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.whole = True
        self._autocast = settings.mixed_precision and self.device.type == "cuda"
        self._dropout = network.architecture.dropout > 0

    def begin_epoch(self) -> None:
        """Start the sums of an epoch."""
        self.loss_sum.zero_()
        self.norm_sum.zero_()

    def step(self, batch: Batch, whole: Tensor, rate: float, stop: bool = False) -> bool:
        """Forward, backward, average over the group, move; True when any rank asked to stop.

        Args:
            batch: this rank's rows.
            whole: targets of the whole batch, over all ranks.
            rate: learning rate.
            stop: this rank's wish to stop after this step.
        """
        shared = self.flat.shared
        shared.zero_()
        loss = self._backward(batch, whole)
        if self.group.world > 1:
            shared[-2] = loss
            shared[-1] = float(stop)
            self.group.sum(shared)
            loss = shared[-2].clone()
            stop = bool(shared[-1] > 0)
        self.whole = False
        self.optimiser.step(rate)
        self.loss_sum.add_(loss, alpha=len(whole))
        self.norm_sum.add_(self.optimiser.norm)
        return stop

    def _backward(self, batch: Batch, whole: Tensor) -> Tensor:
        """This rank's share of the mean loss over the whole batch; its gradients are in the flat buffer."""
        inputs, target = batch
        if not len(target):
            return torch.zeros((), device=self.device)
        if self._autocast:
            with torch.autocast("cuda", torch.bfloat16):
                outputs = self.network(**inputs)
            outputs = outputs.float()
        else:
            outputs = self.network(**inputs)
        loss = self.loss.members(outputs, target)
        if self.group.world > 1:
            loss = loss * (self.loss.weight_of(target) / self.loss.weight_of(whole))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def seed(self, epoch: int, step: int) -> None:
        """Seed this step's dropout."""
        if self._dropout:
            reseed(self.device, self.settings.seed, epoch, step, self.group.rank)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with its averaged weights (when there is an average) in evaluation mode."""
        values, average = self.flat.values, self.optimiser.average
        kept = None if average is None else values.clone()
        if average is not None:
            values.copy_(average)
        self.network.eval()
        try:
            yield
        finally:
            self.network.train()
            if kept is not None:
                values.copy_(kept)

    def validate(self, table: Table) -> tuple[float, float | None] | None:
        """(loss, metric) on the validation rows, as `evaluate`."""
        return evaluate(self.network, self.loss, table)


@torch.no_grad()
def evaluate(network: TabularNetwork, loss: Loss, table: Table) -> tuple[float, float | None] | None:
    """(loss, metric) of a network in evaluation mode on the validation rows; None when there are no rows.

    The loss is that of the members' mean prediction; the metric is the table's, in the target's own units.
    """
    target, parts = table.validation_target, []
    total = torch.zeros((), dtype=torch.float64, device=target.device)
    weight = 0.0
    for start in range(0, len(target), CHUNK):
        rows = slice(start, start + CHUNK)
        outputs = network(**_rows(table.validation, rows))
        total += loss.ensemble(outputs, target[rows])
        weight += loss.weight_of(target[rows])
        parts.append(combine(outputs, loss.classes))
    if not parts:
        return None
    return float(total) / weight, _metric(torch.cat(parts), table)


def _rows(inputs: Inputs, rows: slice) -> Inputs:
    return {name: tensor[rows] for name, tensor in inputs.items()}


def _metric(predicted: Tensor, table: Table) -> float | None:
    """The table's metric on the validation rows; None where it is undefined on them."""
    if table.metric == "accuracy":
        return float((predicted.argmax(1) == table.validation_target).double().mean())
    found, truth = predicted.double().cpu().numpy(), table.validation_target.cpu().numpy()
    if table.classes:
        scores: Scores = ClassScores(truth, found, 1 if table.classes == 2 else None)
    else:
        truth = truth.astype(np.float64)
        if table.scale is not None:
            found, truth = table.scale.inverse(found), table.scale.inverse(truth)
        scores = NumberScores(truth, found)
    return point(scores).get(table.metric)
