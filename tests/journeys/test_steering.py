"""A run that trains is steered from outside: a lower rate, another metric, a stop; job and runner are killed."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest

from gpu_jobs.training.schedule import rate_at
from gpu_jobs.training.settings import TrainSettings
from tests.journeys.conftest import House, wait_for

EPOCHS = 150


def seen(house: House, run: str, kind: str, **fields: Any) -> dict[str, Any]:
    """The first event of a kind with these fields, awaited."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for event in house.events(run):
            if event["type"] == kind and all(event.get(name) == value for name, value in fields.items()):
                return event
        Event().wait(0.3)
    raise AssertionError(f"{kind} {fields} was never told: {house.events(run)[-3:]}")


def pid_of(path: Path) -> int:
    """The process that a file of the job host names."""
    return int(json.loads(path.read_text())["pid"])


def kill(process: int) -> None:
    """End a process for good, and wait until it is gone."""
    found = psutil.Process(process)
    os.kill(process, signal.SIGKILL)
    psutil.wait_procs([found], timeout=30)


@contextmanager
def held_still(folder: Path, orders: int) -> Iterator[None]:
    """The training job stands still in here, and goes on once it has been told so many orders."""
    job, control = pid_of(folder / "process.json"), folder / "control.json"
    os.kill(job, signal.SIGSTOP)
    try:
        yield
        deadline = time.monotonic() + 90
        while not control.exists() or len(json.loads(control.read_text())["orders"]) < orders:
            assert time.monotonic() < deadline, "the order did not reach the job"
            Event().wait(0.05)
    finally:
        os.kill(job, signal.SIGCONT)


def runner_of(house: House) -> int:
    """The process id of the house's runner."""
    mine = str(house.home / "runner.json")
    [found] = [one.pid for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[-1:] == [mine]]
    return found


@pytest.fixture(scope="module")
def waves(house: House) -> Path:
    """A seeded table that is soon learned well enough, and better for many epochs more."""
    draw, lines = random.Random(3), ["a,b,c,d,high"]
    for _ in range(6_000):
        a, b, c, d = (draw.gauss(0, 1) for _ in range(4))
        z = a * b + 0.5 * math.sin(3 * c) + 0.3 * d + draw.gauss(0, 0.2)
        lines.append(f"{a:.4f},{b:.4f},{c:.4f},{d:.4f},{'yes' if z > 0.4 else 'no'}")
    path = house.workspace / "waves.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def steered(house: House, waves: Path) -> dict[str, Any]:
    """A run that was steered three times; its job is killed, then its runner, then its job host."""
    words = ("run", waves, "--target", "high", "--no-deploy", "--epochs", EPOCHS, "--detach")
    run = house.document(*words)["run_id"]
    folder = house.workspace / "neural" / run
    job = folder / "jobs" / "train-1"
    seen(house, run, "epoch")
    with held_still(job, 1):
        slower = house.document("steer", run, "--rate", 0.5)["order"]["id"]
    first = seen(house, run, "steered", order=slower)
    kill(pid_of(job / "process.json"))
    seen(house, run, "resumed")
    with held_still(job, 2):
        kill(runner_of(house))
        judged = house.document("steer", run, "--metric", "macro_f1", "--note", "classes matter")["order"]["id"]
    second = seen(house, run, "steered", order=judged)
    seen(house, run, "epoch", epoch=15)
    with held_still(job, 3):
        kill(pid_of(folder / "jobs" / "host.json"))
        stop = house.document("steer", run, "--stop-early")["order"]["id"]
    third = seen(house, run, "steered", order=stop)
    wait_for(house, run, {"finished", "rejected"})
    return {"run": run, "folder": folder, "orders": [slower, judged, stop], "told": [first, second, third]}


def planned(folder: Path) -> Iterator[float]:
    """The learning rate at the end of each epoch, had nobody steered."""
    settings = TrainSettings.load(folder / "attempts/1/configs/training.json")
    rows = len(json.loads((folder / "data/splits.json").read_text())["train"])
    steps = math.ceil(rows / settings.batch)
    for epoch in range(1, settings.epochs + 1):
        yield rate_at(epoch * steps - 1, settings.epochs * steps, settings)


@pytest.mark.slow
def test_each_order_is_obeyed_once_whatever_was_killed(house: House, steered: dict[str, Any]) -> None:
    history = json.loads((steered["folder"] / "attempts/1/history.json").read_text())["epochs"]
    first, second, third = (event["epoch"] for event in steered["told"])
    assert first <= second <= third == len(history) < EPOCHS
    told = [event["order"] for event in house.events(steered["run"]) if event["type"] == "steered"]
    assert told == steered["orders"]
    assert {row["metric"]["name"] for row in history[second:]} == {"macro_f1"}
    factors = [row["rate"] / rate for row, rate in zip(history, planned(steered["folder"]), strict=False)]
    assert factors == pytest.approx([1.0] * first + [0.5] * (third - first))


@pytest.mark.slow
def test_that_it_was_steered_is_on_record_and_in_the_report(house: House, steered: dict[str, Any]) -> None:
    run = steered["run"]
    metrics = house.document("memory", "get", "training-metrics", "--run", run)
    assert [record["order"] for record in metrics["steered"]] == steered["orders"]
    assert (metrics["stopped"], metrics["chosen_by"], metrics["metric_name"]) == ("control", "macro_f1", "macro_f1")
    assert metrics["restored"]["equal"] and metrics["steering_missed"] == []
    kept: Any = house.document("memory", "get", "steering", "--run", run)
    assert [(one["by"], one["job"]) for one in kept] == [("cli", "train-1")] * 3 and kept[1]["note"] == "classes matter"
    document = house.document("show", run)
    assert document["status"] == "finished", document["error"]
    report = Path(document["report"]).read_text()
    assert report.count("A person steered this training after epoch") == 3
    refused = house.document("steer", run, "--rate", "0.5", code=3)
    assert refused["error"]["code"] == "run.ended"


@pytest.mark.slow
def test_it_is_compared_with_a_run_that_nobody_steered(house: House, steered: dict[str, Any], waves: Path) -> None:
    plain = house.document("run", waves, "--target", "high", "--no-deploy", "--epochs", 4, code=None)["run_id"]
    found = house.document("compare", steered["run"], plain)
    assert found["comparable"], found["why_not"]
    assert [len(row["steered"]) for row in found["runs"]] == [3, 0]
    assert found["differences"]["training.epochs"][1] == 4
    for row in found["runs"]:
        own = row["metrics"]["accuracy"]
        assert own["provenance"]["split"] == "test" and own["interval"][0] < own["value"] < own["interval"][1]
        assert row["parameters"]["value"] > 0 and row["training_seconds"]["unit"] == "s"
    assert found["best"]["run_id"] == max(found["runs"], key=lambda row: row["metrics"]["accuracy"]["value"])["run_id"]
    assert steered["run"] in house.say("compare", plain, steered["run"]).stdout
    listed = house.document("models")["models"]
    assert steered["run"] in {row["run_id"] for row in listed}
    assert all(row["bytes"] > 0 for row in listed)
