"""Splits, fitting on training rows only, targets, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gpu_jobs.data.errors import DataError
from gpu_jobs.data.rows import load
from gpu_jobs.data.splits import Plan, split
from gpu_jobs.data.table import load_prepared, load_rows
from gpu_jobs.data.target import TargetScale

from .conftest import Ingest, people, prepare, profiled

FRACTIONS = (0.64, 0.16, 0.2)


def plan(method: str, count: int, **more: Any) -> Plan:
    base: dict[str, Any] = {"fractions": FRACTIONS, "seed": 0, "rows": np.arange(count), "same": np.arange(count)}
    return Plan(method=method, **(base | more))


def sides(found: Any, count: int) -> np.ndarray:
    side = np.full(count, -1)
    for i, name in enumerate(("train", "validation", "test")):
        side[found.rows[name]] = i
    return side


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_every_row_is_on_one_side_and_the_shares_are_as_asked(method: str) -> None:
    classes = np.random.default_rng(0).integers(0, 3, 1000)
    found = split(plan(method, 1000, classes=classes))
    assert (sides(found, 1000) >= 0).all()
    assert [len(rows) / 1000 for rows in found.rows.values()] == pytest.approx(FRACTIONS, abs=0.005)


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    first, again, other = (split(plan("random", 200, seed=seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(first.rows[name], again.rows[name]) for name in first.rows)
    assert not np.array_equal(first.rows["test"], other.rows["test"])


@pytest.mark.parametrize("rare", [3, 4, 6, 11])
def test_stratified_sides_each_get_every_class(rare: int) -> None:
    classes = np.asarray([0] * 400 + [1] * rare)
    found = split(plan("stratified", len(classes), classes=classes))
    assert all((classes[rows] == 1).any() for rows in found.rows.values())


def test_groups_are_never_divided() -> None:
    group = np.random.default_rng(0).integers(0, 60, 1000)
    side = sides(split(plan("group", 1000, group=group)), 1000)
    assert all(len(set(side[group == g])) == 1 for g in range(60)) and set(side) == {0, 1, 2}


def test_time_splits_train_on_the_past_and_keep_equal_times_together() -> None:
    time = np.random.default_rng(0).integers(0, 200, 1000).astype(float)
    time[:5] = np.nan
    side = sides(split(plan("time", 1000, time=time)), 1000)
    assert (side[:5] == 0).all()
    ends = [(time[side == i].min(), time[side == i].max()) for i in range(3) if i] + [(0, np.nanmax(time[side == 0]))]
    assert ends[2][1] < ends[0][0] and ends[0][1] < ends[1][0]


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_identical_rows_stay_on_one_side(method: str) -> None:
    random = np.random.default_rng(0)
    same = np.concatenate([np.arange(700), random.integers(0, 700, 300)])
    found = split(plan(method, 1000, same=same, classes=random.integers(0, 2, 1000)))
    side = sides(found, 1000)
    assert all(len(set(side[same == s])) == 1 for s in range(700))
    assert (found.repeated, found.across, found.dropped) == (300, 0, 0)


@pytest.mark.parametrize("method", ["time", "group"])
def test_copies_of_training_rows_leave_the_later_sides_when_the_method_fixes_them(method: str) -> None:
    same = np.concatenate([np.arange(800), np.arange(200)])
    found = split(plan(method, 1000, same=same, time=np.arange(1000.0), group=np.arange(1000)))
    side = sides(found, 1000)
    assert found.dropped > 0 and (side == -1).sum() == found.dropped
    assert all(len(set(side[same == s]) - {-1}) <= 1 for s in range(800))


def test_a_table_made_of_repeats_is_split_all_the_same() -> None:
    same = np.random.default_rng(0).integers(0, 8, 1000)
    found = split(plan("random", 1000, same=same))
    assert found.across > 0 and [len(rows) for rows in found.rows.values()] == [640, 160, 200]


def test_given_files_keep_their_side(ingest: Ingest, root: Path, tmp_path: Path) -> None:
    people(40, seed=1).write_csv(tmp_path / "validation.csv")
    people(50, seed=2).write_csv(tmp_path / "test.csv")
    given = {"validation": tmp_path / "validation.csv", "test": tmp_path / "test.csv"}
    ingest(people(200).write_csv(), **given)
    prepare(root, "kind", "multiclass", method="files")
    splits = load_prepared(root).splits
    assert splits["train"].tolist() == list(range(200))
    assert splits["validation"].tolist() == list(range(200, 240)) and splits["test"].tolist() == list(range(240, 290))


def test_a_test_file_alone_leaves_the_data_for_training_and_validation(
    ingest: Ingest, root: Path, tmp_path: Path
) -> None:
    people(50, seed=2).write_csv(tmp_path / "test.csv")
    ingest(people(200).write_csv(), test=tmp_path / "test.csv")
    result = prepare(root, "kind", "multiclass", method="files")
    assert result["rows"]["test"] == 50 and result["rows"]["train"] == pytest.approx(160, abs=2)
    assert sum(result["rows"].values()) == 250


def test_rows_of_a_test_file_that_train_are_not_tested_on(ingest: Ingest, root: Path, tmp_path: Path) -> None:
    pl.concat([people(200).head(120), people(30, seed=2)]).write_csv(tmp_path / "test.csv")
    ingest(people(200).write_csv(), test=tmp_path / "test.csv")
    result = prepare(root, "kind", "multiclass", method="files")
    assert result["rows"]["test"] == 30
    dropped = next(note for note in result["notes"] if note["code"] == "duplicates_dropped")
    assert dropped["count"] == 120 and "left out because they equal an earlier row: 120" in dropped["message"]


def test_a_test_file_that_only_repeats_the_training_data_is_refused(ingest: Ingest, root: Path, tmp_path: Path) -> None:
    people(200).write_csv(tmp_path / "test.csv")
    ingest(people(200).write_csv(), test=tmp_path / "test.csv")
    with pytest.raises(DataError, match="every row of the test file") as caught:
        prepare(root, "kind", "multiclass", method="files")
    assert (caught.value.code, caught.value.field) == ("input.seen_rows", "test") and caught.value.fix


def test_rows_without_a_target_are_left_out_and_counted(ingest: Ingest, root: Path) -> None:
    ingest("a,y\n" + "".join(f"{i * 7 % 100},{'' if i % 10 == 0 else i % 2}\n" for i in range(300)))
    result = prepare(root, "y", "binary")
    assert sum(result["rows"].values()) == 270
    assert (result["notes"][0]["code"], result["notes"][0]["count"]) == ("missing_target", 30)
    prepared = load_prepared(root)
    used = np.concatenate(list(prepared.splits.values()))
    assert (prepared.target[used] >= 0).all() and (prepared.target == -1).sum() == 30


def test_the_encoder_sees_training_rows_only(ingest: Ingest, root: Path) -> None:
    frame = people(400)
    ingest(frame.write_csv())
    prepare(root, "kind", "multiclass")
    before = json.loads((root / "data" / "preprocessing.json").read_text())
    splits = load_prepared(root).splits
    held = np.isin(np.arange(400), splits["train"], invert=True)
    income = [None if v is None else (v * 1000 if h else v) for v, h in zip(frame["income"], held, strict=True)]
    city = ["Nowhere" if h else c for c, h in zip(frame["city"], held, strict=True)]
    remark = [f"unheard {i}" if h else r for i, (r, h) in enumerate(zip(frame["remark"], held, strict=True))]
    changed = frame.with_columns(pl.Series("income", income), pl.Series("city", city), pl.Series("remark", remark))
    ingest(changed.write_csv())
    prepare(root, "kind", "multiclass")
    assert np.array_equal(load_prepared(root).splits["train"], splits["train"])
    after = json.loads((root / "data" / "preprocessing.json").read_text())
    assert after == before


def test_the_positive_label_is_the_second_class(ingest: Ingest, root: Path) -> None:
    ingest("a,y\n" + "".join(f"{i * 7 % 100},{'>50K' if i % 3 == 0 else '<=50K'}\n" for i in range(300)))
    for positive in ("<=50K", ">50K"):
        result = prepare(root, "y", "binary", positive=positive)
        prepared = load_prepared(root)
        assert result["labels"][1] == positive == prepared.preprocessing["positive"]
        rows = np.concatenate(list(prepared.splits.values()))
        wanted = [(i % 3 == 0) == (positive == ">50K") for i in rows]
        assert prepared.target[rows].tolist() == [int(w) for w in wanted]


def test_whole_number_classes_are_labelled_without_a_decimal_point(ingest: Ingest, root: Path) -> None:
    ingest("a,quality\n" + "".join(f"{i * 7 % 100},{3 + i % 7}\n" for i in range(350)))
    result = prepare(root, "quality", "multiclass", labels=[3, 4, 5, 6, 7, 8, 9.0])
    assert result["labels"] == ["3", "4", "5", "6", "7", "8", "9"]
    assert all(sum(counts) == 50 for _, *counts in result["classes"])


@pytest.mark.parametrize("transform", ["none", "log1p", "asinh"])
def test_a_regression_target_keeps_its_units_and_its_scale_inverts(ingest: Ingest, root: Path, transform: str) -> None:
    frame = people(300)
    ingest(frame.write_csv())
    result = prepare(root, "income", "regression", target_transform=transform)
    prepared = load_prepared(root)
    used = np.concatenate(list(prepared.splits.values()))
    assert prepared.target[used].tolist() == [frame["income"][int(i)] for i in used]
    scaled = TargetScale.of(prepared.preprocessing).forward(prepared.target)
    train = scaled[prepared.splits["train"]]
    assert train.mean() == pytest.approx(0, abs=1e-9) and train.std() == pytest.approx(1)
    back = TargetScale.of(prepared.preprocessing).inverse(scaled[used])
    assert back == pytest.approx(prepared.target[used], rel=1e-9)
    assert result["target"]["transform"] == transform and result["target"]["skew"] > 1


def test_log1p_of_targets_below_minus_one_is_refused(ingest: Ingest, root: Path) -> None:
    ingest("a,y\n" + "".join(f"{i * 7 % 100},{i - 50.5}\n" for i in range(200)))
    with pytest.raises(DataError, match="log1p"):
        prepare(root, "y", "regression", target_transform="log1p")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"features": [{"name": "agee", "kind": "number"}]}, "input.no_such_column"),
        ({"features": []}, "input.no_usable_column"),
        ({"method": "by moon"}, "input.split"),
        ({"target_transform": "sqrt"}, "input.transform"),
        ({"labels": ["old", "rich"]}, "input.unknown_class"),
    ],
)
def test_decisions_that_do_not_fit_the_table_are_refused(
    ingest: Ingest, root: Path, change: dict[str, Any], code: str
) -> None:
    ingest(people().write_csv())
    with pytest.raises(DataError) as caught:
        prepare(root, "kind", "multiclass", **change)
    assert caught.value.code == code


def test_features_are_encoded_as_the_decision_says(ingest: Ingest, root: Path) -> None:
    ingest(people().write_csv())
    features = [{"name": "age", "kind": "category"}, {"name": "city", "kind": "text"}]
    prepare(root, "kind", "multiclass", features=features)
    prepared = load_prepared(root)
    fields = {field["name"]: field for field in prepared.preprocessing["fields"]}
    assert fields["age"]["kind"] == "category" and all(level.isdigit() for level in fields["age"]["levels"])
    rows = load_rows(root, prepared.splits["test"])
    found = load(prepared.preprocessing).encode_columns(rows)
    assert np.array_equal(found["numbers"], prepared.numbers[prepared.splits["test"]])


def test_a_table_of_embedded_categories_alone_has_no_numbers(ingest: Ingest, root: Path) -> None:
    ingest("shop,y\n" + "".join(f"s{i * i % 97},{'ab'[i % 2]}\n" for i in range(900)))
    result = prepare(root, "y", "binary")
    assert result["inputs"]["numbers"] == 0 and len(result["inputs"]["categories"]) == 1
    prepared = load_prepared(root)
    encoded = load(prepared.preprocessing).encode_columns(load_rows(root, [0, 1, 2]))
    assert prepared.numbers.shape == (900, 0) and "numbers" not in encoded
    assert np.array_equal(encoded["categories"], prepared.categories[:3])


def test_places_of_a_field_are_its_columns(ingest: Ingest, root: Path) -> None:
    ingest(people().write_csv())
    prepare(root, "kind", "multiclass")
    prepared = load_prepared(root)
    columns = prepared.preprocessing["inputs"]["numbers"]
    numbers, categories = prepared.places("city")
    assert [columns[i]["field"] for i in numbers] == ["city"] * len(numbers) and categories == []
    every = [i for field in prepared.preprocessing["fields"] for i in prepared.places(field["name"])[0]]
    assert sorted(every) == list(range(len(columns)))


def test_the_result_tells_rows_classes_and_bytes(ingest: Ingest, root: Path) -> None:
    ingest(people().write_csv())
    result = prepare(root, "kind", "multiclass")
    assert sum(result["rows"].values()) == 300
    assert [label for label, *_ in result["classes"]] == ["old", "other", "rich"]
    assert [sum(column) for column in zip(*(row[1:] for row in result["classes"]), strict=True)] == list(
        result["rows"].values()
    )
    files = list((root / "data" / "encoded").glob("*.npy"))
    assert result["encoded_bytes"] == sum(file.stat().st_size for file in files)
    assert len(result["input_names"]) == result["inputs"]["numbers"]
    json.dumps(result, allow_nan=False)


def test_the_tasks_hand_their_arguments_on(tmp_path: Path) -> None:
    from gpu_jobs.tasks import prepare as prepare_task
    from gpu_jobs.tasks import profile as profile_task
    from gpu_jobs.tasks import snapshot as snapshot_task
    from gpu_jobs.tasks.job import Job

    from .conftest import dataset

    people().write_csv(tmp_path / "people.csv")
    root = tmp_path / "run"

    def job(kind: str, **args: Any) -> Job:
        return Job(root, {"id": f"{kind}-1", "kind": kind, "run": "r-1", "args": args})

    run: Callable[[Job], dict[str, Any]] = snapshot_task.run
    assert run(job("snapshot", source=str(tmp_path / "people.csv"), missing=None))["rows"] == 300
    assert profile_task.run(job("profile", target="kind"))["target"]["suggested_task"] == "multiclass"
    decision = dataset(root, "kind", "multiclass")
    assert sum(prepare_task.run(job("prepare", dataset=decision))["rows"].values()) == 300


@pytest.mark.parametrize("largest", ["1e200", "-2e30"])
def test_a_target_that_training_cannot_hold_is_refused_with_what_to_do(
    ingest: Ingest, root: Path, largest: str
) -> None:
    ingest("x,y\n" + "".join(f"{i},{i * 1.5}\n" for i in range(99)) + f"99,{largest}\n")
    for job in (partial(profiled, root, target="y"), partial(prepare, root, "y", "regression")):
        with pytest.raises(DataError, match="reaches") as error:
            job()
        assert error.value.code == "input.target_range" and "rescale" in (error.value.fix or "")


@pytest.mark.parametrize("size", [1e-160, 1e28])
def test_moments_of_very_small_and_large_targets_are_finite_or_null(ingest: Ingest, root: Path, size: float) -> None:
    ingest("x,y\n" + "".join(f"{i},{(i % 7 + i / 9) * size!r}\n" for i in range(100)))
    target = prepare(root, "y", "regression")["target"]
    assert target["skew"] is None or abs(target["skew"]) < 10
    json.dumps(target, allow_nan=False)


def _ordered(labels: str) -> str:
    return "day,x,y\n" + "".join(
        f"{np.datetime64('2024-01-01') + np.timedelta64(i, 'D')},{i % 5},{label}\n" for i, label in enumerate(labels)
    )


@pytest.mark.parametrize(
    ("metric", "task", "labels", "split"),
    [("auc", "binary", "ab" * 40 + "b" * 20, "test"), ("auc", "binary", "ab" * 32 + "b" * 16 + "ab" * 10, "validation"),
     ("r2", "regression", "12" * 40 + "2" * 20, "test")],
)  # fmt: skip
def test_a_metric_that_the_rows_held_back_cannot_give_is_refused_before_training(
    ingest: Ingest, root: Path, metric: str, task: str, labels: str, split: str
) -> None:
    ingest(_ordered(labels))
    more = {"method": "time", "time": "day"}
    with pytest.raises(DataError, match=split) as error:
        prepare(root, "y", task, metric=metric, **more)
    assert error.value.code == "input.metric_undefined" and error.value.field == "metric" and error.value.fix
    other = "rmse" if task == "regression" else "accuracy"
    assert prepare(root, "y", task, metric=other, **more)["rows"][split] > 0
