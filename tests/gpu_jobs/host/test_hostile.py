"""Hostile jobs, inside walls and without: what contains them, and what is open where there are no walls."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import Command, SandboxRequest
from gpu_jobs.dispatch import HostSettings
from gpu_jobs.host import processes
from gpu_jobs.host.files import read_json
from gpu_jobs.spec import Limits
from tests.gpu_jobs.conftest import KINDS, Place

SECRET = "s3cret-of-the-person"
WALLS = [pytest.param("none", id="plain"), pytest.param("bubblewrap", marks=pytest.mark.needs("bwrap"))]


@pytest.fixture(params=WALLS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    backend = LocalBackend(LocalSettings(isolation=request.param), tmp_path / "home")
    asked = SandboxRequest(owner="r-1", root=str(tmp_path / "run"), reads=(str(KINDS),))
    sandbox = await backend.open(asked)
    assert sandbox.info.isolation == request.param
    yield Place(backend, sandbox, HostSettings(idle_seconds=30, tasks=str(KINDS)))
    await backend.destroy(sandbox.info.id)


def walled(place: Place) -> bool:
    return place.sandbox.info.isolation != "none"


async def test_a_fork_bomb_is_ended_with_all_that_it_made(place: Place) -> None:
    outcome = await place.run("hostile", limits=Limits(processes=30), act="fork_bomb", most=150)
    assert outcome.error is not None
    assert (outcome.state, outcome.error["code"]) == ("failed", "job.processes")
    assert processes.job_members(place.root / "jobs/hostile-1") == []
    assert (await place.run("noop", seconds=0)).state == "done", "the host is well"


@pytest.mark.parametrize(
    ("what", "limits", "code"),
    [("memory", Limits(memory_mb=80), "job.memory"), ("disk", Limits(disk_mb=5), "job.disk_limit")],
)
async def test_a_hog_and_a_filler_are_ended_at_their_limit(place: Place, what: str, limits: Limits, code: str) -> None:
    outcome = await place.run("greedy", limits=limits, what=what)
    assert outcome.error is not None
    assert (outcome.state, outcome.error["code"]) == ("failed", code)


async def test_one_that_ignores_every_signal_is_ended_when_it_is_cancelled(place: Place) -> None:
    job = place.start("hostile", act="ignore_term")
    await job.said("ready")
    await place.jobs.cancel("hostile-1", grace=0.2)
    assert (await job.outcome()).state == "cancelled"
    assert processes.job_members(place.root / "jobs/hostile-1") == []


async def test_a_network_scanner_reaches_nobody_from_inside_walls(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = await place.run("hostile", act="scan", ports=[port])
    assert outcome.result is not None
    if walled(place):
        assert outcome.result == {"open": [], "devices": ["lo"]}
    else:
        assert outcome.result["open"] == [port], "without walls the network is open, and said to be"


async def test_a_secret_reader_finds_nothing_from_inside_walls(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    other = await place.backend.open(SandboxRequest(owner="r-2", root=str(tmp_path / "other")))
    await other.write("data/rows", SECRET.encode())
    (tmp_path / "private").write_text(SECRET)
    places = [str(tmp_path / "private"), str(tmp_path / "other/data/*")]
    outcome = await place.run("hostile", act="read_secrets", secret=SECRET[::-1], places=places)
    assert outcome.result is not None
    everything = sorted(["/proc/*/environ", *places])
    assert outcome.result["found"] == ([] if walled(place) else everything)


async def test_what_leaves_its_job_ends_with_the_sandbox_where_there_are_walls(place: Place, eventually: Any) -> None:
    """Without walls such a process cannot be told from a person's own: it lives on, which is stated and seen here."""
    assert (await place.run("hostile", act="leave")).state == "done"
    held = place.root / "held"
    await eventually(lambda: bool(processes.holders(held)))
    left = processes.holders(held)
    try:
        await place.backend.destroy(place.sandbox.info.id)
        alive = [pid for pid in left if processes.start_ticks(pid) is not None]
        assert alive == ([] if walled(place) else left)
    finally:
        processes.kill_all(left if not walled(place) else [])


async def test_a_host_that_is_killed_leaves_the_job_running_and_the_next_adopts_it(place: Place) -> None:
    job = place.start("patient")
    await job.said("ready")
    first = read_json(place.root / "jobs/host.json")
    child = read_json(place.root / "jobs/patient-1/process.json")
    assert first is not None and child is not None
    host = place.sandbox.process(first)
    killed = await place.sandbox.run(Command(argv=("sh", "-c", f"kill -9 {first['pid']}"), detaches=True))
    assert killed.code == 0
    async with asyncio.timeout(60):
        while (await host.poll()).state == "running":  # noqa: ASYNC110 - it sends no event
            await asyncio.sleep(0.01)
    await place.another().control("patient-1", {"stop_early": True})
    assert (await job.outcome()).state == "done"
    again = read_json(place.root / "jobs/patient-1/process.json")
    assert again is not None and (again["start"], again["pid"]) == (1, child["pid"])


@pytest.mark.needs("bwrap")
async def test_when_the_walls_fall_a_job_is_lost_and_started_again_in_new_ones(place: Place) -> None:
    job = place.start("patient", seconds=6)
    await job.said("ready")
    for pid in processes.marked(processes.SANDBOX_MARK, str(place.root)):
        with suppress(ProcessLookupError):  # the walls take with them what lived inside
            os.kill(pid, signal.SIGKILL)
    outcome = await job.outcome()
    assert outcome.state == "lost"
    assert (await place.run("patient", seconds=6)).state == "done"
