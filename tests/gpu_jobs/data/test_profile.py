"""What the profile says about targets, leaks, order and duplicates."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gpu_jobs.data.errors import DataError

from .conftest import Ingest, people, prepare, profiled


def table(ingest: Ingest, **columns: object) -> None:
    ingest(pl.DataFrame(columns).write_csv())


RANDOM = np.random.default_rng(0)
N = 1200
NOISE = RANDOM.normal(size=N).round(3)
ANSWER = RANDOM.choice(["no", "yes"], N)


def test_the_class_balance_of_the_target_is_told(ingest: Ingest, root: Path) -> None:
    frame = people()
    ingest(frame.write_csv())
    target = profiled(root, target="kind")["target"]
    assert target["suggested_task"] == "multiclass"
    assert dict(target["classes"]) == {k: n for k, n in frame["kind"].value_counts().rows()}
    assert target["classes"][0][1] == max(n for _, n in target["classes"])


@pytest.mark.parametrize(
    ("values", "goal", "task"),
    [
        (ANSWER, None, "binary"),
        (RANDOM.integers(0, 2, N), None, "binary"),
        (RANDOM.integers(1, 8, N), None, "multiclass"),
        (RANDOM.integers(1, 8, N), "how many rooms will they need", "regression"),
        (RANDOM.integers(0, 5000, N), None, "regression"),
        (NOISE, "which is it", "regression"),
        (RANDOM.choice(list("abcdefg"), N), None, "multiclass"),
    ],
)
def test_the_task_follows_from_the_target_and_the_goal(
    ingest: Ingest, root: Path, values: np.ndarray, goal: str | None, task: str
) -> None:
    table(ingest, x=NOISE, t=values)
    target = profiled(root, target="t", goal=goal)["target"]
    assert target["suggested_task"] == task and "'t'" in target["why"]


def test_an_asked_for_task_is_kept_and_the_suggestion_named(ingest: Ingest, root: Path) -> None:
    table(ingest, x=NOISE, t=RANDOM.integers(1, 8, N))
    target = profiled(root, target="t", task="regression")["target"]
    assert target["suggested_task"] == "regression" and "multiclass was suggested" in target["why"]


def test_a_skewed_number_is_told(ingest: Ingest, root: Path) -> None:
    table(ingest, x=NOISE, t=np.exp(NOISE * 2).round(4))
    assert profiled(root, target="t")["target"]["skew"] > 3


@pytest.mark.parametrize(
    ("columns", "goal", "best"),
    [
        (["x", "churned", "z"], None, "churned"),
        (["x", "z", "w"], None, "w"),
        (["monthly_charge", "left_company", "z"], "who left the company", "left_company"),
    ],
)
def test_a_target_is_proposed_with_a_reason(
    ingest: Ingest, root: Path, columns: list[str], goal: str | None, best: str
) -> None:
    table(ingest, **{name: RANDOM.integers(0, 4, N) for name in columns})
    first = profiled(root, goal=goal)["target_candidates"][0]
    assert first["column"] == best and first["reason"]


def test_identifiers_texts_and_split_columns_are_no_candidates(ingest: Ingest, root: Path) -> None:
    table(ingest, user_id=np.arange(N), y=ANSWER, split=RANDOM.choice(["train", "test"], N))
    assert [c["column"] for c in profiled(root)["target_candidates"]] == ["y"]


@pytest.mark.parametrize("kind", ["copy", "renamed", "noisy", "number", "missingness"])
def test_a_column_that_almost_gives_the_classes_is_a_leak(ingest: Ingest, root: Path, kind: str) -> None:
    flipped = np.where(RANDOM.random(N) < 0.01, np.where(ANSWER == "yes", "no", "yes"), ANSWER)
    leak = {
        "copy": ANSWER,
        "renamed": np.where(ANSWER == "yes", "left", "stays"),
        "noisy": np.where(flipped == "yes", "L", "S"),
        "number": np.where(ANSWER == "yes", 5.0, -5.0) + NOISE,
        "missingness": [f"2021-01-{1 + i % 28:02d}" if a == "yes" else None for i, a in enumerate(ANSWER)],
    }[kind]
    weak = np.where(ANSWER == "yes", 0.5, -0.5) + NOISE
    table(ingest, x=weak, suspect=leak, y=ANSWER)
    leaks = profiled(root, target="y")["leaks"]
    assert [found["column"] for found in leaks] == ["suspect"]
    assert leaks[0]["score"] > 0.9 and "'suspect'" in leaks[0]["why"]


@pytest.mark.parametrize("kind", ["linear", "curved"])
def test_a_column_that_almost_gives_the_number_is_a_leak(ingest: Ingest, root: Path, kind: str) -> None:
    noise = RANDOM.normal(size=N) * 0.01
    leak = NOISE * 3 + 1 + noise if kind == "linear" else np.exp(NOISE) + noise
    table(ingest, x=NOISE + RANDOM.normal(size=N) * 0.5, suspect=leak, y=NOISE)
    assert [found["column"] for found in profiled(root, target="y")["leaks"]] == ["suspect"]


def test_columns_of_many_distinct_values_are_no_leaks_by_chance(ingest: Ingest, root: Path) -> None:
    table(ingest, code=[f"c{i % 600}" for i in range(N)], x=NOISE, y=ANSWER)
    assert profiled(root, target="y")["leaks"] == []


def test_duplicates_high_cardinality_texts_dates_and_identifiers_are_listed(ingest: Ingest, root: Path) -> None:
    frame = people().with_columns(
        pl.Series("customer_id", [f"K{i:05d}" for i in range(300)]),
        pl.Series("branch", [f"b{i % 90}" for i in range(300)]),
        pl.lit("x").alias("same"),
    )
    ingest(frame.write_csv())
    found = profiled(root, target="kind")
    assert found["identifiers"] == ["customer_id"] and found["constant"] == ["same"]
    assert found["high_cardinality"] == [{"column": "branch", "distinct": 90}]
    assert found["text"] == ["remark"] and found["dates"] == ["since"]
    ingest(pl.concat([people(), people().head(30)]).write_csv())
    assert profiled(root, target="kind")["duplicates"] == {"rows": 30, "share": 30 / 330}


def test_a_counter_that_is_all_there_is_stays_usable(ingest: Ingest, root: Path) -> None:
    table(ingest, x=np.arange(N), y=np.arange(N) * 0.5)
    assert profiled(root, target="y")["identifiers"] == []


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_rows_of_a_test_file_change_nothing_but_a_count(
    ingest: Ingest, root: Path, write: Callable[[str, str], Path], task: str
) -> None:
    random = np.random.default_rng(3)
    x = random.integers(0, 2, 400)
    y = np.where(random.random(400) < 0.7, x, 1 - x) if task == "binary" else np.round(random.normal(10, 2, 400), 3)
    data = "x,noise,y\n" + "".join(f"{a},{b:.4f},{c}\n" for a, b, c in zip(x, random.random(400), y, strict=True))
    other = "x,noise,y\n" + "".join(f"{i % 2},{i}.5,{i % 2 * (1 if task == 'binary' else 99999)}\n" for i in range(800))
    ingest(data)
    alone = profiled(root, target="y", task=task)
    ingest(data, test=write("held.csv", other))
    found = profiled(root, target="y", task=task)
    assert [note["count"] for note in found.pop("notes")] == [800]
    del alone["notes"], found["target_candidates"], alone["target_candidates"]
    assert found == alone


def test_a_validation_file_is_profiled_like_the_data(
    ingest: Ingest, root: Path, write: Callable[[str, str], Path]
) -> None:
    csv = "x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(50))
    ingest(csv, validation=write("v.csv", csv), test=write("t.csv", csv.replace("a", "c")))
    assert profiled(root, target="y")["target"]["classes"] == [["a", 50], ["b", 50]]


def test_a_class_that_only_the_test_file_has_is_refused_by_name(
    ingest: Ingest, root: Path, write: Callable[[str, str], Path]
) -> None:
    csv = "x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(50))
    ingest(csv, test=write("t.csv", csv.replace("a", "c")))
    labels = [label for label, _ in profiled(root, target="y")["target"]["classes"]]
    with pytest.raises(DataError, match="'c'") as error:
        prepare(root, "y", "binary", method="files", labels=labels)
    assert error.value.code == "input.unknown_class"


def test_a_long_name_is_refused_at_once_and_shown_cut(ingest: Ingest, root: Path) -> None:
    wide = ",".join("c" * 9_990 + str(i) for i in range(9))
    ingest(f"{wide},y\n" + "".join("1," * 9 + f"{i % 2}\n" for i in range(30)))
    began = time.process_time()
    with pytest.raises(DataError) as error:
        profiled(root, target="c" * 10_000)
    assert time.process_time() - began < 10.0
    assert len(error.value.message) + len(error.value.fix or "") < 1000
