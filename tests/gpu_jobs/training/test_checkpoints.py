"""Checkpoint files on their own: a full disk, wrong bytes, and which ones are kept."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from gpu_jobs.training.checkpoints import KEEP, CheckpointFolder, write_atomically
from gpu_jobs.training.errors import TrainingError

TENSORS = {"values": torch.arange(20_000.0)}


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """Writing more than `limit` bytes to a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def scalars(epoch: int, best: int = 1) -> dict[str, int]:
    return {"epoch": epoch, "step": 0, "best_epoch": best}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "r")
    record = folder.save(TENSORS, scalars(1), "interval")
    found = folder.newest()
    assert found is not None
    assert torch.equal(found.tensors["values"], TENSORS["values"])
    assert found.scalars == scalars(1)
    assert found.sha256 == record["sha256"]


def test_a_full_disk_leaves_the_earlier_checkpoint_and_no_half_written_file(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "r")
    folder.save(TENSORS, scalars(1), "interval")
    before = sorted(path.name for path in tmp_path.iterdir())
    with small_files(10_000), pytest.raises(OSError, match="too large"):
        folder.save(TENSORS, scalars(2), "interval")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    found = folder.newest()
    assert found is not None
    assert found.scalars["epoch"] == 1


def test_tensors_without_their_json_are_no_checkpoint(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "r")
    folder.save(TENSORS, scalars(1), "interval")
    folder.save(TENSORS, scalars(2), "interval")
    (tmp_path / "epoch-00002-000000-interval.json").unlink()
    found = folder.newest()
    assert found is not None
    assert found.scalars["epoch"] == 1


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "r")
    for epoch in range(1, 9):
        folder.save(TENSORS, scalars(epoch, best=2), "best" if epoch in (1, 2) else "interval")
    assert [name.split("-")[1] for name in folder.names()] == ["00002", "00006", "00007", "00008"]
    assert len(folder.kept()) == KEEP + 1


def test_every_damaged_checkpoint_is_reported_and_none_is_none(tmp_path: Path) -> None:
    said: list[str] = []
    folder = CheckpointFolder(tmp_path, "r", report=lambda name, why: said.append(f"{name}: {why}"))
    for epoch in (1, 2):
        folder.save(TENSORS, scalars(epoch), "interval")
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    assert folder.newest() is None
    assert len(said) == 2
    assert "checksum" in said[0]
    with pytest.raises(TrainingError, match="unreadable"):
        folder.load("epoch-00009-000000-interval")


def test_leftovers_of_a_killed_writer_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".epoch-00001-000000-best.json.123.partial").write_bytes(b"half")
    CheckpointFolder(tmp_path, "r")
    assert not list(tmp_path.iterdir())


def test_an_atomic_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with small_files(10), pytest.raises(OSError, match="too large"):
        write_atomically(path, b"x" * 100)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
