"""Several workers train the network that one process trains; a lost one ends the job clearly."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest

SAME: dict[str, Any] = {"epochs": 3, "architecture": {"dropout": 0.0}, "batch": 61}


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("asked", [{"class_weights": (1.0, 3.0)}, {"classes": 0}])
def test_workers_give_what_one_process_gives_on_the_same_batches(
    jobs: Callable[..., Any], undisturbed: Callable[..., Any], workers: int, asked: dict[str, Any]
) -> None:
    one = undisturbed(**SAME, **asked)
    many = jobs("many", workers=workers, **SAME, **asked)
    result = many.finish()
    assert result["workers"] == workers
    for ours, theirs in zip(many.losses(), one.losses(), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
    assert len(many.said("epoch")) == 3


def test_workers_killed_together_resume_to_the_same_bits(
    jobs: Callable[..., Any], undisturbed: Callable[..., Any]
) -> None:
    long = {"epochs": 12, "patience": 12, "checkpoint_every": 2, "workers": 2}
    calm = undisturbed(**long)
    killed = jobs("killed", **long)
    assert killed.interrupt(5, signal.SIGKILL) == -signal.SIGKILL
    killed.finish()
    assert killed.said("resumed")
    assert killed.losses() == calm.losses()


def test_a_killed_worker_ends_the_job_with_its_name_and_the_next_start_goes_on(
    jobs: Callable[..., Any], undisturbed: Callable[..., Any]
) -> None:
    long = {"epochs": 12, "patience": 12, "checkpoint_every": 2, "workers": 2}
    calm = undisturbed(**long)
    hurt = jobs("hurt", **long)
    pid = hurt.start()
    while not any(event["epoch"] >= 3 for event in hurt.said("epoch")):
        os.sched_yield()
    [worker] = psutil.Process(pid).children()
    worker.kill()
    assert hurt.wait(pid) == 1
    error = json.loads((hurt.root / "jobs" / "train-1" / "error.json").read_text())
    assert error["code"] == "training.worker"
    assert "worker 1" in error["message"]
    assert "SIGKILL" in error["message"]
    assert hurt.said("checkpoint")[-1]["why"] == "exception"
    hurt.finish()
    assert hurt.losses() == calm.losses()


def test_workers_die_with_the_job(jobs: Callable[..., Any]) -> None:
    job = jobs("one", epochs=1000, patience=1000, workers=3)
    pid = job.start()
    while not job.said("epoch"):
        os.sched_yield()
    workers = psutil.Process(pid).children()
    assert len(workers) == 2
    os.kill(pid, signal.SIGKILL)
    assert job.wait(pid) == -signal.SIGKILL
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive


def test_sigterm_to_the_job_stops_all_workers_after_a_checkpoint(jobs: Callable[..., Any]) -> None:
    job = jobs("one", epochs=1000, patience=1000, workers=2)
    assert job.interrupt(2, signal.SIGTERM) == 75
    assert job.said("checkpoint")[-1]["why"] == "signal"
