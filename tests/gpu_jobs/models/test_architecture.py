"""Architectures: refused clearly, carried by JSON without loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_jobs.models.architecture import Architecture, Inputs
from gpu_jobs.models.defaults import recommended_architecture, recommended_training
from gpu_jobs.models.errors import ModelError
from gpu_jobs.training.settings import TrainSettings

GOOD: dict[str, Any] = {"inputs": {"numbers": 3, "categories": [7, 40]}, "outputs": 2, "task": "binary"}


@given(
    numbers=st.integers(0, 50),
    categories=st.lists(st.integers(1, 1000), min_size=1, max_size=4),
    width=st.integers(1, 512),
    depth=st.integers(0, 6),
    dropout=st.floats(0, 0.9),
    members=st.integers(1, 32),
)
def test_an_architecture_survives_json(
    numbers: int, categories: list[int], width: int, depth: int, dropout: float, members: int
) -> None:
    architecture = Architecture(
        Inputs(numbers, tuple(categories)), 1, "regression", width=width, depth=depth, dropout=dropout, members=members
    )
    assert Architecture.from_dict(json.loads(json.dumps(architecture.as_dict()))) == architecture


def test_an_architecture_file_reads_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(GOOD), "utf-8")
    assert Architecture.load(path).as_dict()["inputs"] == GOOD["inputs"]
    path.write_text("{", "utf-8")
    with pytest.raises(ModelError, match="is not JSON"):
        Architecture.load(path)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"task": "clustering"}, "task"),
        ({"activation": "tanh"}, "activation"),
        ({"width": 0}, "width"),
        ({"width": 12.5}, "width"),
        ({"depth": True}, "depth"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": float("nan")}, "dropout"),
        ({"outputs": 3}, "outputs"),
        ({"task": "regression"}, "outputs"),
        ({"inputs": {"numbers": 0}}, "inputs"),
        ({"inputs": {"numbers": 2, "categories": [0]}}, "inputs"),
        ({"inputs": {"numbers": "two"}}, "inputs"),
        ({"depth": 0, "linear_skip": False}, "depth"),
        ({"layers": 3}, "layers"),
        ({"batch_norm": "yes"}, "batch_norm"),
    ],
)
def test_a_wrong_field_is_named_with_its_fix(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ModelError) as caught:
        Architecture.from_dict({**GOOD, **change})
    assert caught.value.field == field
    assert caught.value.code == "model.architecture"
    assert caught.value.fix


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ModelError, match="lacks 'outputs'"):
        Architecture.from_dict({"inputs": {"numbers": 1}, "task": "binary"})


@pytest.mark.parametrize("rows", [2, 150, 1_999, 2_000, 40_000, 100_001, 3_000_000])
@pytest.mark.parametrize(("task", "outputs"), [("binary", 2), ("multiclass", 7), ("regression", 1)])
def test_recommendations_are_valid_at_every_size(rows: int, task: Any, outputs: int) -> None:
    document = recommended_architecture(task, rows, 5, (12,), outputs)
    assert Architecture.from_dict(document).outputs == outputs
    settings = TrainSettings.from_dict(recommended_training(task, rows))
    assert settings.patience == (10 if rows >= 2_000 else 25)
