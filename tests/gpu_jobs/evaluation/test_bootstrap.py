"""Intervals and paired differences behave as their laws say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_jobs.evaluation.bootstrap import Bootstrap, resamples, resamples_for
from gpu_jobs.evaluation.metrics import ClassScores, NumberScores


def class_scores(seed: int, rows: int = 300, skill: float = 1.0) -> ClassScores:
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(0).integers(0, 2, rows)
    p = 1 / (1 + np.exp(-(rng.normal(size=rows) + skill * (2 * truth - 1))))
    return ClassScores(truth, np.column_stack([1 - p, p]), positive=1)


def test_each_resample_draws_as_many_rows_as_there_are() -> None:
    weights = np.concatenate(list(resamples(70, 150, seed=1)))
    assert weights.shape == (150, 70)
    assert (weights.sum(axis=1) == 70).all()
    assert weights.mean() == 1.0


def test_resamples_do_not_depend_on_how_they_are_cut_into_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(resamples(50, 90, seed=2)))
    monkeypatch.setattr("gpu_jobs.evaluation.bootstrap._CHUNK", 50 * 7)
    assert (np.concatenate(list(resamples(50, 90, seed=2))) == whole).all()


def test_the_same_seed_gives_the_same_interval_and_another_seed_a_near_one() -> None:
    model = class_scores(1)
    first = Bootstrap({"m": model}, seed=4).interval("m", "accuracy")
    assert Bootstrap({"m": model}, seed=4).interval("m", "accuracy") == first
    other = Bootstrap({"m": model}, seed=5).interval("m", "accuracy")
    assert other != first or other == pytest.approx(first)
    assert other == pytest.approx(first, abs=0.02)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(30, 200))
def test_every_value_lies_in_its_interval(seed: int, rows: int) -> None:
    drawn = Bootstrap({"m": class_scores(seed, rows)}, seed=0, count=200)
    for metric, value in drawn.points("m").items():
        low, high = drawn.interval("m", metric)
        assert low <= value <= high


def test_the_interval_of_an_accuracy_is_as_wide_as_the_binomial_says() -> None:
    rows, right = 400, 320
    truth = np.zeros(rows, np.int64)
    p = np.tile([0.9, 0.1], (rows, 1))
    p[right:] = [0.1, 0.9]
    low, high = Bootstrap({"m": ClassScores(truth, p)}).interval("m", "accuracy")
    error = (0.8 * 0.2 / rows) ** 0.5
    assert (low, high) == pytest.approx((0.8 - 1.96 * error, 0.8 + 1.96 * error), abs=0.006)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["accuracy", "auc", "log_loss", "macro_f1"]))
def test_a_difference_turns_its_sign_when_the_models_are_exchanged(seed: int, metric: str) -> None:
    drawn = Bootstrap({"a": class_scores(seed, 80), "b": class_scores(seed + 1, 80, 0.3)}, count=200)
    there, back = drawn.difference("a", "b", metric), drawn.difference("b", "a", metric)
    assert there.value == pytest.approx(-back.value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.standard_error == pytest.approx(back.standard_error)


def test_a_model_does_not_differ_from_itself() -> None:
    model = class_scores(3)
    found = Bootstrap({"a": model, "b": model}).difference("a", "b", "auc")
    assert (found.value, found.low, found.high, found.standard_error) == (0, 0, 0, 0)


def test_better_is_positive_for_errors_as_for_scores() -> None:
    y = np.arange(100.0)
    drawn = Bootstrap({"near": NumberScores(y, y + 1), "far": NumberScores(y, y - 5)})
    assert drawn.difference("near", "far", "rmse").value == pytest.approx(4)
    assert drawn.difference("near", "far", "r2").value > 0


def test_pairing_makes_the_difference_far_surer_than_the_two_metrics() -> None:
    rng = np.random.default_rng(0)
    y, shared = rng.normal(size=3000), rng.normal(size=3000)
    a = NumberScores(y, y + shared)
    b = NumberScores(y, y + shared * 1.02)
    drawn = Bootstrap({"a": a, "b": b})
    low, high = drawn.interval("a", "rmse")
    found = drawn.difference("a", "b", "rmse")
    assert found.low > 0
    assert found.high - found.low < (high - low) / 5


@pytest.mark.parametrize("rows", [69, 500])
def test_one_row_of_difference_is_exactly_one_standard_error_of_accuracy(rows: int) -> None:
    truth = np.zeros(rows, np.int64)
    perfect = np.tile([0.9, 0.1], (rows, 1))
    slipped = perfect.copy()
    slipped[4] = [0.2, 0.8]
    drawn = Bootstrap({"slipped": ClassScores(truth, slipped), "perfect": ClassScores(truth, perfect)})
    found = drawn.difference("slipped", "perfect", "accuracy")
    assert found.value == pytest.approx(-1 / rows)
    assert found.standard_error == pytest.approx(1 / rows)


def test_jackknife_and_bootstrap_agree_on_the_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {"a": class_scores(1, 900), "b": class_scores(2, 900, 0.5)}
    jackknife = Bootstrap(models).difference("a", "b", "auc").standard_error
    monkeypatch.setattr("gpu_jobs.evaluation.bootstrap.RESAMPLES", 800)
    bootstrap = Bootstrap(models, count=1000).difference("a", "b", "auc").standard_error
    assert jackknife == pytest.approx(bootstrap, rel=0.1)
    assert jackknife != bootstrap


def test_large_splits_get_fewer_resamples_but_never_under_two_hundred() -> None:
    assert [resamples_for(rows) for rows in (10, 50_000, 100_000, 10_000_000)] == [1000, 1000, 500, 200]
