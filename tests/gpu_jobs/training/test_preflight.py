"""Preflight measures what training will do, is bounded, and lowers only a rate that is unstable."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from gpu_jobs.tasks import preflight as task
from gpu_jobs.tasks.job import Job
from gpu_jobs.training.preflight import preflight, stable_rate
from gpu_jobs.training.table import Table
from tests.gpu_jobs.training.tables import make_architecture, make_settings, make_table, write_prepared


@pytest.mark.parametrize("classes", [3, 0])
def test_a_learnable_table_passes_every_part(classes: int) -> None:
    found = preflight(make_architecture(classes), make_settings(), make_table(400, classes))
    assert found.finite
    assert found.overfit["passed"]
    before, after = found.overfit["loss_before"], found.overfit["loss_after"]
    assert before is not None
    assert after is not None
    assert after < 0.6 * before
    assert found.threads in found.step_seconds
    assert found.seconds_per_epoch > 0
    assert found.rows_per_second == pytest.approx(320 / (5 * found.step_seconds[found.threads]))
    assert found.epochs_for(100 * found.seconds_per_epoch) == 80
    assert found.epochs_for(1e-9) == 1


def test_numbers_that_are_not_finite_are_seen() -> None:
    table = make_table(400)
    table.train["numbers"][:, 0] = math.inf
    torn = Table(table.train, table.target, table.validation, table.validation_target, 2, None, table.continuous)
    found = preflight(make_architecture(number_embedding="none"), make_settings(), torn)
    assert not found.finite
    assert not found.overfit["passed"]
    json.dumps(found.overfit, allow_nan=False)


def test_the_rate_is_kept_unless_the_loss_turned_up_near_it() -> None:
    assert stable_rate([(0.001, 1.0), (0.1, 0.4), (0.3, 0.9)], 0.01) == 0.01
    assert stable_rate([(0.001, 1.0), (0.005, 0.40), (0.1, 0.59), (0.3, 0.9)], 0.01) == 0.01
    assert stable_rate([(0.001, 1.0), (0.003, 0.4), (0.3, 0.9)], 0.01) == pytest.approx(0.0015)
    assert stable_rate([(1e-6, 0.1), (0.3, 0.9)], 0.01) == pytest.approx(0.001)
    assert stable_rate([], 0.01) == 0.01


def test_the_job_gives_measurements_with_provenance(tmp_path: Path) -> None:
    write_prepared(tmp_path)
    torch.manual_seed(0)
    spec = {
        "id": "preflight-1", "kind": "preflight", "run": "r-1", "dataset_sha256": "abc", "code_version": "v",
        "args": {
            "architecture": make_architecture().as_dict(), "training": make_settings().as_dict(),
            "budget_seconds": 60,
        },
    }  # fmt: skip
    result = task.run(Job(tmp_path, spec))
    json.dumps(result, allow_nan=False)
    assert result["memory_mb"]["unit"] == "MB"
    assert result["memory_mb"]["provenance"]["job"] == "preflight-1"
    assert result["epochs_for_budget"] >= 1
    assert result["finite"]
