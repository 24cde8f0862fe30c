"""A run's folder and a sandbox elsewhere: only what changed moves, nothing is taken on trust, nothing older wins."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gpu_jobs.backends.local import LocalBackend, LocalSandbox, LocalSettings
from gpu_jobs.backends.protocol import SandboxRequest
from gpu_jobs.dispatch import HostSettings, Jobs
from gpu_jobs.mirror import Mirror
from gpu_jobs.mirrored import MirroredJobs
from gpu_jobs.spec import JobSpec
from memory.errors import BackendError

KINDS = Path(__file__).parent / "host" / "kinds"


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[LocalSandbox]:
    backend = LocalBackend(LocalSettings(), tmp_path / "home")
    yield await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "far")))
    for name in ("r-1.main", "r-1.here"):
        await backend.destroy(name)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here" / "deep").mkdir(parents=True)
    (tmp_path / "here" / "a.txt").write_text("a")
    (tmp_path / "here" / "deep" / "b.bin").write_bytes(b"\0b")
    return tmp_path / "here"


@pytest.fixture
def mirror(far: LocalSandbox, here: Path) -> Mirror:
    return Mirror(far, sys.executable, here)


def ended(far: LocalSandbox, job: str = "train-1") -> Path:
    """What a job leaves that has ended; the root there."""
    root = Path(far.info.root)
    (root / "jobs" / job).mkdir(parents=True, exist_ok=True)
    for name, text in (("exit", '{"start": 1, "state": "done", "code": 0}'), ("job.json", "{}"), ("log", "said\n")):
        (root / "jobs" / job / name).write_text(text)
    return root


async def test_only_what_differs_is_sent(mirror: Mirror, far: LocalSandbox, here: Path) -> None:
    assert sorted(await mirror.send()) == ["a.txt", "deep/b.bin"]
    assert await far.read("deep/b.bin") == b"\0b"
    assert await mirror.send() == []
    (here / "a.txt").write_text("another")
    assert await mirror.send() == ["a.txt"]


async def test_what_is_gone_here_goes_there_and_what_was_never_here_stays(
    mirror: Mirror, far: LocalSandbox, here: Path
) -> None:
    await mirror.send()
    await far.write("attempts/1/checkpoint", b"made there")
    (here / "a.txt").unlink()
    await mirror.send()
    assert await far.read("a.txt") is None
    assert await far.read("attempts/1/checkpoint") == b"made there"


async def test_a_place_that_lost_everything_is_filled_again(mirror: Mirror, far: LocalSandbox) -> None:
    await mirror.send()
    (Path(far.info.root) / "a.txt").unlink()
    assert await mirror.send() == ["a.txt"]


async def test_outputs_and_record_come_back_and_a_second_time_nothing_does(
    mirror: Mirror, far: LocalSandbox, here: Path
) -> None:
    await mirror.send()
    root = ended(far)
    (root / "deep" / "b.bin").write_bytes(b"changed")
    (root / "model").mkdir()
    (root / "model" / "weights").write_bytes(b"w" * (9 << 20))
    (root / "a.txt").unlink()
    assert not await mirror.fetched("train-1")
    came = await mirror.fetch("train-1")
    assert came[-2:] == ["jobs/train-1/exit", "jobs/train-1/job.json"]  # the record last: with it, all of it is here
    assert (here / "model" / "weights").read_bytes() == b"w" * (9 << 20)
    assert (here / "deep" / "b.bin").read_bytes() == b"changed" and not (here / "a.txt").exists()
    assert (here / "jobs" / "train-1" / "log").read_text() == "said\n"
    assert await mirror.fetched("train-1") and await mirror.fetch("train-1") == []
    assert await mirror.send() == []


async def test_a_name_that_leads_out_of_the_folder_is_refused(far: LocalSandbox, here: Path, tmp_path: Path) -> None:
    liar = tmp_path / "python"
    liar.write_text('#!/bin/sh\necho \'{"../outside": "0"}\'\n')
    liar.chmod(0o755)
    with pytest.raises(BackendError, match="leads out") as caught:
        await Mirror(far, str(liar), here).fetch("train-1")
    assert caught.value.code == "backend.path"
    assert not (tmp_path / "outside").exists()


async def test_a_file_that_is_not_what_was_told_is_not_taken(far: LocalSandbox, here: Path, tmp_path: Path) -> None:
    liar = tmp_path / "python"
    liar.write_text('#!/bin/sh\necho \'{"new.bin": "0123"}\'\n')
    liar.chmod(0o755)
    await far.write("new.bin", b"something else")
    with pytest.raises(BackendError) as caught:
        await Mirror(far, str(liar), here).fetch("train-1")
    assert caught.value.code == "backend.corrupt"
    assert not (here / "new.bin").exists() and not list(here.glob(".*"))


async def test_a_job_is_done_there_and_its_outcome_and_log_are_here(
    mirror: Mirror, far: LocalSandbox, here: Path, tmp_path: Path
) -> None:
    backend = LocalBackend(LocalSettings(), tmp_path / "home")
    near = Jobs(await backend.open(SandboxRequest(owner="r-1", label="here", root=str(here))))
    jobs = MirroredJobs(mirror, near, HostSettings(idle_seconds=30, tasks=str(KINDS)))
    seen: list[str] = []

    async def on_event(_: int, event: dict[str, object]) -> None:
        seen.append(str(event["type"]))

    spec = JobSpec(id="talker-1", kind="talker", run="r-1", args={"bytes": 4096})
    outcome = await jobs.run(spec, on_event)
    assert outcome.state == "done" and "limits" in seen
    assert await far.read("a.txt") == b"a"
    assert (here / "jobs" / "talker-1" / "log").stat().st_size == 4096
    assert (here / "jobs" / "talker-1" / "exit").read_bytes() == await far.read("jobs/talker-1/exit")
    assert await MirroredJobs(mirror, near, HostSettings()).run(spec) == outcome  # as a later runner finds it
