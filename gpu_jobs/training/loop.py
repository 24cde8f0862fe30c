"""The training loop: epochs, early stopping, checkpoints, recovery from divergence, orders from outside.

`Trainer` is the way in. A step is `step.py`'s, files are `checkpoints.py`'s, workers are `workers.py`'s.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..models.architecture import Architecture
from ..models.bins import compute_bins
from ..models.network import TabularNetwork
from .checkpoints import Checkpoint, CheckpointFolder, write_atomically
from .errors import TrainingError
from .group import Alone, Group
from .orders import fresh, obey
from .progress import BY_LOSS, Progress
from .resources import CpuMeter, gpu_percent, memory_mb
from .schedule import rate_at
from .settings import TrainSettings
from .state import capture, copied, evaluated, put, restore
from .step import Stepper
from .table import Table, shards
from .watch import Watch

RECOVERIES = 3
"""Most returns to a good checkpoint."""
RECOVERY_FACTOR = 0.3
"""What the learning rate is multiplied by at each."""
EXPLODED = 10.0
"""A training loss above this many times the loss of knowing nothing has exploded."""
LOOK_EVERY = 64
"""Steps between looks at the loss inside an epoch."""
BEST_SECONDS = 1.0
"""Least time between two checkpoints written only because the epoch was the best."""


@dataclass(frozen=True)
class Plan:
    """What to train, and where its files go.

    Attributes:
        architecture: the network.
        settings: how.
        folder: the attempt's folder; `checkpoints/`, `models/` and `history.json` are made in it.
        recipe: hash of architecture, settings and data (`recipe_hash`); only its own checkpoints are resumed.
    """

    architecture: Architecture
    settings: TrainSettings
    folder: Path
    recipe: str


def build(architecture: Architecture, table: Table, seed: int) -> TabularNetwork:
    """The untrained network: bin edges from the training rows, weights from `seed`."""
    bins = None
    if architecture.number_embedding == "piecewise" and architecture.inputs.numbers:
        columns = table.train["numbers"][:, : table.continuous or None]
        bins = compute_bins(columns.cpu().numpy(), architecture.bins)
    torch.manual_seed(seed)
    return TabularNetwork(architecture, bins).train()


class Trainer:
    """One run of one plan. After `run`, `best` holds the weights of the best epoch.

    Attributes:
        progress: scalars, as the checkpoints keep them.
        stepper: network, optimiser, loss.
        folder: its checkpoints; only rank 0 writes.
    """

    def __init__(self, plan: Plan, table: Table, watch: Watch, group: Group | None = None) -> None:
        self.plan = plan
        self.settings = plan.settings
        self.watch = watch
        self.group = group or Alone()
        torch.set_num_threads(self.settings.threads if self.group.world == 1 else 1)
        self.stepper = Stepper(build(plan.architecture, table, self.settings.seed), self.settings, self.group)
        self.table = table.to(self.stepper.device)
        self._own_metric = self.table.metric
        self.batches = self.table.batches(self.settings.batch, self.settings.seed)
        self.progress = Progress(epochs=self.settings.epochs)
        self.best: dict[str, Tensor] = {}
        self.folder = CheckpointFolder(
            plan.folder / "checkpoints",
            plan.recipe,
            compress=self.settings.compress_checkpoints,
            report=lambda name, why: watch.emit("checkpoint_skipped", name=name, why=why),
        )
        self._first = copied(capture(self.stepper, {})), self.progress.as_dict()
        self._meter = CpuMeter()
        self._clock = time.perf_counter()
        self._wrote = 0.0
        self._speed = 0.0
        self._unsaved_best = False

    # --- the run -------------------------------------------------------------------------------------------

    def run(self) -> str:
        """Train to the end; returns why it stopped: early, schedule, control, budget or signal."""
        self._resume()
        why = "exception"
        try:
            why = self._epochs()
        finally:
            if why in ("signal", "exception") and self.stepper.whole:
                with contextlib.suppress(OSError) if why == "exception" else contextlib.nullcontext():
                    self._save(why)
        return why

    def _epochs(self) -> str:
        while self.progress.stopped is None:
            verdict = self.epoch()
            if verdict == "signal":
                return verdict
            if verdict == "diverged":
                self._recover()
            else:
                self._conclude()
        return self.progress.stopped

    def epoch(self) -> str:
        """The rest of the current epoch: "done", "signal" or "diverged"."""
        progress, stepper, settings = self.progress, self.stepper, self.settings
        if progress.step == 0:
            stepper.begin_epoch()
        total = progress.epochs * self.batches.steps
        done = progress.epoch * self.batches.steps
        self._meter.read()
        began, first = time.perf_counter(), progress.step
        group = self.group
        for batch, whole in shards(self.batches, progress.epoch, start=first, rank=group.rank, world=group.world):
            stop = self.watch.stopping
            if stop and group.world == 1:
                return "signal"
            stepper.seed(progress.epoch, progress.step)
            rate = rate_at(done + progress.step, total, settings) * progress.rate_factor
            stop = stepper.step(batch, whole, rate, stop)
            progress.step += 1
            stepper.whole = True
            if stop and progress.step < self.batches.steps:
                return "signal"
            if progress.step % LOOK_EVERY == 0 and not self._sound(progress.step * settings.batch):
                return "diverged"
        self._speed = self.batches.rows * (1 - first / self.batches.steps) / (time.perf_counter() - began)
        return "done" if self._sound(self.batches.rows) else "diverged"

    def _sound(self, rows: int) -> bool:
        """Whether this epoch's mean training loss is finite and has not exploded."""
        mean = float(self.stepper.loss_sum) / rows
        return math.isfinite(mean) and mean < EXPLODED * self.stepper.loss.uninformed

    # --- the end of an epoch -------------------------------------------------------------------------------

    def _conclude(self) -> None:
        """Validate, note, report, obey, checkpoint; sets `progress.stopped` when training is over."""
        progress = self.progress
        train_loss = float(self.stepper.loss_sum) / self.batches.rows
        loss, metric, improved = self._validate(train_loss)
        if not math.isfinite(loss):
            self._recover()
            return
        self._note(train_loss, loss, metric)
        control, over = self.group.agree((dict(self.watch.control()), self._over()))
        told = [self._obey(order) for order in fresh(control, progress.steered)]
        self._unsaved_best |= improved
        ended = progress.ended(self.settings.patience)
        if any("stop_early" in record for record in told):
            ended = "control"
        self._checkpoint(ended or ("budget" if over else None), ordered=bool(told))
        self._tell(told)

    def _validate(self, train_loss: float) -> tuple[float, float | None, bool]:
        """(loss, metric, whether it is the best), the same on all ranks; closes the epoch when finite."""
        progress = self.progress
        with self.stepper.averaged():
            found = None
            if self.group.rank == 0:
                found = self.stepper.validate(self.table)
            loss, metric = self.group.agree(found) or (train_loss, None)
            if not math.isfinite(loss):
                return loss, None, False
            progress.epoch, progress.step = progress.epoch + 1, 0
            improved = progress.improved(loss, metric)
            if improved:
                self.best = evaluated(self.stepper)
        return loss, metric, improved

    def _lap(self) -> None:
        """Add the seconds since the last lap to the progress."""
        now = time.perf_counter()
        self.progress.seconds += now - self._clock
        self._clock = now

    def _over(self) -> bool:
        budget = self.settings.budget_seconds
        if budget is None:
            return False
        mean = self.progress.seconds / max(1, self.progress.epoch)
        return self.progress.seconds + mean > budget

    def _note(self, train_loss: float, loss: float, metric: float | None) -> None:
        """The history row of the epoch that just ended, and its event."""
        self._lap()
        progress, steps = self.progress, self.batches.steps
        last = rate_at(progress.epoch * steps - 1, progress.epochs * steps, self.settings)
        row = {
            "epoch": progress.epoch,
            "epochs": progress.epochs,
            "train_loss": train_loss,
            "validation_loss": loss,
            "metric": {"name": self.table.metric, "value": metric},
            "rate": last * progress.rate_factor,
            "gradient_norm": float(self.stepper.norm_sum) / steps,
            "rows_per_second": self._speed,
            "memory_mb": memory_mb(),
            "cpu_percent": self._meter.read(),
            "gpu_percent": gpu_percent(self.stepper.device),
            "seconds": progress.seconds,
            "seconds_left": progress.seconds / progress.epoch * (progress.epochs - progress.epoch),
        }
        progress.history.append(row)
        if self.group.rank == 0:
            self.watch.emit("epoch", **row)

    def _obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Obey a person's order, the same on all ranks; its record, which the next checkpoint keeps."""
        record = obey(order, self.progress)
        if order.get("metric") and self._choose_by(str(order["metric"])):
            record["metric"] = self.progress.chosen_by
        self.progress.steered.append(record)
        return record

    def _choose_by(self, metric: str) -> bool:
        """Choose the best epoch by `metric` from now on, beginning with the best so far and the one that just ended.

        False when it cannot be measured here: then nothing changes.
        """
        progress, known = self.progress, self.progress.chosen_by
        progress.chosen_by = metric
        self._show()
        with self.stepper.averaged():
            now = evaluated(self.stepper)
            put(self.stepper, self.best)
            best = self.stepper.validate(self.table) if self.group.rank == 0 else None
            put(self.stepper, now)
            latest = self.stepper.validate(self.table) if self.group.rank == 0 else None
        best, latest = self.group.agree((best, latest))
        if best is None or latest is None or (best[1] is None and latest[1] is None):
            progress.chosen_by = known
            self._show()
            return False
        progress.best_score = progress.score(*best)
        if progress.improved(*latest):
            self.best = now
        return True

    def _show(self) -> None:
        """Measure the metric by which the best epoch is chosen, or the table's own."""
        named = self.progress.chosen_by
        asked = named != BY_LOSS
        self.table = replace(self.table, metric=named if asked else self._own_metric, asked=asked)

    def _tell(self, records: list[dict[str, Any]]) -> None:
        """Report what was obeyed, once a checkpoint keeps it; told again after a restart, each under its own id."""
        if self.group.rank == 0:
            for record in records:
                self.watch.emit("steered", **record)

    def _checkpoint(self, ended: str | None, *, ordered: bool = False) -> None:
        """Write history and checkpoint when one is due; what was `ordered` is kept at once."""
        progress = self.progress
        due = ordered or progress.epoch % self.settings.checkpoint_every == 0
        calm = time.perf_counter() - self._wrote >= BEST_SECONDS
        if due or ended or (self._unsaved_best and calm):
            progress.stopped = ended
            fresh = progress.best_epoch == progress.epoch
            why = "end" if ended else "best" if fresh and not due else "interval"
            self._save(why)
        elif calm or progress.epoch == 1:
            self.write_history()
        if ended == "early" and self.group.rank == 0:
            self.watch.emit("early_stop", epoch=progress.epoch, best_epoch=progress.best_epoch)

    def write_history(self) -> None:
        """history.json: {"epochs": [row, ...], "best_epoch", "stopped"}; replaced whole."""
        if self.group.rank == 0:
            progress = self.progress
            document = {
                "epochs": progress.history,
                "best_epoch": progress.best_epoch,
                "stopped": progress.stopped,
            }
            write_atomically(self.plan.folder / "history.json", json.dumps(document).encode())

    # --- state ---------------------------------------------------------------------------------------------

    def _save(self, why: str) -> None:
        """Write checkpoint and history (rank 0), and say so; weights that already diverged are not kept."""
        if self.progress.step and not self._sound(self.progress.step * self.settings.batch):
            return
        self._lap()
        self.progress.optimiser_steps = self.stepper.optimiser.steps
        if self.group.rank == 0:
            record = self.folder.save(capture(self.stepper, self.best), self.progress.as_dict(), why)
            self.write_history()
            self.watch.emit("checkpoint", epoch=record["epoch"], why=why, sha256=record["sha256"])
        self._unsaved_best = False
        self._wrote = time.perf_counter()

    def _resume(self) -> None:
        """Go on from the newest sound checkpoint of this recipe, if there is one."""
        found = self._newest()
        if found is not None:
            self._take(found.tensors, found.scalars)
            progress = self.progress
            if progress.stopped is None and progress.epoch and not progress.step:
                progress.stopped = progress.ended(self.settings.patience)
            self.write_history()
            self.watch.emit("resumed", epoch=self.progress.epoch, step=self.progress.step, sha256=found.sha256)
            self._tell(progress.steered)

    def _newest(self) -> Checkpoint | None:
        """The checkpoint that rank 0 finds, read by every rank."""
        found = self.folder.newest() if self.group.rank == 0 else None
        name = self.group.agree(found.name if found else None)
        if name is None or found is not None:
            return found
        return self.folder.load(name)

    def _take(self, tensors: dict[str, Tensor], scalars: dict[str, Any]) -> None:
        self.progress.take(scalars)
        self._show()
        self.best = restore(self.stepper, tensors, self.progress.optimiser_steps)

    def _recover(self) -> None:
        """Back to the last good checkpoint with a lower rate; raises `TrainingError` after too many."""
        progress = self.progress
        diverged, epoch, factor = (
            progress.diverged + 1,
            progress.epoch + 1,
            progress.rate_factor * RECOVERY_FACTOR,
        )
        if diverged > RECOVERIES:
            self.stepper.whole = False
            raise TrainingError(
                f"the loss diverged again in epoch {epoch}, after {RECOVERIES} returns to a good checkpoint",
                code="training.diverged",
                field="rate",
                fix=f"a learning rate below {self.settings.rate * progress.rate_factor:.1g}",
            )
        seconds, found = progress.seconds, self._newest()
        self._take(*((found.tensors, found.scalars) if found else self._first))
        progress.diverged, progress.seconds = diverged, seconds
        progress.rate_factor = factor
        if self.group.rank == 0:
            why = "the training loss is not finite or has exploded"
            rate = self.settings.rate * factor
            self.watch.emit("divergence", epoch=epoch, why=why, rate=rate, back_to=progress.epoch)
        self._save("divergence")
