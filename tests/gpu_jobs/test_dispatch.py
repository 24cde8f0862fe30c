"""Sending and following: one id is one piece of work, and following costs little."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from pydantic import ValidationError

from gpu_jobs.spec import JobSpec, Limits
from memory.errors import BackendError, JobError


async def test_an_id_used_for_other_work_is_refused(place: Any) -> None:
    await place.run("noop", "job-1", seconds=0)
    with pytest.raises(JobError, match="another kind or other arguments") as caught:
        await place.run("noop", "job-1", seconds=1)
    assert caught.value.code == "job.changed"


@pytest.mark.parametrize("job_id", ["../x", "", "a/b", ".hidden", "x" * 200])
async def test_an_id_that_is_no_file_name_is_refused(place: Any, job_id: str) -> None:
    with pytest.raises(ValidationError):
        JobSpec(id=job_id, kind="noop", run="r")
    with pytest.raises(JobError):
        await place.jobs.control(job_id, {"cancel": True})


async def test_commands_are_merged(place: Any) -> None:
    job = place.start("patient")
    await job.said("ready")
    await place.jobs.control("patient-1", {"rate": 0.5})
    await place.jobs.control("patient-1", {"stop_early": True})
    assert (await job.outcome()).state == "done"
    assert (place.root / "jobs/patient-1/control.json").read_text() == '{"rate": 0.5, "stop_early": true}'


async def test_orders_said_at_the_same_time_are_all_kept_and_outlive_a_restart_which_forgets_the_cancel(
    place: Any,
) -> None:
    job = place.start("patient")
    await job.said("ready")
    told = [place.jobs.control("patient-1", {f"order-{number}": number}) for number in range(8)]
    await asyncio.gather(*told, place.jobs.cancel("patient-1"))
    assert (await job.outcome()).state == "cancelled"
    assert await place.jobs.stage("patient-1") == "finished"
    done = asyncio.create_task(place.jobs.run(place.spec("patient"), restart=True))
    await place.jobs.control("patient-1", {"stop_early": True})
    assert (await asyncio.wait_for(done, 60)).state == "done"
    kept = json.loads((place.root / "jobs/patient-1/control.json").read_text())
    assert kept == {"stop_early": True, **{f"order-{number}": number for number in range(8)}}


async def test_the_event_loop_stays_free_while_a_job_is_followed(place: Any) -> None:
    await place.run("noop")
    job = place.start("talker", events=3000)
    longest, last = 0.0, time.perf_counter()
    while not job._task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert [event["number"] for _, event in job.events if event["type"] == "step"] == list(range(3000))
    assert longest < 0.5


async def test_a_host_that_cannot_start_is_a_backend_error_that_says_why(place: Any) -> None:
    place.jobs._host = place.host.model_copy(update={"python": "/no/such/python"})
    with pytest.raises(BackendError, match="/no/such/python"):
        await place.run("noop")


def test_limits_that_make_no_sense_are_refused() -> None:
    for wrong in ({"memory_mb": 0}, {"seconds": -1}, {"memory": 5}):
        with pytest.raises(ValidationError):
            Limits.model_validate(wrong)


async def test_following_can_be_given_up_at_any_moment_and_the_job_is_still_done_once(place: Any) -> None:
    """Also while the host is being started: giving up never hangs, and leaves nothing half-made behind."""
    for turns in range(0, 60, 3):
        task = asyncio.create_task(place.another().run(place.spec("patient", seconds=0.1)))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        task.cancel()
        async with asyncio.timeout(60):
            await asyncio.gather(task, return_exceptions=True)
    assert (await place.run("patient", seconds=0.1)).state == "done"
    assert (place.root / "starts").read_text() == "start\n"
