"""Importance and robustness point at the columns that a model really uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpu_jobs.evaluation.importance import permutation_importance
from gpu_jobs.evaluation.inputs import Group, Inputs, Sample
from gpu_jobs.evaluation.problem import Problem
from gpu_jobs.evaluation.robustness import Disturbed, deviations, measure_robustness, with_noise

PROBLEM = Problem("regression", (), None, "rmse")
GROUPS = [
    Group("used", "number", (0, 1), ()),
    Group("ignored", "number", (2,), ()),
    Group("kind", "category", (), (0,)),
]


def formula(inputs: Inputs) -> Any:
    """A model that uses columns 0 and 1 of the numbers, a little of the category, and nothing else."""
    numbers = inputs["numbers"].astype(np.float64)
    return numbers[:, 0] + numbers[:, 1] + 0.1 * inputs["categories"][:, 0].astype(np.float64)


def sample(rows: int = 500) -> Sample:
    rng = np.random.default_rng(0)
    inputs: Inputs = {"numbers": rng.normal(size=(rows, 3)), "categories": rng.integers(0, 4, (rows, 1))}
    return Sample(inputs, formula(inputs) + rng.normal(size=rows) * 0.1)


def test_columns_are_ranked_by_what_the_model_uses() -> None:
    table = permutation_importance(formula, sample(), GROUPS, PROBLEM)
    assert [one.column for one in table] == ["used", "kind", "ignored"]
    assert table[0].drop > 1
    assert table[0].low < table[0].drop < table[0].high
    assert table[2].drop == 0


def test_importance_is_the_same_for_the_same_seed() -> None:
    pair = [permutation_importance(formula, sample(), GROUPS, PROBLEM, seed=s) for s in (1, 1, 2)]
    assert pair[0] == pair[1] != pair[2]


def test_importance_takes_a_bounded_number_of_rows() -> None:
    seen = []

    def counted(inputs: Inputs) -> Any:
        seen.append(len(inputs["numbers"]))
        return formula(inputs)

    table = permutation_importance(counted, sample(30_000), GROUPS, PROBLEM)
    assert max(seen) == 4000 == table[0].rows


def test_a_metric_that_is_undefined_gives_no_table() -> None:
    problem = Problem("binary", ("a", "b"), 1, "auc")
    rows = Sample(sample().inputs, np.zeros(500, np.int64))
    constant = lambda inputs: np.tile([0.5, 0.5], (len(inputs["numbers"]), 1))  # noqa: E731
    assert permutation_importance(constant, rows, GROUPS, problem) == []


def test_robustness_measures_noise_and_each_missing_column_as_drops() -> None:
    rows = sample()
    noisy = {**rows.inputs, "numbers": rows.inputs["numbers"].astype(np.float64) + 0.5}
    empty = {"numbers": np.zeros((1, 3)), "categories": np.zeros((1, 1), np.int64)}
    found = measure_robustness(formula, rows, PROBLEM, Disturbed(GROUPS, empty, noisy))
    assert found is not None
    drops = dict(found.missing)
    assert found.metric == pytest.approx(0.1, rel=0.1)
    assert found.noise == pytest.approx(1.0, rel=0.1)
    assert drops["used"] > drops["kind"] > drops["ignored"] == 0
    assert found.missing[0][0] == "used"


def test_noise_moves_numbers_by_a_share_of_their_deviation_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    values = [*rng.normal(100, 20, 5000), None, "?"]
    spread = deviations({"a": values, "b": ["x", None], "constant": [3.0, 3.0]})
    assert set(spread) == {"a"}
    moved = with_noise({"a": values, "b": ["x"] * 5002}, spread)
    change = np.array(moved["a"][:5000]) - np.array(values[:5000])
    assert change.std() == pytest.approx(2.0, rel=0.05)
    assert moved["a"][5000:] == [None, "?"]
    assert moved["b"] == ["x"] * 5002


def test_the_interval_over_few_shuffles_holds_the_mean_of_many_as_often_as_it_says() -> None:
    """At 1.96 standard errors of five shuffles it would hold it in about 88 of 100."""
    rows = sample()
    tables = [permutation_importance(formula, rows, GROUPS, PROBLEM, seed=seed) for seed in range(200)]
    drops = [next(one for one in table if one.column == "used") for table in tables]
    mean = float(np.mean([one.drop for one in drops]))
    inside = np.mean([one.low <= mean <= one.high for one in drops])
    assert 0.91 <= inside <= 0.99
