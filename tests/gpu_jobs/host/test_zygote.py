"""Torch jobs are forked from one warm process; whoever dies, the jobs go on and the others are not kept waiting."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpu_jobs.host import processes


async def test_torch_is_imported_once_and_before_the_torch_jobs_are_forked(place: Any) -> None:
    """Both jobs are children of one warm process, which is not the host."""
    one, two = await place.run("train", "train-1"), await place.run("train", "train-2")
    assert one.state == two.state == "done", (one, two)
    assert one.result["torch"] and two.result["torch"]
    host = json.loads((place.root / "jobs/host.json").read_text())["pid"]
    assert one.result["parent"] == two.result["parent"] != host
    assert (place.root / "jobs/host.log").read_text().count("torch ready") == 1


async def test_without_torch_the_torch_job_fails_with_the_import_error(
    place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no torch on this machine')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = await place.run("train")
    assert (outcome.state, outcome.error["code"]) == ("failed", "job.crashed")
    assert "no torch on this machine" in outcome.error["message"]


async def test_a_job_that_needs_nothing_warm_does_not_have_torch_imported(place: Any) -> None:
    assert (await place.run("snapshot")).state == "done"
    host = json.loads((place.root / "jobs/host.json").read_text())["pid"]
    living = [one for one in psutil.Process(host).children() if one.status() != psutil.STATUS_ZOMBIE]
    assert living == [], "the job has ended, and nobody imports torch"


async def test_a_torch_free_job_is_not_kept_waiting_while_torch_is_imported(place: Any) -> None:
    train = place.start("train")
    outcome = await place.run("noop")
    assert outcome.state == "done"
    assert not (place.root / "jobs/train-1/exit").exists()
    assert (await train.outcome()).state == "done"


async def test_a_killed_warm_process_leaves_its_job_running_and_another_one_takes_its_place(place: Any) -> None:
    job = place.start("evaluate")
    zygote = (await job.said("ready"))["parent"]
    os.kill(zygote, signal.SIGKILL)
    assert (await place.run("train")).result["parent"] != zygote
    await place.jobs.control("evaluate-1", {"stop_early": True})
    assert (await job.outcome()).state == "done"
    assert (place.root / "starts").read_text() == "start\n"


async def test_with_the_host_the_warm_process_leaves_and_its_job_is_adopted(place: Any, eventually: Any) -> None:
    job = place.start("evaluate")
    zygote = processes.identity((await job.said("ready"))["parent"])
    host = json.loads((place.root / "jobs/host.json").read_text())
    os.kill(host["pid"], signal.SIGKILL)
    await eventually(lambda: not processes.alive(zygote))
    await place.jobs.cancel("evaluate-1")
    assert (await job.outcome()).state == "cancelled"
    assert (place.root / "starts").read_text() == "start\n"


async def test_a_killed_torch_job_is_lost_and_the_signal_of_a_crashed_one_is_named(place: Any) -> None:
    job = place.start("evaluate")
    await job.said("ready")
    process = json.loads((place.root / "jobs/evaluate-1/process.json").read_text())
    os.kill(process["pid"], signal.SIGKILL)
    assert (await job.outcome()).state == "lost"
    again = place.start("evaluate")
    await again.said("ready", times=2)
    process = json.loads((place.root / "jobs/evaluate-1/process.json").read_text())
    os.kill(process["pid"], signal.SIGABRT)
    outcome = await again.outcome()
    assert (outcome.state, outcome.code) == ("failed", 134)
    assert "SIGABRT" in outcome.error["message"]


async def test_a_torch_job_that_is_cancelled_before_torch_is_there_never_runs(place: Any) -> None:
    job = place.start("evaluate")
    await asyncio.to_thread(_wait_for, place.root / "jobs/host.json")
    await place.jobs.cancel("evaluate-1", grace=0.2)
    assert (await job.outcome()).state == "cancelled"
    assert not (place.root / "starts").exists()


def _wait_for(path: Path) -> None:
    while not path.exists():
        os.sched_yield()
