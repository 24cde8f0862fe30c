"""What a task sees: paths stay inside, numbers are finite, what it is told arrives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpu_jobs.tasks.job import Cancelled, Job, PathEscapeError
from memory.measurement import Measurement


def job_in(root: Path) -> Job:
    job = Job(root, {"id": "j-1", "kind": "noop", "run": "r-1", "seed": 3})
    job.folder.mkdir(parents=True, exist_ok=True)
    return job


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "link/x"])
def test_a_path_out_of_the_sandbox_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path)
    with pytest.raises(PathEscapeError, match="leads out"):
        job_in(tmp_path / "root").path(path)


def test_a_path_inside_is_absolute(tmp_path: Path) -> None:
    assert job_in(tmp_path).path("data/../data/x.npy") == tmp_path.resolve() / "data/x.npy"


def test_what_a_job_measures_is_a_measurement(tmp_path: Path) -> None:
    plain = job_in(tmp_path).measure(0.5, "fraction", split="test", rows=10, interval=(0.4, 0.6))
    measured = Measurement.model_validate(json.loads(json.dumps(plain)))
    assert (measured.value, measured.provenance.seed, measured.interval) == (0.5, 3, (0.4, 0.6))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_measured(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        job_in(tmp_path).measure(value, "ms")
    with pytest.raises(ValueError, match="not finite"):
        job_in(tmp_path).measure(1.0, "ms", interval=(0.0, value))


def test_control_is_seen_when_it_changes_and_survives_a_half_written_file(tmp_path: Path) -> None:
    job = job_in(tmp_path)
    assert job.control() == {} and not job.stopping
    (job.folder / "control.json").write_text('{"rate": 0.5}')
    assert job.control() == {"rate": 0.5}
    (job.folder / "control.new").write_text('{"cancel": true}')
    (job.folder / "control.new").replace(job.folder / "control.json")
    assert job.stopping
    with pytest.raises(Cancelled):
        job.check()


def test_events_are_whole_lines(tmp_path: Path) -> None:
    job = job_in(tmp_path)
    job.emit("epoch", epoch=1, note="a\nb")
    job.emit("epoch", epoch=2)
    lines = (job.folder / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    with pytest.raises(ValueError):
        job.emit("epoch", loss=float("nan"))
