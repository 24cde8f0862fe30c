"""The connect job: ranks that really are processes of their own, each of which answers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gpu_jobs.tasks import connect
from gpu_jobs.tasks.job import Job
from gpu_jobs.training.errors import TrainingError
from gpu_jobs.training.group import Group
from gpu_jobs.training.workers import present, together


def job(root: Path, workers: int) -> Job:
    return Job(root, {"id": "connect-1", "kind": "connect", "run": "r-1", "workers": workers})


def test_every_rank_is_a_process_of_its_own_and_answers(tmp_path: Path) -> None:
    nodes = connect.run(job(tmp_path, 3))["nodes"]
    assert [node["rank"] for node in nodes] == [1, 2]
    assert len({os.getpid(), *(node["pid"] for node in nodes)}) == 3
    for node in nodes:
        assert 0 < node["round_trip_ms"]["value"] < 10_000 and node["round_trip_ms"]["provenance"]["job"] == "connect-1"


def test_one_process_has_nobody_to_meet(tmp_path: Path) -> None:
    assert connect.run(job(tmp_path, 1)) == {"nodes": []}


def test_a_rank_that_dies_is_no_node(tmp_path: Path) -> None:
    def dies(group: Group) -> list[int]:
        if group.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return present(group)

    with pytest.raises(TrainingError, match="worker 1"):
        together(2, tmp_path, dies)
