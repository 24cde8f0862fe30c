"""Metrics equal scikit-learn's, weighted or not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from gpu_jobs.evaluation.errors import EvaluationError
from gpu_jobs.evaluation.metrics import ClassScores, NumberScores, confusion, metric_names, per_class, point
from gpu_jobs.evaluation.problem import Problem
from gpu_jobs.evaluation.scoring import scores


def classes_case(seed: int, rows: int, classes: int, rounded: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth with every class, probabilities (with many ties if rounded), and whole weights."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), rng.integers(0, classes, rows - classes)])
    logits = rng.normal(size=(rows, classes)) + 1.2 * np.eye(classes)[truth]
    if rounded:
        logits = logits.round()
    p = np.exp(logits)
    weights = rng.integers(0, 4, rows)
    weights[:classes] = 1
    return truth, p / p.sum(axis=1, keepdims=True), weights.astype(float)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 80), st.booleans())
def test_binary_metrics_equal_scikit_learn_under_any_whole_weights(seed: int, rows: int, rounded: bool) -> None:
    truth, p, weights = classes_case(seed, rows, 2, rounded)
    found = {k: v[0] for k, v in ClassScores(truth, p, positive=1).under(weights[None]).items()}
    repeated = np.repeat(np.arange(rows), weights.astype(int))
    y, q = truth[repeated], p[repeated]
    guess = q.argmax(axis=1)
    expected = {
        "accuracy": sk.accuracy_score(y, guess),
        "balanced_accuracy": sk.balanced_accuracy_score(y, guess),
        "f1": sk.f1_score(y, guess, zero_division=0),
        "macro_f1": sk.f1_score(y, guess, average="macro", zero_division=0),
        "precision": sk.precision_score(y, guess, zero_division=0),
        "recall": sk.recall_score(y, guess, zero_division=0),
        "auc": sk.roc_auc_score(y, q[:, 1]),
        "log_loss": sk.log_loss(y, q),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(12, 80), st.integers(3, 5))
def test_multiclass_metrics_equal_scikit_learn(seed: int, rows: int, classes: int) -> None:
    truth, p, _ = classes_case(seed, rows, classes, rounded=False)
    found, guess = point(ClassScores(truth, p)), p.argmax(axis=1)
    macro = {"average": "macro", "zero_division": 0}
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, guess))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(truth, guess))
    assert found["macro_f1"] == found["f1"] == pytest.approx(sk.f1_score(truth, guess, **macro))
    assert found["precision"] == pytest.approx(sk.precision_score(truth, guess, **macro))
    assert found["recall"] == pytest.approx(sk.recall_score(truth, guess, **macro))
    assert found["auc"] == pytest.approx(sk.roc_auc_score(truth, p, multi_class="ovr"))
    assert found["log_loss"] == pytest.approx(sk.log_loss(truth, p))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60), st.floats(-1e6, 1e6))
def test_number_metrics_equal_scikit_learn_under_any_whole_weights(seed: int, rows: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=rows) + shift
    predicted = truth + rng.normal(size=rows) * 0.5
    weights = rng.integers(0, 4, rows).astype(float)
    weights[:3] = 1
    found = {k: v[0] for k, v in NumberScores(truth, predicted).under(weights[None]).items()}
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, predicted, sample_weight=weights))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(truth, predicted, sample_weight=weights))
    assert found["r2"] == pytest.approx(sk.r2_score(truth, predicted, sample_weight=weights), abs=1e-6)


def test_the_positive_label_may_be_the_first_one() -> None:
    truth, p, _ = classes_case(3, 50, 2, rounded=False)
    found, guess = point(ClassScores(truth, p, positive=0)), p.argmax(axis=1)
    assert found["f1"] == pytest.approx(sk.f1_score(truth, guess, pos_label=0))
    assert found["recall"] == pytest.approx(sk.recall_score(truth, guess, pos_label=0))
    assert found["auc"] == pytest.approx(sk.roc_auc_score(truth, p[:, 1]))


def test_ece_is_zero_for_confidence_that_comes_true_and_known_for_one_that_does_not() -> None:
    truth = np.array([0] * 8 + [1] * 2)
    honest = np.tile([0.8, 0.2], (10, 1))
    assert point(ClassScores(truth, honest))["ece"] == pytest.approx(0.0, abs=1e-12)
    boastful = np.tile([0.95, 0.05], (10, 1))
    assert point(ClassScores(truth, boastful))["ece"] == pytest.approx(0.15)


def test_ece_adds_up_bins_by_their_rows() -> None:
    truth = np.array([0, 0, 1, 0])
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    assert point(ClassScores(truth, p))["ece"] == pytest.approx(0.75 * abs(0.9 - 2 / 3) + 0.25 * 0.4)


def test_metrics_that_are_undefined_are_absent() -> None:
    one_class = ClassScores(np.zeros(5, np.int64), np.tile([0.7, 0.3], (5, 1)), positive=1)
    assert "auc" not in point(one_class)
    assert "r2" not in point(NumberScores(np.full(4, 2.0), np.arange(4.0)))


def test_a_certain_mistake_costs_a_finite_log_loss() -> None:
    assert point(ClassScores(np.array([1]), np.array([[1.0, 0.0]])))["log_loss"] == pytest.approx(15.942, abs=1e-3)


def test_the_per_class_table_equals_scikit_learn() -> None:
    truth, p, _ = classes_case(7, 60, 4, rounded=False)
    guess = p.argmax(axis=1)
    with warnings.catch_warnings():
        precision, recall, f1, rows = sk.precision_recall_fscore_support(truth, guess, zero_division=0)
    table = per_class(truth, guess, 4)
    assert [one["precision"] for one in table] == pytest.approx(list(precision))
    assert [one["recall"] for one in table] == pytest.approx(list(recall))
    assert [one["f1"] for one in table] == pytest.approx(list(f1))
    assert [one["rows"] for one in table] == list(rows)
    assert (confusion(truth, guess, 4) == sk.confusion_matrix(truth, guess)).all()


def test_a_metric_that_the_task_lacks_is_refused_with_the_choices() -> None:
    with pytest.raises(EvaluationError, match="'rmse' does not exist for a binary task") as caught:
        Problem.of({"task": "binary", "labels": ["a", "b"], "metric": "rmse"})
    assert caught.value.field == "metric"
    assert "balanced_accuracy" in (caught.value.fix or "")


def test_every_metric_of_a_task_is_computed() -> None:
    truth, p, _ = classes_case(1, 40, 3, rounded=False)
    assert tuple(point(ClassScores(truth, p))) == metric_names("multiclass")
    assert tuple(point(NumberScores(np.arange(9.0), np.ones(9)))) == metric_names("regression")


@pytest.mark.parametrize("wrong", [np.ones((3, 3)), np.array([[0.5, np.nan]] * 3)])
def test_predictions_of_the_wrong_shape_or_not_finite_are_refused(wrong: np.ndarray) -> None:
    problem = Problem("binary", ("a", "b"), 1, "accuracy")
    with pytest.raises(EvaluationError) as caught:
        scores(problem, np.array([0, 1, 0]), wrong)
    assert caught.value.code == "evaluation.prediction"
