"""`--backend ssh` over a real sshd on loopback: the five phases, the same numbers as here, and kills in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from threading import Event

import psutil
import pytest

from tests.journeys.conftest import PENGUINS, House, a_house, of_test, wait_for
from tests.sshd import Sshd, an_sshd

pytestmark = [pytest.mark.needs("sshd"), pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with an_sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture(scope="module")
def house(far: Sshd) -> Iterator[House]:
    given = far.settings().model_dump(exclude={"kind", "fingerprint"})
    with a_house({f"NEUROLOOM_SSH_{name.upper()}": str(value) for name, value in given.items()}) as found:
        shutil.copy(PENGUINS, found.workspace / "penguins.csv")
        yield found


def begun_there(far: Sshd, kind: str, seconds: float = 120) -> None:
    """Wait until a job of that kind has begun on the other side."""
    deadline = time.monotonic() + seconds
    while not list(far.root.glob(f"runs/*/jobs/{kind}-*/process.json")):
        assert time.monotonic() < deadline, f"no {kind} job was seen there"
        Event().wait(0.01)


def runners(house: House) -> list[int]:
    mine = str(house.home / "runner.json")
    return [one.pid for one in psutil.process_iter(["cmdline"]) if mine in (one.info["cmdline"] or [])]


def test_a_run_over_ssh_serves_a_model_with_the_numbers_of_here_though_connection_and_runner_are_killed(
    house: House, far: Sshd
) -> None:
    words = ("run", "penguins.csv", "--target", "species", "--epochs", 20)
    here = house.document(*words, "--no-deploy")
    started = house.document(*words, "--from", here["run_id"], "--backend", "ssh", "--yes", "--detach")
    run = started["run_id"]
    begun_there(far, "preflight")
    assert far.cut() > 0
    begun_there(far, "train")
    assert far.cut() > 0
    for pid in runners(house):
        os.kill(pid, signal.SIGKILL)
    there = wait_for(house, run, {"deployed", "failed", "rejected", "finished"}, 240)
    assert there["status"] == "deployed", there["error"]
    assert of_test(there) and of_test(there) == of_test(here)
    assert list(far.root.glob("runs/*")) == []  # nothing of the person's data stays there
    assert "epoch" in {event["type"] for event in house.events(run)}
    assert "train-1" in house.say("logs", run).stdout
    setup = {check["name"]: check for check in there["phases"][0]["gate"]}
    assert setup["backend_machine"]["passed"] and setup["libraries_equal"]["passed"]
    house.say("undeploy", there["deployment"]["name"])


def test_a_person_is_asked_before_anything_goes_to_another_machine_and_a_no_ends_the_run(
    house: House, far: Sshd
) -> None:
    (house.workspace / "small.csv").write_text("a,b\n1,x\n2,y\n3,x\n")
    run = house.document("run", "small.csv", "--target", "b", "--backend", "ssh", "--detach")["run_id"]
    asked = wait_for(house, run, {"waiting", "failed"})
    assert asked["status"] == "waiting"
    assert list(far.root.glob("runs/*")) == []
    house.say("approve", run, "--reject")
    assert wait_for(house, run, {"cancelled", "failed"})["status"] == "cancelled"


def test_a_gpu_that_the_other_machine_lacks_ends_the_run_in_setup_with_what_there_is(house: House) -> None:
    words = ("run", "penguins.csv", "--target", "species", "--backend", "ssh", "--gpus", 16, "--yes")
    found = house.document(*words, code=None)
    assert found["error"]["code"] == "backend.no_gpu" and "cores" in found["error"]["message"]


def test_doctor_says_how_the_other_machine_answers(house: House) -> None:
    rows = {row["name"]: row for row in house.document("doctor", code=None)["checks"]}
    assert rows["ssh backend"]["ok"] and "answered in" in rows["ssh backend"]["found"]
