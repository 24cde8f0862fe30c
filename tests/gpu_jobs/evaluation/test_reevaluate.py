"""The independent re-evaluation agrees with honest results and finds every kind of dishonest one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "acceptance" / "reevaluate.py"
Finished = Callable[[str], Any]


def reevaluate(root: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", str(SCRIPT), str(root), "--test-only"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """A finished run, copied, with the files that a whole run would add."""

    def copy(task: str) -> tuple[Path, dict[str, Any]]:
        run, results = finished(task)
        root = tmp_path / "run"
        shutil.copytree(run.root, root)
        for name in ("configs", "reports"):
            (root / name).mkdir(exist_ok=True)
        (root / "configs" / "dataset.json").write_text(json.dumps(run.dataset))
        document = json.loads(json.dumps({"test": results["test"]}))
        (root / "reports" / "results.json").write_text(json.dumps(document))
        return root, document

    return copy


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_honest_results_agree(copied: Callable[[str], Any], task: str) -> None:
    root, _ = copied(task)
    code, said = reevaluate(root)
    assert code == 0, said
    assert "0 mismatches" in said


@pytest.mark.parametrize(
    ("place", "named"),
    [
        (("metrics", "accuracy", "value"), "test metrics accuracy"),
        (("baselines", "trees", "auc", "value"), "test baselines trees auc"),
        (("versus", "linear", "difference", "value"), "test versus linear difference"),
        (("onnx_parity", "max_relative", "value"), "test onnx_parity max_relative"),
        (("confusion", "matrix", 0, 0), "test confusion matrix 0 0"),
        (("metrics", "auc", "interval", 0), "test metrics auc interval"),
        (("versus", "trees", "standard_error", "value"), "test versus trees standard_error"),
        (("roc", 0, "points", 3, 1), "test roc 0 points 3 1"),
        (("pr", 1, "share"), "test pr 1 share"),
        (("calibration", 0, "confidence"), "test calibration 0 confidence"),
        (("robustness", "noise", "value"), "test robustness noise"),
        (("gap", "value"), "test gap"),
        (("train_metrics", "log_loss", "value"), "test train_metrics log_loss"),
        (("per_class", 1, "recall", "value"), "test per_class 1 recall"),
    ],
)
def test_a_number_that_was_changed_is_named(copied: Callable[[str], Any], place: tuple[Any, ...], named: str) -> None:
    root, document = copied("multiclass")
    inner = document["test"]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] += 0.001
    (root / "reports" / "results.json").write_text(json.dumps(document))
    code, said = reevaluate(root)
    assert code == 1
    assert f"mismatch: {named}" in said


def test_predictions_that_the_published_graph_does_not_make_are_found(copied: Callable[[str], Any]) -> None:
    root, _ = copied("regression")
    path = root / "attempts/1/predictions.npz"
    arrays = dict(np.load(path))
    arrays["onnx"] = arrays["onnx"] * 1.01
    np.savez(path, **arrays)
    code, said = reevaluate(root)
    assert code == 1
    assert "the graph predicts otherwise than kept" in said


def test_a_number_that_nothing_is_expected_for_is_told(copied: Callable[[str], Any]) -> None:
    root, document = copied("binary")
    document["test"]["metrics"]["magic"] = 0.5
    (root / "reports" / "results.json").write_text(json.dumps(document))
    code, said = reevaluate(root)
    assert code == 1
    assert "test metrics magic: 0.5 has no source" in said
