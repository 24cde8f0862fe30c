"""What steers choices has not seen the test rows: they are drawn first, and `prepare` tests on exactly those."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from agents.decisions.task_plan import TaskPlan
from agents.reasoners.rules import task_plan
from gpu_jobs.data.prepare import Preparation

from .conftest import Ingest, profiled

N = 600
Request = dict[str, Any]


def visits(task: str, seed: int = 0) -> pl.DataFrame:
    """Six hundred visits: numbers, a clinic, an hour in no order, repeated rows, and what is to be predicted."""
    random = np.random.default_rng(seed)
    age, load = random.integers(18, 90, N), random.normal(size=N).round(2)
    risk = (age - 54) / 20 + random.normal(size=N)
    kind = np.where(risk > 1.5, "high", np.where(risk > -0.5, "some", "low"))
    answer = {"multiclass": kind, "binary": np.where(risk > 0, "yes", "no"), "regression": np.exp(risk).round(3)}
    frame = pl.DataFrame(
        {
            "hour": random.permutation(N * 3)[:N] * 2 + 1,
            "clinic": random.choice([f"c{i}" for i in range(12)], N),
            "age": age,
            "load": load,
            "hint": random.normal(size=N).round(3),
            "y": answer[task],
        }
    )
    return pl.concat([frame.head(N - 40), frame.head(40)]).sample(fraction=1, shuffle=True, seed=seed)


def planned(root: Path, facts: dict[str, Any], **request: Any) -> tuple[TaskPlan, dict[str, Any]]:
    """The plan as the configure phase makes it, and the profile it was made from."""
    asked = {"target": "y", "seed": 3, **request}
    context: dict[str, Any] = {"request": asked, "snapshot": facts}
    split = task_plan.split_for(context, "y").model_dump(mode="json")
    names = ("target", "task", "goal", "group", "time", "drop", "features")
    context["profile"] = profiled(root, split=split, **{name: asked.get(name) for name in names})
    return task_plan.decide(context), context["profile"]


def prepared(root: Path, facts: dict[str, Any], plan: TaskPlan) -> dict[str, list[int]]:
    Preparation(root, json.loads(json.dumps(plan.dataset(name="t", snapshot=facts)))).run()
    found: dict[str, list[int]] = json.loads((root / "data" / "splits.json").read_text())
    return found


def poisoned(frame: pl.DataFrame, rows: list[int], answers: bool) -> pl.DataFrame:
    """The same table where a column of the test rows gives their answers away, and these are others if `answers`."""
    y, hint = frame["y"].to_list(), frame["hint"].to_list()
    labels, numbers = sorted(set(y)), not isinstance(y[0], str)
    for row in rows:
        if answers:
            y[row] = y[row] * 1000 if numbers else labels[-1]
        hint[row] = y[row] if numbers else 10 * labels.index(y[row]) + hint[row] / 100
    return frame.with_columns(pl.Series("y", y), pl.Series("hint", hint, dtype=pl.Float64))


WAYS: list[tuple[str, Request]] = [
    ("multiclass", {}),
    ("binary", {}),
    ("regression", {}),
    ("binary", {"group": "clinic"}),
    ("regression", {"group": "clinic"}),
    ("binary", {"time": "hour"}),
    ("regression", {"time": "hour", "drop": ["load"]}),
    ("multiclass", {"features": ["age", "hint"]}),
]


@pytest.mark.parametrize(("task", "request_"), WAYS)
def test_the_rows_that_the_profile_left_out_are_those_that_prepare_tests_on(
    ingest: Ingest, root: Path, task: str, request_: Request
) -> None:
    facts = ingest(visits(task).write_csv())
    plan, profile = planned(root, facts, **request_)
    splits = prepared(root, facts, plan)
    out = next(note["count"] for note in profile["notes"] if note["code"] == "test_rows_unread")
    seen = N - out
    assert 0.1 * N < out < 0.35 * N and len(splits["test"]) <= out
    assert profile["target"]["missing"] == 0
    if task != "regression":
        y = np.asarray(visits(task)["y"].to_list())
        assert sum(count for _, count in profile["target"]["classes"]) == seen
        if len(splits["test"]) == out:  # no copies were left out of the test rows
            rest = np.delete(y, splits["test"])
            assert {k: n for k, n in profile["target"]["classes"]} == {k: int((rest == k).sum()) for k in set(y)}


@pytest.mark.parametrize(("task", "request_"), WAYS)
def test_other_answers_in_the_test_rows_change_no_decision(
    ingest: Ingest, root: Path, task: str, request_: Request
) -> None:
    frame = visits(task)
    facts = ingest(frame.write_csv())
    plan, profile = planned(root, facts, **request_)
    test = prepared(root, facts, plan)["test"]
    # where each side gets its share of every answer, other answers would draw other rows
    changed = ingest(poisoned(frame, test, answers=plan.split.method != "stratified").write_csv())
    assert changed["sha256"] != facts["sha256"]
    again, found = planned(root, changed, **request_)
    assert prepared(root, changed, again)["test"] == test
    told = {"target", "leaks", "duplicates", "identifiers", "constant", "high_cardinality"}
    assert {key: found[key] for key in told} == {key: profile[key] for key in told}
    assert again == plan


@pytest.mark.parametrize("role", ["validation", "test"])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_files_of_ones_own_leave_the_drawn_or_given_test_rows_out(
    ingest: Ingest, root: Path, write: Callable[[str, str], Path], role: str, task: str
) -> None:
    own = write("own.csv", visits(task, 7).write_csv())
    facts = ingest(visits(task).write_csv(), **{role: own})
    plan, profile = planned(root, facts, **{role: str(own)})
    test = prepared(root, facts, plan)["test"]
    out = next(note["count"] for note in profile["notes"] if note["code"] == "test_rows_unread")
    assert plan.split.method == "files"
    assert out == (N if role == "test" else out) and 0 <= out - len(test) <= 60
    if role == "validation":
        assert max(test) < N and 0.15 * N < out < 0.25 * N


def test_a_leak_in_the_test_rows_alone_is_no_leak_and_one_outside_them_is(ingest: Ingest, root: Path) -> None:
    frame = visits("regression")
    facts = ingest(frame.write_csv())
    test = prepared(root, facts, planned(root, facts)[0])["test"]
    inside = np.isin(np.arange(N), test)
    for where, leaks in ((inside, []), (~inside, ["hint"])):
        hint = np.where(where, frame["y"], frame["hint"])
        changed = ingest(frame.with_columns(pl.Series("hint", hint)).write_csv())
        assert [leak["column"] for leak in planned(root, changed)[1]["leaks"]] == leaks


def test_rows_that_differ_only_in_a_column_that_is_dropped_as_a_leak_are_not_trained_and_tested_on(
    ingest: Ingest, root: Path
) -> None:
    frame = visits("binary").with_columns(pl.col("y").replace({"yes": 1, "no": 0}).cast(pl.Float64).alias("after"))
    facts = ingest(frame.with_columns(pl.col("after") + np.linspace(0, 0.01, N)).write_csv())
    plan, _ = planned(root, facts, drop=["hour"])
    assert "after" in [entry.name for entry in plan.dropped]
    splits = prepared(root, facts, plan)
    rows = [tuple(row) for row in frame.select(f.name for f in plan.features).rows()]
    assert not {rows[i] for i in splits["train"]} & {rows[i] for i in splits["test"]}
