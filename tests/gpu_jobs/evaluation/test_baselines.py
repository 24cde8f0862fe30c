"""Baselines are honest opponents: they learn, they are deterministic, and odd tables do not break them."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_jobs.evaluation.baselines import BaselineSettings, Scale, fit_baselines
from gpu_jobs.evaluation.design import Design
from gpu_jobs.evaluation.inputs import Group, Sample, replaced
from gpu_jobs.evaluation.problem import Problem

BINARY = Problem("binary", ("no", "yes"), 1, "accuracy")
THREE = Problem("multiclass", ("a", "b", "c"), None, "accuracy")
NUMBER = Problem("regression", (), None, "rmse")


def table(rows: int, seed: int, task: str) -> Sample:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, 3)).astype(np.float32)
    categories = rng.integers(0, 5, (rows, 1))
    score = numbers[:, 0] * 2 + (categories[:, 0] == 2) * 2 + rng.normal(size=rows) * 0.5
    truth = {
        "binary": (score > 0).astype(np.int64),
        "three": np.digitize(score, [-1, 1]),
        "number": score.astype(np.float64),
    }[task]
    return Sample({"numbers": numbers, "categories": categories}, truth)


@pytest.mark.parametrize(("problem", "task"), [(BINARY, "binary"), (THREE, "three")])
def test_linear_and_trees_learn_what_the_majority_cannot(problem: Problem, task: str) -> None:
    fitted = fit_baselines(problem, table(800, 0, task), table(200, 1, task), BaselineSettings())
    assert list(fitted) == ["majority", "linear", "trees"]
    test = table(500, 2, task)
    right = {name: (model(test.inputs).argmax(1) == test.truth).mean() for name, model in fitted.items()}
    assert right["linear"] > right["majority"] + 0.2
    assert right["trees"] > right["majority"] + 0.2
    for model in fitted.values():
        assert model(test.inputs).sum(axis=1) == pytest.approx(np.ones(500))


def test_regression_baselines_beat_the_mean() -> None:
    fitted = fit_baselines(NUMBER, table(800, 0, "number"), table(200, 1, "number"), BaselineSettings())
    assert list(fitted) == ["mean", "linear", "trees"]
    test = table(500, 2, "number")
    error = {
        name: float(((model(test.inputs) - test.truth.astype(float)) ** 2).mean()) for name, model in fitted.items()
    }
    assert error["linear"] < error["mean"] / 3
    assert error["trees"] < error["mean"] / 3


@pytest.mark.parametrize(("problem", "task"), [(BINARY, "binary"), (NUMBER, "number")])
def test_the_same_rows_and_seed_give_the_same_predictions(problem: Problem, task: str) -> None:
    test = table(100, 2, task)
    pair = [
        fit_baselines(problem, table(400, 0, task), table(100, 1, task), BaselineSettings(seed=3)) for _ in range(2)
    ]
    for name in pair[0]:
        assert (pair[0][name](test.inputs) == pair[1][name](test.inputs)).all()


def test_a_skewed_target_is_learnt_on_the_scale_that_validation_prefers() -> None:
    def skewed(rows: int, seed: int) -> Sample:
        base = table(rows, seed, "number")
        return Sample(base.inputs, np.exp(base.truth.astype(float)))

    train, validation, test = skewed(1000, 0), skewed(300, 1), skewed(500, 2)
    plain = fit_baselines(NUMBER, train, validation, BaselineSettings())["linear"]
    scaled = fit_baselines(NUMBER, train, validation, BaselineSettings(scale=Scale(np.log, np.exp)))["linear"]
    truth = test.truth.astype(float)
    assert ((scaled(test.inputs) - truth) ** 2).mean() < ((plain(test.inputs) - truth) ** 2).mean()


def test_a_class_that_no_training_row_has_gets_probability_zero() -> None:
    train, validation = table(300, 0, "three"), table(100, 1, "three")
    kept = np.flatnonzero(train.truth != 1)
    fitted = fit_baselines(THREE, train.part(kept), validation, BaselineSettings())
    for model in fitted.values():
        p = model(validation.inputs)
        assert p.shape == (100, 3)
        assert (p[:, 1] == 0).all()


def test_class_weights_move_the_linear_model_towards_the_heavier_class() -> None:
    train, validation = table(600, 0, "binary"), table(200, 1, "binary")
    plain, heavy = (
        fit_baselines(BINARY, train, validation, BaselineSettings(class_weights=weights))
        for weights in (None, (1.0, 8.0))
    )
    for name in ("linear", "trees"):
        assert heavy[name](validation.inputs)[:, 1].mean() > plain[name](validation.inputs)[:, 1].mean() + 0.02


@pytest.mark.parametrize("missing", ["numbers", "categories"])
def test_tables_of_one_kind_of_input_alone_work(missing: str) -> None:
    def part(sample: Sample) -> Sample:
        return Sample({k: v for k, v in sample.inputs.items() if k != missing}, sample.truth)

    fitted = fit_baselines(BINARY, part(table(300, 0, "binary")), part(table(100, 1, "binary")), BaselineSettings())
    assert fitted["trees"](part(table(50, 2, "binary")).inputs).shape == (50, 2)


def test_many_levels_make_the_design_sparse_and_equal_to_the_dense_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = table(200, 0, "binary")
    dense = Design(sample.inputs)(sample.inputs)
    monkeypatch.setattr("gpu_jobs.evaluation.design._MOST_DENSE", 1)
    sparse = Design(sample.inputs)(sample.inputs)
    assert (sparse.toarray() == dense).all()


def test_a_level_that_training_lacks_is_zeros_in_the_design() -> None:
    design = Design({"categories": np.array([[1], [3]])})
    assert design({"categories": np.array([[1], [2], [3], [9]])}).tolist() == [[1, 0], [0, 0], [0, 1], [0, 0]]


def test_replacing_a_column_leaves_the_others_and_the_original_alone() -> None:
    sample = table(10, 0, "binary")
    group = Group("both", "number", (1,), (0,))
    rows = np.arange(10)[::-1].copy()
    changed = replaced(sample.inputs, group, sample.inputs, rows)
    assert (changed["numbers"][:, 1] == sample.inputs["numbers"][::-1, 1]).all()
    assert (changed["numbers"][:, 0] == sample.inputs["numbers"][:, 0]).all()
    assert (changed["categories"][:, 0] == sample.inputs["categories"][::-1, 0]).all()
    assert (sample.inputs["numbers"] == table(10, 0, "binary").inputs["numbers"]).all()
