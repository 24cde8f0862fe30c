"""A run that may not guess asks twice, for its target and about its budget, and each answer is taken once."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import PENGUINS, a_house, wait_for


@pytest.mark.slow
def test_a_run_asks_for_its_target_and_then_about_its_budget_and_trains_as_it_was_told() -> None:
    with a_house({"NEUROLOOM_POLICY_ASK_OVER_BUDGET": "true"}) as house:
        words = ("run", PENGUINS, "--no-deploy", "--epochs", 900, "--budget", "0.2s", "--detach")
        run = house.document(*words)["run_id"]
        assert wait_for(house, run, {"waiting"})["error"]["code"] == "run.waiting_target"
        house.document("approve", run, "--target", "species")
        asked = wait_for(house, run, {"waiting", "finished", "rejected", "failed"})
        assert asked["error"]["code"] == "run.waiting_budget"
        assert [phase["status"] for phase in asked["phases"]][:3] == ["passed", "passed", "running"]
        refused = house.document("approve", run, "--choose", "more", code=4)["error"]
        assert refused["code"] == "input.no_such_choice"
        house.document("approve", run, "--choose", "continue")
        house.document("approve", run, code=4)
        ended = wait_for(house, run, {"finished", "rejected", "failed"})
        assert ended["status"] == "finished", ended["error"]
        training = house.document("memory", "get", "training-metrics", "--run", run)
        assert training["stopped"] in {"early", "schedule"}
        decisions: object = house.document("memory", "get", "decisions", "--run", run)
        assert isinstance(decisions, list)
        [made] = [one for one in decisions if one["key"] == "budget"]
        assert (made["value"]["choice"], made["reasoner"]) == ("continue", "cli")
        assert made["value"]["fitting"] < training["epochs_run"]
