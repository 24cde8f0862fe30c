"""The end of a training run: the best weights read back from disk, proven equal, and written for export."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from ..models.weights import save_network
from .errors import TrainingError
from .group import Alone
from .loop import Trainer, build
from .progress import BY_LOSS
from .resources import peak_memory_mb
from .state import put, restore
from .step import Stepper, evaluate


@dataclass(frozen=True)
class Outcome:
    """What a finished run measured; losses are of the best epoch.

    Attributes:
        epochs_run: epochs trained.
        best_epoch: the one whose weights were kept.
        chosen_by: what the best epoch was chosen by: "loss", or the metric that a person named.
        steered: one record per order of a person that was obeyed, see `orders.obey`.
        stopped: early, schedule, control or budget.
        diverged: returns to a good checkpoint.
        train_loss: training loss (with dropout and smoothing, while learning).
        validation_loss: loss of the kept weights on the validation rows.
        metric: {"name", "value"} of the kept weights on the validation rows.
        seconds: wall-clock seconds over all starts.
        rows_per_second: training rows per second, median over epochs.
        peak_memory_mb: largest resident memory of this process.
        weights_sha256: hash of models/weights.safetensors.
        restored: {"epoch", "loss_saved", "loss_restored", "equal"}: the checkpoint on disk, read back and
            evaluated in a network built anew.
        checkpoints: records of the checkpoints that are kept.
    """

    epochs_run: int
    best_epoch: int
    stopped: str
    diverged: int
    train_loss: float
    validation_loss: float
    metric: dict[str, Any]
    seconds: float
    rows_per_second: float
    peak_memory_mb: float
    weights_sha256: str
    restored: dict[str, Any]
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    chosen_by: str = BY_LOSS
    steered: list[dict[str, Any]] = field(default_factory=list)

    @property
    def converged(self) -> bool:
        """Early stopping fired, or the schedule ended."""
        return self.stopped in ("early", "schedule")


def finish(trainer: Trainer) -> Outcome:
    """Restore the best epoch from the newest checkpoint, compare its loss, write `models/weights.safetensors`.

    Call on rank 0 after `Trainer.run`. Raises `TrainingError` when no sound checkpoint is left.
    """
    plan, progress, table = trainer.plan, trainer.progress, trainer.table
    found = trainer.folder.newest()
    if found is None:
        raise TrainingError("no sound checkpoint is left after training", code="training.checkpoint")
    stepper = Stepper(build(plan.architecture, table, plan.settings.seed), plan.settings, Alone())
    put(stepper, restore(stepper, found.tensors, progress.optimiser_steps))
    stepper.network.eval()
    kept = progress.history[progress.best_epoch - 1]
    loss, metric = evaluate(stepper.network, stepper.loss, table) or (kept["train_loss"], None)
    saved = float(found.scalars["best_loss"])
    body = save_network(stepper.network, plan.folder / "models" / "weights.safetensors")
    speeds = sorted(row["rows_per_second"] for row in progress.history)
    return Outcome(
        epochs_run=progress.epoch,
        best_epoch=progress.best_epoch,
        stopped=progress.stopped or "",
        diverged=progress.diverged,
        train_loss=kept["train_loss"],
        validation_loss=loss,
        metric={"name": table.metric, "value": metric},
        seconds=progress.seconds,
        rows_per_second=speeds[len(speeds) // 2],
        peak_memory_mb=peak_memory_mb(),
        weights_sha256=hashlib.sha256(body).hexdigest(),
        restored={
            "epoch": progress.best_epoch,
            "loss_saved": saved,
            "loss_restored": loss,
            "equal": loss == saved,
        },
        checkpoints=trainer.folder.kept(),
        chosen_by=progress.chosen_by,
        steered=progress.steered,
    )
