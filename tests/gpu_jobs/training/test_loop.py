"""The loop: the same seed gives the same bits, the best epoch is kept, divergence is met, orders are obeyed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from gpu_jobs.models.weights import load_network
from gpu_jobs.training.errors import TrainingError
from gpu_jobs.training.finish import Outcome, finish
from gpu_jobs.training.loop import Plan, Trainer
from gpu_jobs.training.settings import TrainSettings
from gpu_jobs.training.step import evaluate
from gpu_jobs.training.table import Table
from tests.gpu_jobs.training.tables import make_architecture, make_settings, make_table


class Watcher:
    """Keeps the events, gives fixed orders, and calls `at_epoch` with each finished epoch."""

    def __init__(self, orders: Mapping[str, Any] | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.orders = dict(orders or {})
        self.at_epoch: Callable[[int], object] = str

    @property
    def stopping(self) -> bool:
        return False

    def control(self) -> Mapping[str, Any]:
        return self.orders

    def emit(self, type: str, **fields: Any) -> None:
        self.events.append({"type": type, **fields})
        if type == "epoch":
            self.at_epoch(fields["epoch"])

    def said(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


class ToldAtStep(Watcher):
    """Is told to stop once it has been asked so often."""

    def __init__(self, step: int) -> None:
        self._left = step
        super().__init__()

    @property
    def stopping(self) -> bool:
        self._left -= 1
        return self._left < 0


def trainer(folder: Path, watch: Watcher, table: Table | None = None, **settings: Any) -> Trainer:
    table = table or make_table()
    plan = Plan(make_architecture(table.classes), make_settings(**settings), folder, "recipe")
    return Trainer(plan, table, watch)


def trained(folder: Path, table: Table | None = None, **settings: Any) -> Outcome:
    made = trainer(folder, Watcher(), table, **settings)
    made.run()
    return finish(made)


def history(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "history.json").read_text())["epochs"]
    return rows


def test_the_same_seed_gives_the_same_loss_to_the_last_bit_and_another_seed_another(tmp_path: Path) -> None:
    one, two, other = (trained(tmp_path / name, epochs=3, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert (one.train_loss, one.validation_loss) == (two.train_loss, two.validation_loss)
    assert one.weights_sha256 == two.weights_sha256
    assert one.validation_loss != other.validation_loss


@pytest.mark.parametrize("classes", [2, 3, 0])
def test_training_learns_what_the_table_holds(tmp_path: Path, classes: int) -> None:
    outcome = trained(tmp_path, make_table(1500, classes), epochs=15)
    uninformed = math.log(classes) if classes else 1.0
    assert outcome.validation_loss < 0.6 * uninformed
    assert outcome.restored["equal"]
    name, value = outcome.metric["name"], outcome.metric["value"]
    assert (name == "accuracy" and value > 0.7) if classes else (name == "rmse" and value < 15.0)


def test_training_stops_after_ten_epochs_without_a_better_loss_and_keeps_the_best(tmp_path: Path) -> None:
    watch = Watcher()
    made = trainer(tmp_path, watch, make_table(300), epochs=200, rate=3e-2, ema=0.0, schedule="constant")
    assert made.run() == "early"
    outcome = finish(made)
    rows = history(tmp_path)
    losses = [row["validation_loss"] for row in rows]
    assert outcome.best_epoch == losses.index(min(losses)) + 1
    assert outcome.epochs_run == outcome.best_epoch + 10
    assert outcome.validation_loss == min(losses)
    assert outcome.converged
    assert watch.said("early_stop") == [
        {"type": "early_stop", "epoch": outcome.epochs_run, "best_epoch": outcome.best_epoch}
    ]


def test_the_written_weights_give_the_reported_loss(tmp_path: Path) -> None:
    table = make_table()
    made = trainer(tmp_path, Watcher(), table)
    made.run()
    outcome = finish(made)
    network = load_network(made.plan.architecture, tmp_path / "models" / "weights.safetensors")
    assert evaluate(network, made.stepper.loss, table) == (outcome.validation_loss, outcome.metric["value"])


def test_every_epoch_is_an_event_and_a_history_row_with_all_its_readings(tmp_path: Path) -> None:
    watch = Watcher()
    trainer(tmp_path, watch, epochs=4).run()
    rows = history(tmp_path)
    assert [{"type": "epoch", **row} for row in rows] == watch.said("epoch")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    for name in ("train_loss", "validation_loss", "rate", "gradient_norm", "rows_per_second", "memory_mb", "seconds"):
        assert all(math.isfinite(row[name]) for row in rows), name
    assert rows[-1]["seconds_left"] == 0
    assert all(row["gpu_percent"] is None for row in rows)


def test_checkpoints_come_every_five_epochs_and_at_the_end_and_old_ones_go(tmp_path: Path) -> None:
    watch = Watcher()
    trainer(tmp_path, watch, epochs=23, patience=23).run()
    epochs = [event["epoch"] for event in watch.said("checkpoint")]
    assert {5, 10, 15, 20, 23} <= set(epochs)
    assert len(list((tmp_path / "checkpoints").glob("*.safetensors"))) <= 4
    assert not list((tmp_path / "checkpoints").glob(".*"))


def test_weights_that_become_nan_are_taken_back_to_the_last_good_checkpoint_at_a_lower_rate(tmp_path: Path) -> None:
    watch = Watcher()
    made = trainer(tmp_path, watch, epochs=10, checkpoint_every=2)
    poisoned: list[int] = []

    def poison(epoch: int) -> None:
        if epoch == 5 and not poisoned:
            poisoned.append(epoch)
            made.stepper.flat.values.fill_(math.nan)

    watch.at_epoch = poison
    assert made.run() == "schedule"
    outcome = finish(made)
    assert outcome.diverged == 1
    [event] = watch.said("divergence")
    assert event["back_to"] == 4
    assert event["rate"] == pytest.approx(0.3 * 5e-3)
    assert [row["epoch"] for row in history(tmp_path)] == list(range(1, 11))
    assert math.isfinite(outcome.validation_loss)


def test_an_exploding_rate_is_lowered_until_training_holds(tmp_path: Path) -> None:
    watch = Watcher()
    table = make_table(600, 0)
    made = trainer(tmp_path, watch, table, rate=4.0, clip_norm=1e9, warmup=0.0, ema=0.0, epochs=4)
    try:
        made.run()
        assert made.progress.diverged == len(watch.said("divergence")) > 0
    except TrainingError as error:
        assert error.code == "training.diverged"
        assert len(watch.said("divergence")) == 3


def test_after_three_returns_divergence_ends_the_run(tmp_path: Path) -> None:
    watch = Watcher()
    made = trainer(tmp_path, watch, epochs=10)
    watch.at_epoch = lambda _: made.stepper.flat.values.fill_(math.nan)
    with pytest.raises(TrainingError) as caught:
        made.run()
    assert caught.value.code == "training.diverged"
    assert len(watch.said("divergence")) == 3
    assert made.folder.newest() is not None


def test_a_budget_ends_training_with_the_best_weights(tmp_path: Path) -> None:
    made = trainer(tmp_path, Watcher(), epochs=1000, patience=1000, budget_seconds=1e-3)
    assert made.run() == "budget"
    assert finish(made).restored["equal"]


def test_being_told_to_stop_leaves_a_checkpoint_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    told = ToldAtStep(40)
    made = trainer(tmp_path, told, epochs=6, checkpoint_every=100)
    assert made.run() == "signal"
    assert made.progress.step > 0
    again = trainer(tmp_path, Watcher(), epochs=6, checkpoint_every=100)
    again.run()
    calm = trainer(tmp_path / "calm", Watcher(), epochs=6, checkpoint_every=100)
    calm.run()
    assert [row["train_loss"] for row in again.progress.history] == [row["train_loss"] for row in calm.progress.history]
    assert torch.equal(again.stepper.flat.values, calm.stepper.flat.values)


@pytest.mark.parametrize("epoch", [3, 6])
def test_an_exception_leaves_a_checkpoint_from_which_training_goes_on_to_the_same_bits(
    tmp_path: Path, epoch: int
) -> None:
    watch = Watcher()
    made = trainer(tmp_path / "hurt", watch, epochs=6, checkpoint_every=100)

    def fail(now: int) -> None:
        if now == epoch:
            raise MemoryError("no room")

    watch.at_epoch = fail
    with pytest.raises(MemoryError):
        made.run()
    assert watch.said("checkpoint")[-1]["why"] == "exception"
    again = trainer(tmp_path / "hurt", Watcher(), epochs=6, checkpoint_every=100)
    assert again.run() == "schedule"
    calm = trainer(tmp_path / "calm", Watcher(), epochs=6, checkpoint_every=100)
    calm.run()
    assert finish(again).weights_sha256 == finish(calm).weights_sha256
    assert len(history(tmp_path / "hurt")) == 6


@pytest.mark.gpu
def test_training_on_a_gpu_with_mixed_precision_learns_too(tmp_path: Path) -> None:
    outcome = trained(tmp_path, make_table(1500), epochs=15, device="cuda", mixed_precision=True)
    assert outcome.validation_loss < 0.6 * math.log(2)
    assert outcome.restored["equal"]


def test_an_absent_device_and_a_wrong_loss_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not on this machine"):
        trainer(tmp_path, Watcher(), device="tpu")
    with pytest.raises(TrainingError, match="does not fit the task"):
        trainer(tmp_path, Watcher(), loss="mse")
    with pytest.raises(TrainingError, match="3 class_weights for 2 classes"):
        trainer(tmp_path, Watcher(), class_weights=(1.0, 2.0, 3.0))


def test_a_table_without_validation_rows_stops_by_the_training_loss(tmp_path: Path) -> None:
    table = make_table(300)
    empty = {name: tensor[:0] for name, tensor in table.validation.items()}
    bare = Table(table.train, table.target, empty, table.validation_target[:0], 2, None, table.continuous)
    outcome = trained(tmp_path, bare, epochs=3)
    assert outcome.metric["value"] is None
    assert outcome.validation_loss == outcome.train_loss


def test_the_smallest_table_trains(tmp_path: Path) -> None:
    outcome = trained(tmp_path, make_table(5), epochs=2)
    assert math.isfinite(outcome.validation_loss)


def test_settings_are_the_whole_recipe(tmp_path: Path) -> None:
    settings = make_settings(epochs=2)
    again = TrainSettings.from_dict(json.loads(json.dumps(settings.as_dict())))
    assert again == settings
