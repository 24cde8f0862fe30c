"""Temperatures and intervals do what they promise on rows they have not seen."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_jobs.data.rows.interval import Interval
from gpu_jobs.evaluation.calibration import fit_temperature, log_loss, reliability, tempered
from gpu_jobs.evaluation.intervals import covered, fit_conformal, quantile
from gpu_jobs.evaluation.metrics import ClassScores, point


def drawn(rows: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Truth drawn from honest probabilities, and these probabilities sharpened by a power."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, 3)) * 1.5
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (rng.random((rows, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    return truth.clip(0, 2), tempered(honest, 1 / sharpness)


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_the_temperature_undoes_how_much_too_sure_or_unsure_the_model_is(sharpness: float) -> None:
    truth, p = drawn(4000, sharpness)
    found = fit_temperature(p, truth)
    assert found.value == pytest.approx(sharpness, rel=0.1)
    assert found.applied
    assert found.after < found.before
    fresh_truth, fresh = drawn(4000, sharpness, seed=9)
    assert log_loss(tempered(fresh, found.value), fresh_truth) < log_loss(fresh, fresh_truth)
    ece = [point(ClassScores(fresh_truth, q))["ece"] for q in (fresh, tempered(fresh, found.value))]
    assert ece[1] < ece[0] / 2


def test_no_temperature_where_it_does_not_lower_the_held_out_loss() -> None:
    losses = []
    for seed in range(20):
        truth, p = drawn(200, 1.0, seed)
        found = fit_temperature(p, truth, seed=seed)
        losses.append(found.after - found.before)
        assert found.applied == (found.after < found.before)
    assert max(losses) == 0.0


@pytest.mark.parametrize("truth", [np.zeros(500, np.int64), np.array([0, 1] * 8)])
def test_too_few_rows_or_one_class_get_no_temperature(truth: np.ndarray) -> None:
    p = np.tile([0.6, 0.4], (len(truth), 1))
    assert fit_temperature(p, truth).value == 1.0


def test_a_few_perfect_rows_do_not_make_the_model_boundlessly_sure() -> None:
    truth = np.array([0, 1] * 25)
    p = np.where(truth[:, None] == [0, 1], 0.97, 0.03)
    assert fit_temperature(p, truth).value > 0.5


def test_a_temperature_keeps_rows_summing_to_one_and_the_most_probable_class() -> None:
    _, p = drawn(100, 1.0)
    for temperature in (0.25, 1.7, 4.0):
        changed = tempered(p, temperature)
        assert changed.sum(axis=1) == pytest.approx(np.ones(100))
        assert (changed.argmax(axis=1) == p.argmax(axis=1)).all()


def test_reliability_bins_add_up_to_the_ece() -> None:
    truth, p = drawn(700, 1.6)
    bins = reliability(p, truth)
    assert sum(b.rows for b in bins) == 700
    total = sum(b.rows * abs(b.confidence - b.accuracy) for b in bins) / 700
    assert total == pytest.approx(point(ClassScores(truth, p))["ece"])
    assert all(b.low < b.confidence <= b.high + 1e-12 for b in bins)


def test_the_conformal_quantile_is_the_rank_that_the_theorem_names() -> None:
    assert quantile(np.arange(1.0, 100.0), 0.9) == 90.0  # ceil(0.9 * 100) = 90th of 99
    assert quantile(np.arange(1.0, 9.0), 0.9) is None
    assert quantile(np.arange(1.0, 10.0), 0.9) == 9.0


def test_intervals_cover_what_was_asked_on_fresh_rows() -> None:
    shares = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        truth, fresh = rng.normal(size=400), rng.normal(size=2000)
        found = fit_conformal(truth, truth + rng.standard_t(4, size=400), seed=seed)
        assert found is not None
        assert (found.rows, found.checked) == (200, 200)
        shares.append(covered(fresh, fresh + rng.standard_t(4, size=2000), Interval(found.interval)))
    assert 0.89 < float(np.mean(shares)) < 0.92


def test_coverage_is_measured_on_the_half_that_set_nothing() -> None:
    truth = np.zeros(200)
    predicted = np.zeros(200)
    order = np.random.default_rng(0).permutation(200)
    predicted[order[100:]] = 5.0  # only the checking half is wrong
    found = fit_conformal(truth, predicted, seed=0)
    assert found is not None
    assert (found.interval, found.covered) == ({"level": 0.9, "half_width": 0.0}, 0.0)


def test_where_a_logarithm_is_learned_the_interval_grows_with_the_value_and_is_never_negative() -> None:
    shares, low_shares = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        middle = np.exp(rng.normal(5, 2, size=3000)) - 1
        truth = np.maximum((1 + middle) * np.exp(rng.normal(0, 0.4, size=3000)) - 1, 0.0)
        found = fit_conformal(truth[:600], middle[:600], logarithm=True, least=0.0, seed=seed)
        assert found is not None and found.interval["least"] == 0.0
        interval = Interval(found.interval)
        small, large = interval.ends(0.01), interval.ends(100_000.0)
        assert small[0] == 0.0 and small[1] < 2 and large[1] - large[0] > 50_000
        shares.append(covered(truth[600:], middle[600:], interval))
        below = middle[600:] < np.median(middle)
        low_shares.append(covered(truth[600:][below], middle[600:][below], interval))
    assert 0.89 < float(np.mean(shares)) < 0.92
    assert 0.88 < float(np.mean(low_shares)) < 0.93, "small and large values are covered alike"


def test_without_a_known_bound_a_logarithms_interval_may_go_below_zero_but_never_below_minus_one() -> None:
    low, high = Interval({"level": 0.9, "factor": 4.0, "least": None}).ends(0.0)
    assert (low, high) == (-0.75, 3.0)
    assert Interval({"level": 0.9, "factor": 4.0, "least": None}).ends(-1.0) == (-1.0, -1.0)


def test_a_logarithm_that_misses_by_everything_falls_back_to_a_width() -> None:
    found = fit_conformal(np.full(100, 9.0), np.full(100, -1.0), logarithm=True)
    assert found is not None
    assert found.interval == {"level": 0.9, "half_width": 10.0}


def test_too_few_rows_get_no_interval() -> None:
    assert fit_conformal(np.zeros(30), np.zeros(30)) is None
