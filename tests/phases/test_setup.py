"""What setup checks by itself: the configuration as it stands on disk, and tables too small to split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from agents.decisions import ClusterPlan
from agents.reasoners.rules import cluster
from gpu_jobs.machine import facts
from memory.errors import InputError
from phases.setup import _valid, refuse_tiny

MACHINE = {"cores": 2, "memory_mb": 4096, "disk_free_mb": 50_000, "gpus": []}
PARTS = {"backend", "workers", "topology", "device", "limits"}


def written(path: Path, plan: ClusterPlan, **changes: Any) -> Path:
    path.write_text(json.dumps({"cluster": {**plan.model_dump(mode="json", include=PARTS), **changes}}))
    return path


def test_the_configuration_is_valid_when_the_file_holds_what_was_decided(tmp_path: Path) -> None:
    plan = cluster.decide({"request": {}, "machine": MACHINE})
    assert _valid(written(tmp_path / "training.json", plan), plan).passed


@pytest.mark.parametrize("changes", [{"workers": 3}, {"workers": "many"}, {"topology": "ring of fire"}, {"extra": 1}])
def test_a_configuration_that_was_changed_or_is_none_is_not(tmp_path: Path, changes: dict[str, Any]) -> None:
    plan = cluster.decide({"request": {}, "machine": MACHINE})
    assert not _valid(written(tmp_path / "training.json", plan, **changes), plan).passed


def test_a_configuration_that_cannot_be_read_is_not(tmp_path: Path) -> None:
    plan = cluster.decide({"request": {}, "machine": MACHINE})
    (tmp_path / "training.json").write_text('{"cluster": ')
    assert not _valid(tmp_path / "training.json", plan).passed
    assert not _valid(tmp_path / "gone.json", plan).passed


@pytest.mark.parametrize(
    ("rows", "columns", "code"), [(9, 3, "input.too_few_rows"), (500, 1, "input.no_usable_column")]
)
def test_a_table_too_small_to_split_is_bad_input_not_a_gate_that_failed(rows: int, columns: int, code: str) -> None:
    with pytest.raises(InputError) as caught:
        refuse_tiny({"rows": rows, "columns": [{}] * columns})
    assert caught.value.code == code and caught.value.fix and caught.value.field == "data"
    refuse_tiny({"rows": 10, "columns": [{}, {}]})


def test_megabytes_of_the_machine_are_millions_of_bytes(tmp_path: Path) -> None:
    found = facts(tmp_path)
    assert found["memory_mb"] == psutil.virtual_memory().total // 10**6
