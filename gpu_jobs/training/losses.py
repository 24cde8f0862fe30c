"""What is minimised: the mean of the members' losses; and what is compared: their mean's loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .errors import TrainingError
from .settings import TrainSettings


@dataclass(frozen=True)
class Loss:
    """The loss of a task.

    Attributes:
        kind: "cross_entropy", "mse" or "huber".
        classes: number of classes, 0 for regression.
        smoothing: label smoothing in training.
        weights: class weights (classes,) or None.
    """

    kind: str
    classes: int
    smoothing: float
    weights: Tensor | None

    @classmethod
    def of(cls, settings: TrainSettings, classes: int, device: torch.device) -> Loss:
        """The loss that `settings` ask for; raises `TrainingError` when it does not fit the task."""
        kind = settings.loss
        if kind == "auto":
            kind = "cross_entropy" if classes else "mse"
        if (kind == "cross_entropy") != bool(classes):
            fits = "cross_entropy" if classes else "mse or huber"
            raise TrainingError(
                f"loss {kind!r} does not fit the task",
                code="training.settings",
                field="loss",
                fix=f"use {fits}",
            )
        weights = settings.class_weights if classes else None
        if weights is not None and len(weights) != classes:
            raise TrainingError(
                f"{len(weights)} class_weights for {classes} classes",
                code="training.settings",
                field="class_weights",
                fix="one weight per class, in label order",
            )
        tensor = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=device)
        return cls(kind, classes, settings.label_smoothing, tensor)

    @property
    def uninformed(self) -> float:
        """The loss of a prediction that knows nothing: log(classes), or 1, the variance of the target."""
        return math.log(self.classes) if self.classes else 1.0

    def members(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Mean over members of each one's mean loss; `outputs` (k, B, O), `target` (B,)."""
        if self.classes:
            return functional.cross_entropy(
                outputs.flatten(0, 1),
                target.repeat(len(outputs)),
                weight=self.weights,
                label_smoothing=self.smoothing,
            )
        return self._distance(outputs.squeeze(-1), target.expand(outputs.shape[:2]))

    def weight_of(self, target: Tensor) -> float:
        """What `target` (B,) counts in a mean: its rows, or the sum of its class weights."""
        return float(len(target)) if self.weights is None else float(self.weights[target].sum())

    def ensemble(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Summed (not averaged) loss of the members' mean prediction, float64; without smoothing."""
        if self.classes:
            chance = outputs.double().log_softmax(-1).logsumexp(0) - math.log(len(outputs))
            weights = None if self.weights is None else self.weights.double()
            return functional.nll_loss(chance, target, weight=weights, reduction="sum")
        return self._distance(outputs.double().mean(0).squeeze(-1), target.double()) * len(target)

    def _distance(self, value: Tensor, target: Tensor) -> Tensor:
        if self.kind == "huber":
            return functional.huber_loss(value, target)
        return functional.mse_loss(value, target)
