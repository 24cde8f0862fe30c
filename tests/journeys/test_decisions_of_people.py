"""Runs that ask, are refused, cancelled, resumed, overridden and rolled back, with the real command."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from threading import Event

from tests.journeys.conftest import House, wait_for

QUICK = ("--epochs", "4")


def training(house: House, seconds: float = 90) -> str:
    """The newest run's id, once its training job is there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        listed = json.loads(house.say("runs", "--json").stdout)
        found = listed["runs"] if isinstance(listed, dict) else listed
        newest = found[0] if found else {"status": "none yet"}
        if newest["status"] == "running" and (house.workspace / "neural" / newest["run_id"] / "jobs/train-1").exists():
            return str(newest["run_id"])
        Event().wait(0.1)
    raise AssertionError("no run came to its training job")


def test_without_a_target_a_pipe_gets_the_proposal_and_exit_4(house: House, churn: Path) -> None:
    found = house.document("run", churn, *QUICK, code=4)
    assert found["status"] == "cancelled"
    assert found["error"]["code"] == "input.no_target" and "churned" in found["error"]["message"]


def test_a_detached_run_waits_for_its_target_and_goes_on_when_answered(house: House, churn: Path) -> None:
    run = house.document("run", churn, "--detach", "--no-deploy", *QUICK)["run_id"]
    wait_for(house, run, {"waiting"})
    house.say("approve", run)
    found = wait_for(house, run, {"finished"})
    assert [phase["status"] for phase in found["phases"]] == ["passed"] * 5
    assert found["deployment"] is None


def test_a_cancelled_run_exits_130_and_resumes_to_the_same_end(house: House, churn: Path) -> None:
    with house.start("run", churn, "--target", "churned", "--no-deploy", "--epochs", "400", "--json") as process:
        run = training(house)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 130
    assert house.document("show", run)["status"] == "cancelled"
    house.say("resume", run, "--detach", code=None)
    found = wait_for(house, run, {"finished", "failed", "cancelled", "rejected"})
    assert found["status"] == "finished", found["error"]


def test_a_rejected_model_is_served_only_with_a_reason(house: House, noise: Path) -> None:
    found = house.document("run", noise, "--target", "won", *QUICK, code=2)
    assert found["status"] == "rejected" and found["error"]["code"] == "gate.rejected"
    assert found["metrics"] and found["report"]
    run = found["run_id"]
    house.say("deploy", run, code=2)
    served = house.document("deploy", run, "--override", "--why", "a trial of the override")
    assert (served.get("deployment") or served)["url"]
    asked = house.document("memory", "get", "override", "--run", run)
    assert (asked.get("value") or asked)["why"] == "a trial of the override"


def test_a_second_version_is_rolled_back_to_the_first(house: House, churn: Path) -> None:
    first = house.document("run", churn, "--target", "churned", "--name", "leavers", *QUICK)
    second = house.document("run", churn, "--target", "churned", "--name", "leavers", "--seed", "5", *QUICK)
    assert first["deployment"]["url"] == second["deployment"]["url"]
    served = {one["name"]: one for one in json.loads(house.say("deployments", "--json").stdout)["deployments"]}
    assert served["leavers"]["run_id"] == second["run_id"]
    house.say("rollback", "leavers")
    served = {one["name"]: one for one in json.loads(house.say("deployments", "--json").stdout)["deployments"]}
    assert served["leavers"]["run_id"] == first["run_id"]


def test_a_file_changed_after_the_snapshot_is_noticed_and_not_used(house: House, churn: Path) -> None:
    copy = house.workspace / "moving.csv"
    copy.write_text(churn.read_text())
    run = house.document("run", copy, "--detach", "--no-deploy", *QUICK)["run_id"]
    wait_for(house, run, {"waiting"})
    copy.write_text("a,b\n1,2\n")
    house.say("approve", run, "--target", "churned", code=None)
    found = wait_for(house, run, {"finished", "failed"})
    assert found["status"] == "finished", found["error"]
    assert "has changed since" in Path(found["report"]).read_text()
