"""Where a training run stands, as plain data that a checkpoint keeps; tensors are kept beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..evaluation.metrics import higher_is_better

BY_LOSS = "loss"


@dataclass
class Progress:
    """Scalars of a run.

    Attributes:
        epoch: epochs finished.
        step: optimiser steps finished in the epoch that has begun, 0 between epochs.
        epochs: epochs planned, orders included.
        optimiser_steps: optimiser steps in the weights.
        rate_factor: product of all corrections of the learning rate.
        best_epoch: the best epoch so far, 0 before the first: that with the lowest validation loss, unless a person
            chose a metric.
        best_loss: its validation loss.
        best_score: what the choice goes by, lower is better: that loss, or the metric with its sign.
        chosen_by: "loss", or the name of the metric by which the best epoch is chosen.
        diverged: recoveries so far.
        seconds: wall-clock seconds spent, over all starts.
        stopped: why training ended, or None.
        steered: one record per order of a person that was obeyed, see `orders.obey`.
        history: one row per finished epoch, as in history.json.
    """

    epochs: int
    epoch: int = 0
    step: int = 0
    optimiser_steps: int = 0
    rate_factor: float = 1.0
    best_epoch: int = 0
    best_loss: float | None = None
    best_score: float | None = None
    chosen_by: str = BY_LOSS
    diverged: int = 0
    seconds: float = 0.0
    stopped: str | None = None
    steered: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; floats survive it to the last bit."""
        return asdict(self)

    def take(self, document: dict[str, Any]) -> None:
        """Become what `as_dict` gave; a checkpoint of before there were orders has chosen by the loss."""
        known = {"best_score": document["best_loss"], "chosen_by": BY_LOSS, "steered": [], **document}
        for item in fields(self):
            setattr(self, item.name, known[item.name])
        self.history = [dict(row) for row in self.history]
        self.steered = [dict(record) for record in self.steered]

    def score(self, loss: float, metric: float | None) -> float | None:
        """What the choice of the best epoch goes by, lower is better; None where the metric is undefined."""
        if self.chosen_by == BY_LOSS:
            return loss
        return metric if metric is None or not higher_is_better(self.chosen_by) else -metric

    def improved(self, loss: float, metric: float | None = None) -> bool:
        """Note this epoch's validation loss and metric; True when it is the best so far."""
        score = self.score(loss, metric)
        if self.best_loss is not None and (score is None or (self.best_score is not None and score >= self.best_score)):
            return False
        self.best_loss, self.best_score, self.best_epoch = loss, score, self.epoch
        return True

    def ended(self, patience: int) -> str | None:
        """Why the run is over after this epoch by itself: "early", "schedule", or None."""
        if self.epoch >= self.epochs:
            return "schedule"
        return "early" if self.epoch - self.best_epoch >= patience else None
