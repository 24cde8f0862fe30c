"""Runs side by side: what differs, whether their numbers may be compared at all, and which is best beyond the noise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from memory.errors import InputError, UsageError
from memory.store import Memory
from phases.request import RunRequest
from phases.services.comparison import Comparison
from phases.services.runs import Runs
from phases.workspace import write_json

Judged = Callable[..., Awaitable[str]]
SPLIT = {"method": "stratified", "fractions": [0.64, 0.16, 0.2]}


def measured(value: float, spread: float | None = None, split: str = "test") -> dict[str, Any]:
    provenance = {
        "run": "r-1", "job": "test", "dataset_sha256": "ab", "code_version": "src-1", "device": "cpu", "seed": 0,
        "load": 0.5, "at": "2026-11-21T10:00:00+00:00", "split": split, "rows": 60,
    }  # fmt: skip
    ends = None if spread is None else [value - spread, value + spread]
    return {"value": value, "unit": "fraction", "interval": ends, "provenance": provenance}


@pytest.fixture
def comparison(memory: Memory, runs: Runs) -> Comparison:
    return Comparison(memory, runs)


@pytest.fixture
async def judged(memory: Memory, runs: Runs, request_of: RunRequest) -> Judged:
    """Makes a run that was tested, with this accuracy (± the spread of its interval) and these settings."""

    async def make(
        accuracy: float, spread: float = 0.02, *, data: str = "cd", seed: int = 0, split: str = "test",
        rate: float = 1e-3,
        metrics: dict[str, Any] | None = None,
    ) -> str:  # fmt: skip
        view = await runs.start(request_of.model_copy(update={"seed": seed}))
        dataset = {"sha256": data * 32, "target": "left", "task": "binary", "metric": "accuracy", "split": SPLIT,
                   "features": [{"name": "x"}]}  # fmt: skip
        scores = {
            "metric": "accuracy", "metrics": metrics or {"accuracy": measured(accuracy, spread, split)},
            "gap": measured(0.01, split=split), "versus": {},
            "baselines": {"linear": {"accuracy": measured(0.7, split=split)}},
        }  # fmt: skip
        attempt = Path(view.workspace) / "attempts" / "2"
        write_json(attempt / "configs" / "training.json", {"rate": rate, "epochs": 60, "threads": int(rate * 1e4)})
        write_json(attempt / "configs" / "architecture.json", {"width": 64, "depth": 2})
        write_json(attempt / "training-result.json", {"epochs_run": 31, "best_epoch": 21, "stopped": "early"})
        values = {
            "dataset": dataset, "validation": scores, "artifacts": {"attempt": 2},
            "phase2-complete-2": {"gate": [{"name": "architecture_builds", "measured": measured(1200.0)}]},
        }  # fmt: skip
        for name, value in values.items():
            await memory.put(view.run_id, name, value, by="test")
        return view.run_id

    return make


async def test_each_run_is_shown_with_what_was_measured_and_what_differs(
    comparison: Comparison, judged: Judged
) -> None:
    one, two = await judged(0.9), await judged(0.8, rate=2e-3)
    found = await comparison.compare([one, two])
    first = found["runs"][0]
    assert (first["run_id"], first["attempt"], first["epochs"], first["stopped"]) == (one, 2, 31, "early")
    assert first["metrics"]["accuracy"]["interval"] == pytest.approx([0.88, 0.92])
    assert (first["parameters"]["value"], first["baselines"]["linear"]["value"]) == (1200.0, 0.7)
    assert found["differences"] == {"training.rate": [1e-3, 2e-3]}, "threads belong to the machine"
    assert (found["comparable"], found["why_not"], found["metric"]) == (True, [], "accuracy")


async def test_the_best_is_told_with_those_that_differ_from_it_only_by_noise(
    comparison: Comparison, judged: Judged
) -> None:
    low, high, near = await judged(0.7), await judged(0.9), await judged(0.87)
    best = (await comparison.compare([low, high, near]))["best"]
    assert (best["run_id"], best["value"]["value"], best["within_noise"]) == (high, 0.9, [near])
    assert "within the noise" in best["told"]
    alone = (await comparison.compare([low, high]))["best"]
    assert (alone["within_noise"], alone["told"]) == ([], f"{high} is best by accuracy")


async def test_a_lower_error_is_the_better_one(comparison: Comparison, judged: Judged) -> None:
    runs = [await judged(0.5, metrics={"log_loss": measured(loss, 0.01)}) for loss in (0.4, 0.2)]
    assert (await comparison.compare(runs))["metric"] is None, "no run is steered by it, and accuracy is in neither"
    for run in runs:
        scores = await comparison.memory.get(run, "validation")
        assert scores is not None
        await comparison.memory.put(run, "validation", {**scores.value, "metric": "log_loss"}, by="test")
    assert (await comparison.compare(runs))["best"]["run_id"] == runs[1]


@pytest.mark.parametrize(
    ("other", "told"),
    [({"data": "ef"}, "not the same data (cdcd"), ({"seed": 5}, "not the same seed (0: "),
     ({"split": "validation"}, "not the same rows they were judged on (test: ")],
)  # fmt: skip
async def test_numbers_from_other_rows_are_not_compared_and_it_is_said_why(
    comparison: Comparison, judged: Judged, other: dict[str, Any], told: str
) -> None:
    one, two = await judged(0.9), await judged(0.8, **other)
    found = await comparison.compare([one, two])
    assert (found["comparable"], found["best"]) == (False, None)
    assert any(told in why and one in why and two in why for why in found["why_not"])


async def test_a_run_that_was_not_judged_yet_is_named(
    comparison: Comparison, judged: Judged, runs: Runs, request_of: RunRequest
) -> None:
    fresh = (await runs.start(request_of)).run_id
    found = await comparison.compare([await judged(0.9), fresh])
    assert found["why_not"] == [f"{fresh}: no measured metrics yet"] and found["best"] is None


async def test_fewer_than_two_runs_more_than_ten_or_an_unknown_one_are_refused(
    comparison: Comparison, judged: Judged
) -> None:
    run = await judged(0.9)
    with pytest.raises(UsageError, match="1 different runs"):
        await comparison.compare([run, "latest"])
    with pytest.raises(UsageError, match="11 different runs"):
        await comparison.compare(
            [(await comparison.runs.start(await _request(comparison, run))).run_id for _ in range(11)]
        )
    with pytest.raises(InputError, match="no run 'r-nothing'"):
        await comparison.compare([run, "r-nothing"])


async def _request(comparison: Comparison, run: str) -> RunRequest:
    found = await comparison.memory.get(run, "request")
    return RunRequest.model_validate(found.value if found else None)
