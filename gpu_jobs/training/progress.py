"""Where a training run stands, as plain data that a checkpoint keeps; tensors are kept beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Progress:
    """Scalars of a run.

    Attributes:
        epoch: epochs finished.
        step: optimiser steps finished in the epoch that has begun, 0 between epochs.
        epochs: epochs planned, orders included.
        optimiser_steps: optimiser steps in the weights.
        rate_factor: product of all corrections of the learning rate.
        best_epoch: epoch with the lowest validation loss, 0 before the first.
        best_loss: that loss.
        diverged: recoveries so far.
        ordered_rate: the rate order that `rate_factor` already contains.
        seconds: wall-clock seconds spent, over all starts.
        stopped: why training ended, or None.
        history: one row per finished epoch, as in history.json.
    """

    epochs: int
    epoch: int = 0
    step: int = 0
    optimiser_steps: int = 0
    rate_factor: float = 1.0
    best_epoch: int = 0
    best_loss: float | None = None
    diverged: int = 0
    ordered_rate: float = 1.0
    seconds: float = 0.0
    stopped: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; floats survive it to the last bit."""
        return asdict(self)

    def take(self, document: dict[str, Any]) -> None:
        """Become what `as_dict` gave."""
        for item in fields(self):
            setattr(self, item.name, document[item.name])
        self.history = [dict(row) for row in self.history]

    def improved(self, loss: float) -> bool:
        """Note this epoch's validation loss; True when it is the best so far."""
        if self.best_loss is not None and loss >= self.best_loss:
            return False
        self.best_loss, self.best_epoch = loss, self.epoch
        return True

    def ended(self, patience: int) -> str | None:
        """Why the run is over after this epoch by itself: "early", "schedule", or None."""
        if self.epoch >= self.epochs:
            return "schedule"
        return "early" if self.epoch - self.best_epoch >= patience else None
