"""Every limit ends the whole tree with its own error, and says how it is held."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.backends.protocol import SandboxRequest
from gpu_jobs.dispatch import Jobs
from gpu_jobs.host import processes
from gpu_jobs.host.cgroups import open_group
from gpu_jobs.spec import Limits

BEYOND = [
    ("memory", Limits(memory_mb=80), "job.memory", ("memory", "watcher")),
    ("cpu", Limits(cpu_seconds=1), "job.cpu_time", ("cpu", "rlimit")),
    ("file", Limits(file_mb=3), "job.file_limit", ("file", "rlimit")),
    ("disk", Limits(disk_mb=5), "job.disk_limit", ("disk", "watcher")),
]


@pytest.mark.parametrize(("what", "limits", "code", "held"), BEYOND)
async def test_beyond_a_limit_the_job_fails_with_the_name_of_the_limit(
    place: Any, what: str, limits: Limits, code: str, held: tuple[str, str]
) -> None:
    job = place.start("greedy", limits=limits, what=what)
    outcome = await job.outcome()
    assert (outcome.state, outcome.error["code"]) == ("failed", code)
    assert (await job.said("limits"))[held[0]] == held[1]
    recorded = (place.root / "jobs/greedy-1/process.json").read_text()
    assert f'"{held[0]}": "{held[1]}"' in recorded
    if what == "file":
        assert (place.root / "big").stat().st_size == 3_000_000, "a limit in MB is one in 10^6 bytes"


async def test_within_its_limits_a_job_is_left_alone(place: Any) -> None:
    limits = Limits(memory_mb=200, cpu_seconds=30, file_mb=10, disk_mb=50, open_files=64)
    outcome = await place.run("greedy", limits=limits, what="memory", pieces=20)
    assert outcome.state == "done"


async def test_at_its_deadline_a_job_saves_and_is_timed_out(place: Any) -> None:
    outcome = await place.run("patient", limits=Limits(seconds=0.3))
    assert (outcome.state, outcome.code, outcome.error["code"]) == ("timeout", 124, "job.deadline")
    assert (place.root / "saved.json").read_text() == "1"


async def test_sigterm_from_outside_lets_a_job_save_and_is_no_cancel_of_ours(place: Any) -> None:
    job = place.start("patient")
    await job.said("ready")
    process = (place.root / "jobs/patient-1/process.json").read_text()
    os.kill(int(process.split('"pid": ')[1].split(",")[0]), signal.SIGTERM)
    outcome = await job.outcome()
    assert outcome.state == "lost"
    assert (place.root / "saved.json").read_text() == "1"


async def test_a_cancelled_job_stays_cancelled_until_it_is_restarted(place: Any) -> None:
    job = place.start("patient", seconds=1)
    await job.said("ready")
    await place.jobs.cancel("patient-1")
    assert (await job.outcome()).state == "cancelled"
    assert (await place.run("patient", seconds=1)).state == "cancelled"
    again = await place.jobs.run(place.spec("patient", seconds=1), restart=True)
    assert (again.state, again.result) == ("done", {"count": 1})


async def test_cancel_kills_a_job_that_does_not_listen_and_its_double_forked_grandchildren(place: Any) -> None:
    job = place.start("stubborn", strays=True)
    await job.said("ready")
    strays = [int(pid) for pid in (place.root / "pids").read_text().split()]
    assert all(processes.start_ticks(pid) is not None for pid in strays)
    await place.jobs.cancel("stubborn-1", grace=0.1)
    assert (await job.outcome()).state == "cancelled"
    assert [pid for pid in strays if processes.start_ticks(pid) is not None] == []


async def test_what_a_finished_job_left_running_is_killed(place: Any, eventually: Any) -> None:
    assert (await place.run("stubborn", strays=True, seconds=0)).state == "done"
    strays = [int(pid) for pid in (place.root / "pids").read_text().split()]
    await eventually(lambda: all(processes.start_ticks(pid) is None for pid in strays))


async def test_cancelling_before_the_start_means_it_never_starts(place: Any) -> None:
    await place.jobs.cancel("patient-1")
    outcome = await place.run("patient")
    assert outcome.state == "cancelled"
    assert not (place.root / "starts").exists()


@pytest.mark.needs("tmpfs")
async def test_on_a_full_disk_the_job_fails_and_its_end_is_still_written(place: Any, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    assert await asyncio.to_thread(command, "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small))
    try:
        sandbox = await place.backend.open(SandboxRequest(owner="r-2", root=str(small)))
        outcome = await Jobs(sandbox, place.host).run(place.spec("greedy", what="file"))
        assert (outcome.state, (outcome.error or {})["code"]) == ("failed", "job.disk_full")
        assert os.statvfs(small).f_bavail == 0
        with pytest.raises(OSError, match="No space left"):  # at once, not a job whose end nobody could write
            await asyncio.wait_for(Jobs(sandbox, place.host).run(place.spec("noop")), 20)
        (small / "big").unlink()
        again = await Jobs(sandbox, place.host).run(place.spec("noop"))
        assert again.state == "done"
        await place.backend.destroy(sandbox.info.id)
    finally:
        await asyncio.to_thread(command, "umount", "-l", str(small))


def command(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True).returncode == 0


def hierarchy(folder: Path, unified: bool) -> Path:
    folder.mkdir()
    if unified:
        (folder / "cgroup.subtree_control").write_text("")
    return folder


def test_a_given_control_group_gets_the_limit_in_the_words_of_its_version(tmp_path: Path) -> None:
    for unified, name in ((True, "memory.max"), (False, "memory.limit_in_bytes")):
        parent = hierarchy(tmp_path / name, unified)
        group = open_group("job", 64, str(parent))
        assert group is not None
        assert (group.folder / name).read_text() == "64000000"
        assert (parent / "cgroup.subtree_control").exists() == unified
        (group.folder / "memory.events").write_text("low 0\noom_kill 2\n")
        assert group.oom_kills() == (2 if unified else 0)


def test_a_group_that_cannot_be_used_leaves_the_limit_to_the_watcher(tmp_path: Path) -> None:
    assert open_group("job", 64, str(tmp_path / "absent")) is None
