"""The metric shown per epoch is the run's own, as scikit-learn has it; on very many rows a plainer one, named so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from gpu_jobs.training import table as tables
from gpu_jobs.training.step import _metric
from gpu_jobs.training.table import Table


def shown(truth: Any, predicted: Any, classes: int, metric: str) -> tuple[str, Any]:
    held = torch.zeros(len(truth), 1)
    targets = torch.as_tensor(truth)
    table = Table({"numbers": held}, targets, {"numbers": held}, targets, classes, metric=metric)
    return table.metric, _metric(torch.as_tensor(predicted, dtype=torch.float32), table)


RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 3, 400)
CHANCES = RANDOM.dirichlet([1, 1, 1], 400).astype(np.float32)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "auc", "log_loss"])
def test_classes_are_shown_by_the_runs_metric(metric: str) -> None:
    answers = CHANCES.argmax(1)
    expected = {
        "accuracy": reference.accuracy_score(TRUTH, answers),
        "balanced_accuracy": reference.balanced_accuracy_score(TRUTH, answers),
        "macro_f1": reference.f1_score(TRUTH, answers, average="macro"),
        "auc": np.mean([reference.roc_auc_score(k == TRUTH, CHANCES[:, k]) for k in range(3)]),
        "log_loss": -np.log(CHANCES[np.arange(400), TRUTH]).mean(),
    }[metric]
    assert shown(TRUTH, CHANCES, 3, metric) == (metric, pytest.approx(expected, rel=1e-5))


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_numbers_are_shown_by_the_runs_metric(metric: str) -> None:
    y = RANDOM.normal(size=300)
    guess = (y + RANDOM.normal(size=300)).astype(np.float32)
    expected = {
        "rmse": reference.root_mean_squared_error,
        "mae": reference.mean_absolute_error,
        "r2": reference.r2_score,
    }[metric](y, guess)
    assert shown(y, guess, 0, metric) == (metric, pytest.approx(expected, rel=1e-5))


def test_a_metric_that_the_rows_do_not_define_is_absent() -> None:
    assert shown(np.zeros(50, np.int64), CHANCES[:50, :2], 2, "auc") == ("auc", None)


def test_a_metric_that_is_dear_on_so_many_rows_is_replaced_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "DEAREST", 400)
    assert shown(TRUTH, CHANCES, 3, "macro_f1") == ("accuracy", pytest.approx((CHANCES.argmax(1) == TRUTH).mean()))


def test_what_prepare_writes_names_the_metric_of_the_plan(tmp_path: Path) -> None:
    from gpu_jobs.data.snapshot import snapshot
    from gpu_jobs.data.table import load_prepared
    from tests.gpu_jobs.data.conftest import people, prepare

    people().write_csv(tmp_path / "t.csv")
    snapshot({"data": tmp_path / "t.csv"}, tmp_path / "data", None)
    prepare(tmp_path, "kind", "multiclass", metric="macro_f1")
    assert Table.of(load_prepared(tmp_path), 3, torch.device("cpu")).metric == "macro_f1"
