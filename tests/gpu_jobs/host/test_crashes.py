"""Job, host or both are killed: nothing starts twice, nothing is taken for done, and the work goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from typing import Any

from gpu_jobs.host import processes
from gpu_jobs.host.files import read_json
from gpu_jobs.host.record import Record


def pid_of(place: Any, job_id: str) -> int:
    return int(json.loads((place.root / "jobs" / job_id / "process.json").read_text())["pid"])


def host_of(place: Any) -> dict[str, Any]:
    return dict(json.loads((place.root / "jobs" / "host.json").read_text()))


def starts(place: Any) -> int:
    return int((place.root / "starts").read_text().count("start"))


async def test_a_killed_job_is_lost_and_the_same_spec_goes_on_from_what_it_saved(place: Any) -> None:
    (place.root / "saved.json").write_text("7")
    job = place.start("patient")
    await job.said("ready")
    os.kill(pid_of(place, "patient-1"), signal.SIGKILL)
    outcome = await job.outcome()
    assert (outcome.state, outcome.error["code"]) == ("lost", "job.lost")

    job = place.start("patient")
    await job.said("ready", times=2)
    await place.jobs.control("patient-1", {"stop_early": True})
    outcome = await job.outcome()
    assert (outcome.state, outcome.result) == ("done", {"count": 7})
    assert json.loads((place.root / "jobs/patient-1/process.json").read_text())["starts"] == 2


async def test_a_killed_host_leaves_the_job_running_and_the_next_host_adopts_it(place: Any) -> None:
    job = place.start("patient")
    await job.said("ready")
    first, child = host_of(place), pid_of(place, "patient-1")
    os.kill(first["pid"], signal.SIGKILL)
    await asyncio.to_thread(wait_gone, first)
    second = place.another()
    await second.control("patient-1", {"stop_early": True})
    assert (await job.outcome()).state == "done"
    assert starts(place) == 1
    assert pid_of(place, "patient-1") == child


async def test_an_adopted_job_is_still_cancelled_and_killed_with_its_grandchildren(place: Any) -> None:
    job = place.start("stubborn", strays=True)
    await job.said("ready")
    first = host_of(place)
    os.kill(first["pid"], signal.SIGKILL)
    await asyncio.to_thread(wait_gone, first)
    await place.jobs.cancel("stubborn-1", grace=0.1)
    assert (await job.outcome()).state == "cancelled"
    strays = [int(pid) for pid in (place.root / "pids").read_text().split()]
    assert [pid for pid in strays if processes.start_ticks(pid) is not None] == []
    assert host_of(place)["pid"] != first["pid"]


async def test_with_host_and_job_killed_a_following_call_says_lost_and_the_next_starts_again(place: Any) -> None:
    job = place.start("patient")
    await job.said("ready")
    child = pid_of(place, "patient-1")
    os.kill(host_of(place)["pid"], signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    assert (await job.outcome()).state == "lost"
    job = place.start("patient")
    await job.said("ready", times=2)
    await place.jobs.control("patient-1", {"stop_early": True})
    assert (await job.outcome()).state == "done"
    assert starts(place) == 2


async def test_with_everybody_killed_the_first_call_of_a_new_runner_starts_the_job_again(place: Any) -> None:
    job = place.start("patient")
    await job.said("ready")
    await job.forget()
    both = [host_of(place), json.loads((place.root / "jobs/patient-1/process.json").read_text())]
    for who in both:
        os.kill(who["pid"], signal.SIGKILL)
        await asyncio.to_thread(wait_gone, who)
    await place.jobs.control("patient-1", {"stop_early": True})
    outcome = await place.another().run(place.spec("patient"))
    assert outcome.state == "done"
    assert starts(place) == 2


async def test_a_forgotten_job_is_attached_to_and_its_events_come_from_the_asked_line_on(place: Any) -> None:
    job = place.start("patient")
    await job.said("ready")
    await job.forget()
    lines = []

    async def note(number: int, event: dict[str, Any]) -> None:
        lines.append((number, event["type"]))

    await place.jobs.control("patient-1", {"stop_early": True})
    outcome = await place.another().run(place.spec("patient"), note, offset=1)
    assert outcome.state == "done"
    assert lines == [(1, "ready")]
    assert starts(place) == 1


async def test_a_job_that_keeps_dying_is_not_started_a_sixth_time(place: Any) -> None:
    states = [(await place.run("broken", how="kill")).state for _ in range(5)]
    assert states == ["lost"] * 5
    outcome = await place.run("broken", how="kill")
    assert (outcome.state, outcome.error["code"]) == ("failed", "job.keeps_dying")
    assert json.loads((place.root / "jobs/broken-1/process.json").read_text())["starts"] == 5


async def test_the_reason_for_ending_a_job_outlives_the_host_that_had_it(place: Any) -> None:
    job = place.start("stubborn")
    await job.said("ready")
    child = pid_of(place, "stubborn-1")
    os.kill(host_of(place)["pid"], signal.SIGKILL)
    error = {"code": "job.memory", "message": "too much", "field": None, "fix": None}
    Record(place.root / "jobs/stubborn-1").write_ending({"start": 1, "state": "failed", "error": error})
    os.kill(child, signal.SIGKILL)
    outcome = await job.outcome()
    assert (outcome.state, outcome.error) == ("failed", error)


async def test_a_line_cut_off_by_a_kill_does_not_swallow_the_next_event(place: Any) -> None:
    folder = place.root / "jobs/talker-1"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_bytes(b'{"t": 1, "type": "old"}\n{"t": 2, "ty')
    job = place.start("talker", events=1)
    assert (await job.outcome()).state == "done"
    assert [(number, event["type"]) for number, event in job.events] == [(0, "old"), (2, "limits"), (3, "step")]


async def test_of_eight_racing_hosts_one_stays_and_a_job_starts_once(place: Any) -> None:
    places = [place.another() for _ in range(8)]
    outcomes = await asyncio.gather(*(jobs.run(place.spec("patient", seconds=0.3)) for jobs in places))
    assert {outcome.state for outcome in outcomes} == {"done"}
    assert starts(place) == 1
    marked = processes.marked(processes.SANDBOX_MARK, str(place.root))
    assert marked == [host_of(place)["pid"]]


async def test_two_submits_of_one_id_at_once_are_one_job(place: Any) -> None:
    await place.run("noop")
    one, two = await asyncio.gather(
        place.jobs.run(place.spec("patient", seconds=0.2)), place.another().run(place.spec("patient", seconds=0.2))
    )
    assert one == two
    assert starts(place) == 1


async def test_a_host_that_dies_before_its_fork_claims_the_job_does_not_double_it(place: Any) -> None:
    """Hosts are killed again and again while jobs begin; each start of the task leaves a line."""
    for number in range(12):
        run = asyncio.create_task(place.jobs.run(place.spec("patient", f"p-{number}", seconds=0.05)))
        while not (place.root / "jobs/host.json").exists():  # noqa: ASYNC110
            await asyncio.sleep(0)
        await asyncio.sleep(0.002 * number)
        known = read_json(place.root / "jobs/host.json")
        if known and processes.alive(known):
            os.kill(known["pid"], signal.SIGKILL)
        outcome = await run
        assert outcome.state == "done", outcome
        assert starts(place) == number + 1


def wait_gone(who: dict[str, Any]) -> None:
    while processes.alive(who):
        os.sched_yield()


async def test_a_host_without_work_leaves(place: Any, eventually: Callable[..., Any]) -> None:
    place.jobs._host = place.host.model_copy(update={"idle_seconds": 0.2})
    assert (await place.run("noop")).state == "done"
    host = read_json(place.root / "jobs/host.json")
    await eventually(lambda: not processes.alive(host) and not (place.root / "jobs/host.json").exists())
    assert (await place.run("noop", "noop-2")).state == "done"


async def test_a_host_whose_root_is_gone_leaves_with_its_jobs(place: Any, eventually: Callable[..., Any]) -> None:
    job = place.start("stubborn")
    await job.said("ready")
    await job.forget()
    host, child = host_of(place), pid_of(place, "stubborn-1")
    place.root.rename(place.root.with_name("moved"))
    await eventually(lambda: not processes.alive(host) and processes.start_ticks(child) is None)
