"""Orders of a person: obeyed once, at the end of an epoch, kept by the checkpoint, the same on all workers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.training.finish import finish
from gpu_jobs.training.orders import fresh, obey
from gpu_jobs.training.progress import Progress
from tests.gpu_jobs.training.tables import make_table
from tests.gpu_jobs.training.test_loop import Watcher, history, trainer

LONG: dict[str, Any] = {"epochs": 40, "patience": 40, "checkpoint_every": 100, "schedule": "constant", "warmup": 0.0}


def orders(*given: dict[str, Any]) -> dict[str, Any]:
    return {"orders": [{"id": f"o{number}", **order} for number, order in enumerate(given, 1)]}


def test_stop_early_is_obeyed_at_the_end_of_the_epoch(tmp_path: Path) -> None:
    watch = Watcher(orders({"stop_early": True}))
    made = trainer(tmp_path, watch)
    assert made.run() == "control"
    outcome = finish(made)
    assert (outcome.epochs_run, outcome.converged) == (1, False)
    assert watch.said("steered") == [{"type": "steered", "order": "o1", "epoch": 1, "stop_early": True}]
    assert outcome.steered == [{"order": "o1", "epoch": 1, "stop_early": True}]


def test_each_rate_order_multiplies_the_rate_once(tmp_path: Path) -> None:
    watch = Watcher(orders({"rate": 0.5}))

    def order_again(epoch: int) -> None:
        if epoch == 3:
            watch.orders = orders({"rate": 0.5}, {"rate": 0.5})

    watch.at_epoch = order_again
    trainer(tmp_path, watch, epochs=5, schedule="constant", warmup=0.0).run()
    assert [row["rate"] for row in history(tmp_path)] == [5e-3, 2.5e-3, 2.5e-3, 1.25e-3, 1.25e-3]
    assert [event["epoch"] for event in watch.said("steered")] == [1, 3]


def test_more_epochs_can_be_ordered(tmp_path: Path) -> None:
    made = trainer(tmp_path, Watcher(orders({"epochs": 6})), epochs=3)
    assert made.run() == "schedule"
    assert made.progress.epoch == 6


def test_fewer_epochs_than_were_trained_end_training_there(tmp_path: Path) -> None:
    watch = Watcher()
    watch.at_epoch = lambda epoch: watch.orders.update(orders({"epochs": 1}) if epoch == 3 else {})
    made = trainer(tmp_path, watch, epochs=9)
    assert made.run() == "schedule"
    assert made.progress.steered == [{"order": "o1", "epoch": 3, "epochs": 3}]


@pytest.mark.parametrize("order", [{"rate": 0.0}, {"rate": 1e6}, {"rate": "x"}, {"epochs": 0}, {"epochs": 10**9}])
def test_an_order_out_of_its_range_changes_nothing_and_is_done(order: dict[str, Any]) -> None:
    progress = Progress(epochs=5, epoch=2)
    record = obey({"id": "o1", **order}, progress)
    assert record == {"order": "o1", "epoch": 2}
    assert (progress.rate_factor, progress.epochs) == (1.0, 5)
    assert fresh(orders(order), [record]) == []


@pytest.mark.parametrize(("classes", "metric"), [(2, "log_loss"), (2, "macro_f1"), (0, "mae")])
def test_the_best_epoch_is_chosen_by_the_metric_that_was_ordered(tmp_path: Path, classes: int, metric: str) -> None:
    made = trainer(tmp_path, Watcher(orders({"metric": metric})), make_table(900, classes), epochs=6, rate=2e-2)
    made.run()
    outcome = finish(made)
    rows = [row for row in history(tmp_path) if row["metric"]["name"] == metric]
    assert [row["epoch"] for row in rows] == [2, 3, 4, 5, 6]
    better = min if metric in ("log_loss", "mae") else max
    best = better(rows, key=lambda row: row["metric"]["value"])
    assert outcome.best_epoch in (1, best["epoch"])
    if outcome.best_epoch == best["epoch"]:
        assert outcome.metric == best["metric"]
    else:  # the first epoch, judged anew by that metric, is at least as good as each that followed
        assert better(outcome.metric["value"], best["metric"]["value"]) == outcome.metric["value"]
    assert (outcome.chosen_by, outcome.restored["equal"]) == (metric, True)


def test_the_best_so_far_is_judged_anew_when_another_metric_is_ordered(tmp_path: Path) -> None:
    watch = Watcher()
    watch.at_epoch = lambda epoch: watch.orders.update(orders({"metric": "accuracy"}) if epoch == 4 else {})
    made = trainer(tmp_path, watch, epochs=4, rate=3e-2)
    made.run()
    known = {row["epoch"]: row["metric"]["value"] for row in history(tmp_path)}
    outcome = finish(made)
    assert outcome.metric["value"] == known[outcome.best_epoch]
    by_loss = min(history(tmp_path), key=lambda row: row["validation_loss"])["epoch"]
    assert outcome.metric["value"] == max(known[by_loss], known[4])


def test_a_metric_that_cannot_be_measured_changes_nothing(tmp_path: Path) -> None:
    made = trainer(tmp_path, Watcher(orders({"metric": "no_such"})), epochs=3)
    made.run()
    assert (made.progress.chosen_by, made.table.metric) == ("loss", "accuracy")
    assert made.progress.steered == [{"order": "o1", "epoch": 1}]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_order_survives_a_kill_of_the_job_and_is_obeyed_once(jobs: Callable[..., Any], workers: int) -> None:
    """Only the checkpoint that the order itself made is there, so a job that forgot it would begin anew."""
    job = jobs("steered", workers=workers, **LONG)
    control = job.root / "jobs" / "train-1" / "control.json"
    control.parent.mkdir(parents=True)
    control.write_text(json.dumps(orders({"rate": 0.5, "metric": "macro_f1"})))
    pid = job.start()
    while not job.said("steered"):
        os.sched_yield()
    os.kill(pid, signal.SIGKILL)
    assert job.wait(pid) == -signal.SIGKILL
    result = job.finish()
    rows = json.loads((job.root / "attempts" / "1" / "history.json").read_text())["epochs"]
    [record] = result["steered"]
    assert record == {"order": "o1", "epoch": 1, "rate": 0.5, "metric": "macro_f1"}
    assert [row["rate"] for row in rows] == [5e-3] + [2.5e-3] * 39
    assert {row["metric"]["name"] for row in rows[1:]} == {"macro_f1"}
    assert len({json.dumps([event["order"], event["epoch"]]) for event in job.said("steered")}) == 1
    assert result["chosen_by"] == "macro_f1"
