"""A whole run whose jobs need more memory than they may have: how it ends, and that it goes on without the limit."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.journeys.conftest import House


@pytest.fixture(scope="module")
def long_table(house: House) -> Path:
    """A seeded table that needs some hundred MB to train on; 19 of 20 rows follow one column."""
    draw = random.Random(3)
    path = house.workspace / "long.csv"
    with path.open("w") as file:
        file.write(",".join(f"x{i}" for i in range(12)) + ",above\n")
        for _ in range(60_000):
            values = [draw.random() for _ in range(12)]
            above = (values[0] > 0.5) != (draw.random() < 0.05)
            file.write(",".join(f"{value:.4f}" for value in values) + (",yes\n" if above else ",no\n"))
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_beyond_its_memory_fails_naming_the_limit_and_resumes_without_it(house: House, long_table: Path) -> None:
    narrow = House(house.home, house.workspace, {"NEUROLOOM_RUNNER_JOB_MEMORY_MB": "256"})
    words = ("run", long_table, "--target", "above", "--epochs", "2", "--no-deploy")
    found = narrow.document(*words, code=3)
    run, error = found["run_id"], found["error"]
    assert (found["status"], error["code"]) == ("failed", "job.memory")
    assert "256 MB" in error["message"] and "raise the limit" in error["fix"]
    held = [event for event in house.events(run) if event["type"] == "limits"]
    assert held and {event["memory"] for event in held} <= {"watcher", "cgroup"}
    assert {event["asked"]["memory_mb"] for event in held} == {256}

    house.say("down")  # a runner keeps the settings that it was started with
    final = house.document("resume", run)
    assert final["status"] == "finished", final["error"]
    assert [one["status"] for one in final["phases"]] == ["passed"] * 5
    assert house.document("memory", "get", "phase4-complete", "--run", run)["test_reads"] == 1
