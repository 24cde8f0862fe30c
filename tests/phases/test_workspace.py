"""Files of a run are written whole, linked in one step, sealed, and never take a person's place."""

from __future__ import annotations

import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from phases import workspace


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "configs" / "training.json"
    workspace.write_json(path, {"epochs": 3})
    workspace.write_json(path, {"epochs": 4})
    assert workspace.read_json(path) == {"epochs": 4}
    assert [one.name for one in path.parent.iterdir()] == ["training.json"]


def test_a_number_that_json_cannot_hold_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    workspace.write_json(path, {"loss": 1.0})
    with pytest.raises(ValueError, match="JSON"):
        workspace.write_json(path, {"loss": float("nan")})
    assert workspace.read_json(path) == {"loss": 1.0}


def test_a_link_moves_in_one_step_and_spares_a_persons_file(tmp_path: Path) -> None:
    for attempt in ("1", "2"):
        (tmp_path / "attempts" / attempt).mkdir(parents=True)
        (tmp_path / "attempts" / attempt / "model.onnx").write_text(attempt)
        workspace.link(tmp_path, "models/model.onnx", f"attempts/{attempt}/model.onnx")
        assert (tmp_path / "models" / "model.onnx").read_text() == attempt
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        workspace.link(tmp_path, "mine.txt", "attempts/1/model.onnx")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_sealed_attempt_is_read_only_and_its_hashes_are_those_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "models" / "model.onnx"
    file.parent.mkdir()
    file.write_bytes(b"graph")
    hashes = workspace.seal(tmp_path)
    assert hashes == {"models/model.onnx": workspace.sha256(file)}
    assert not file.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    assert workspace.seal(tmp_path) == hashes


def test_the_training_code_runs_without_neuroloom(tmp_path: Path) -> None:
    workspace.copy_training_code(tmp_path / "training_code")
    code = (
        "import sys, importlib, pkgutil, training_code\n"
        "for found in pkgutil.walk_packages(training_code.__path__, 'training_code.'):\n"
        "    importlib.import_module(found.name)\n"
        "names = {'agents', 'app', 'gpu_jobs', 'memory', 'phases', 'templates'}\n"
        "ours = names & {m.split('.')[0] for m in sys.modules}\n"
        "print('none' if not ours else ours)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "ORT_DISABLE_TELEMETRY": "1"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (ran.returncode, ran.stdout.strip()) == (0, "none"), ran.stderr


def _points(folder: Path, run: str, times: int) -> None:
    for _ in range(times):
        workspace.point_latest(folder, run)


def test_commands_that_move_latest_at_the_same_moment_do_not_disturb_each_other(tmp_path: Path) -> None:
    for run in ("r-1", "r-2", "r-3"):
        (tmp_path / "neural" / run).mkdir(parents=True)
    fork = multiprocessing.get_context("fork")
    doors = [fork.Process(target=_points, args=(tmp_path, run, 300)) for run in ("r-1", "r-2", "r-3")]
    for door in doors:
        door.start()
    for door in doors:
        door.join()
    assert [door.exitcode for door in doors] == [0, 0, 0]
    assert sorted(path.name for path in (tmp_path / "neural").iterdir()) == ["latest", "r-1", "r-2", "r-3"]
    assert (tmp_path / "neural" / "latest").readlink().name in {"r-1", "r-2", "r-3"}
