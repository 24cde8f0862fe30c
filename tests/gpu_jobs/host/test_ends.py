"""How a job can end by itself, and what is then said about it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

ENDS = [
    ("named", "input.ragged", "row 7 has 3 fields"),
    ("zero", "job.crashed", "ZeroDivisionError"),
    ("memory", "job.memory", "no room"),
    ("escape", "job.path_escape", "'../outside'"),
    ("exit", "job.crashed", "SystemExit: 3"),
    ("segv", "job.crashed", "SIGSEGV"),
    ("nan", "job.crashed", "not JSON compliant"),
    ("list", "job.crashed", "not a dict"),
]


@pytest.mark.parametrize(("how", "code", "message"), ENDS)
async def test_a_failing_job_has_a_code_and_a_message(place: Any, how: str, code: str, message: str) -> None:
    outcome = await place.run("broken", how=how)
    assert (outcome.state, outcome.error["code"], outcome.result) == ("failed", code, None)
    assert message in outcome.error["message"]
    assert outcome.code != 0
    assert "before the end" in (place.root / "jobs/broken-1/log").read_text()


async def test_the_whole_traceback_is_in_the_log(place: Any) -> None:
    await place.run("broken", how="zero")
    log = (place.root / "jobs/broken-1/log").read_text()
    assert "Traceback" in log and 'return {"x": 1 // 0}' in log


async def test_an_unknown_kind_is_refused_with_the_known_ones(place: Any) -> None:
    outcome = await place.run("nothing_like_it")
    assert outcome.error["code"] == "job.unknown_kind"
    assert "noop" in outcome.error["message"]


async def test_ten_megabytes_of_output_are_in_the_log(place: Any) -> None:
    outcome = await place.run("talker", bytes=10 << 20)
    assert outcome.state == "done"
    assert (place.root / "jobs/talker-1/log").stat().st_size == 10 << 20


async def test_a_measurement_carries_the_jobs_provenance(place: Any) -> None:
    outcome = await place.run("talker")
    measured = outcome.result["measured"]
    assert (measured["value"], measured["unit"], measured["interval"]) == (1.5, "ms", [1.0, 2.0])
    assert measured["provenance"]["job"] == "talker-1"
    assert measured["provenance"]["rows"] == 3


async def test_a_finished_job_is_never_run_again_but_its_events_are_told_again(place: Any) -> None:
    first = await place.run("patient", seconds=0)
    job = place.start("patient", seconds=0)
    assert await job.outcome() == first
    assert [event["type"] for _, event in job.events] == ["limits", "ready"]
    assert (place.root / "starts").read_text() == "start\n"


async def test_a_failed_job_is_run_again_only_when_that_is_asked_for(place: Any) -> None:
    spec = place.spec("broken", how="zero")
    await place.jobs.run(spec)
    await place.jobs.run(spec)
    process = place.root / "jobs/broken-1/process.json"
    assert json.loads(process.read_text())["starts"] == 1
    await place.jobs.run(spec, restart=True)
    assert json.loads(process.read_text())["starts"] == 2


async def test_an_unreadable_job_file_is_refused_and_the_host_goes_on(place: Any, eventually: Any) -> None:
    await place.run("noop")
    folder = place.root / "jobs/garbage"
    folder.mkdir()
    (folder / "job.json").write_text('{"id": "garbage", "kind": "no')
    await eventually(lambda: (folder / "exit").exists())
    ended = json.loads((folder / "exit").read_text())
    assert (ended["state"], ended["error"]["code"]) == ("failed", "job.bad_spec")
    assert (await place.run("noop", "noop-2")).state == "done"


async def test_a_job_file_that_is_written_slowly_is_waited_for(place: Any, eventually: Any) -> None:
    await place.run("noop")
    folder = place.root / "jobs/slow"
    folder.mkdir()
    with (folder / "job.json").open("w") as file:
        file.write('{"id": "slow", ')
        file.flush()
        file.write('"kind": "noop", "start": 1}')
    await eventually(lambda: (folder / "exit").exists())
    assert json.loads((folder / "exit").read_text())["state"] == "done"


async def test_a_job_file_for_another_folder_is_refused(place: Any, eventually: Any) -> None:
    await place.run("noop")
    folder = place.root / "jobs/mine"
    folder.mkdir()
    (folder / "job.json").write_text('{"id": "../../other", "kind": "noop", "start": 1}')
    await eventually(lambda: (folder / "exit").exists())
    assert json.loads((folder / "exit").read_text())["error"]["code"] == "job.bad_spec"


def test_the_host_imports_nothing_heavy() -> None:
    code = "import gpu_jobs.host.__main__, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "polars", "numpy", "pydantic", "asyncio", "ctypes", "subprocess", "dataclasses", "memory"}
    assert heavy & set(done.stdout.split()) == set()
