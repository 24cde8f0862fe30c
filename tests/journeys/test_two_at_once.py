"""The same command twice at once, `down` in the middle, and a runner that comes back after its run was taken over."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.journeys.conftest import PENGUINS, House, a_house, heard, of_test, wait_for
from tests.journeys.test_redis_away import redis_server
from tests.ports import free_port

pytestmark = pytest.mark.slow
SPECIES = (PENGUINS, "--target", "species")


@pytest.fixture(scope="module")
def wide() -> Iterator[House]:
    """A house in which two runs go at a time."""
    with a_house({"NEUROLOOM_RUNNER_RUNS_AT_ONCE": "2"}) as found:
        yield found


@pytest.mark.timeout(600)
def test_the_same_command_twice_at_once_is_two_whole_runs_and_one_served_name(wide: House) -> None:
    with wide.start("run", *SPECIES, "--json") as one, wide.start("run", *SPECIES, "--json") as two:
        documents = [json.loads(process.communicate(timeout=300)[0]) for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0)
    assert len({found["run_id"] for found in documents}) == 2
    assert of_test(documents[0]) == of_test(documents[1])
    served = wide.document("deployments")["deployments"]
    assert len(served) == 1 and served[0]["run_id"] in {found["run_id"] for found in documents}
    assert len(runners(wide)) == 1


@pytest.mark.timeout(600)
def test_a_run_stopped_by_down_goes_on_when_somebody_looks(wide: House) -> None:
    earlier = wide.document("show", "latest")
    run = wide.document("run", *SPECIES, "--no-deploy", "--from", earlier["run_id"], "--detach")["run_id"]
    with wide.start("watch", run) as watching:
        assert watching.stdout is not None
        heard(watching.stdout, r"^configure: started")
        watching.kill()
    wide.say("down")
    assert runners(wide) == []
    with wide.start("watch", run) as watching:
        said = watching.communicate(timeout=300)[0]
    final = wide.document("show", run)
    assert (watching.returncode, final["status"]) == (0, "finished"), said
    assert of_test(final) == of_test(earlier)


def runners(house: House) -> list[int]:
    """Runner processes of a state folder."""
    last = ["-m", "app.runner", str(house.home / "runner.json")]
    return [one.pid for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[-3:] == last]


@pytest.mark.timeout(600)
def test_a_runner_that_comes_back_cannot_disturb_the_run_that_another_took_over(tmp_path: Path) -> None:
    port = free_port()
    url = {"NEUROLOOM_REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    with redis_server(tmp_path, port), a_house(url) as first, tempfile.TemporaryDirectory(prefix="nlh-") as home:
        second = House(Path(home), first.workspace, url)
        run = first.document("run", *SPECIES, "--no-deploy", "--detach")["run_id"]
        with first.start("watch", run) as watching:
            assert watching.stdout is not None
            heard(watching.stdout, r"^configure: started")
            stalled = runners(first)
            for pid in stalled:
                os.kill(pid, signal.SIGSTOP)
            watching.kill()
        assert len(stalled) == 1
        with second.start("watch", run) as watching:
            assert watching.stdout is not None
            heard(watching.stdout, r"^train: started")
            os.kill(stalled[0], signal.SIGCONT)
            said = watching.communicate(timeout=300)[0]
        final = wait_for(second, run, {"finished", "failed"})
        assert (watching.returncode, final["status"]) == (0, "finished"), said
        assert "was taken over by another runner" in (first.home / "runner.log").read_text()
        events = second.events(run)
        for kind, key in (("job_started", "job"), ("job_finished", "job"), ("phase_started", "phase")):
            told = [event[key] for event in events if event["type"] == kind]
            assert len(told) == len(set(told)), f"{kind} twice: {told}"
        second.say("down")
        first.say("down")
