"""Whole conversations with the real server over stdio, in both revisions: from a table to predictions and stop."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import ElicitResult, ImageContent, ResourceLink

from tests.journeys.conftest import House, wait_for
from tests.mcp_server.conftest import answering, refused, talking, told, words

ENDED = {"deployed", "finished", "rejected", "failed", "cancelled"}


async def until(client: Client, run: str, stop: set[str], **more: Any) -> dict[str, Any]:
    """Wait as a chat does: again and again."""
    for _ in range(20):
        found = told(await client.call_tool("run_wait", {"run": run, "seconds": 20}, **more))
        if found["status"] in stop:
            return found
        assert "run_wait" in found["next"]
    raise AssertionError(f"{run} never became one of {stop}")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_conversation_leads_from_a_table_to_predictions_and_a_stop(
    house: House, churn: Path, mode: str
) -> None:
    asked: list[str] = []
    progress: list[str] = []

    async def shown(_done: float, _total: float | None, message: str | None) -> None:
        progress.append(message or "")

    person = answering({"target": "churned"}, asked)
    async with talking(house, mode, elicitation_callback=person) as client:
        profile = told(await client.call_tool("dataset_profile", {"data": "churn.csv", "target": "churned"}))
        assert profile["rows"] == 600
        assert {"age", "plan"} <= {one["name"] for one in profile["columns"]}

        begun = told(
            await client.call_tool(
                "run_start", {"data": "churn.csv", "epochs": 8, "name": f"churn-{mode}", "request_id": mode}
            )
        )
        assert begun["status"] == "queued"
        done = await until(client, begun["run"], ENDED, progress_callback=shown)
        assert done["status"] == "deployed", done
        assert asked and "churned" in asked[0], "the missing target was asked through the client"
        assert any("epoch" in one for one in progress), progress

        again = told(await client.call_tool("run_start", {"data": "churn.csv", "request_id": mode}))
        assert again["run"] == begun["run"], "the same request id never starts a second run"

        report = await client.call_tool("report_get", {"run": begun["run"]})
        pictures = [part for part in report.content if isinstance(part, ImageContent)]
        assert base64.b64decode(pictures[0].data).startswith(b"\x89PNG")
        assert "accuracy" in words(report)
        assert any(isinstance(part, ResourceLink) for part in report.content)

        row = {"age": 40, "plan": "plus", "calls": 7, "city": "A"}
        answer = told(await client.call_tool("model_predict", {"model": f"churn-{mode}", "rows": [row]}))
        assert answer["predictions"][0]["label"] in {"yes", "no"}

        served = told(await client.call_tool("deployment_list", {}))
        assert f"churn-{mode}" in {one["name"] for one in served["deployments"]}
        told(await client.call_tool("deployment_change", {"action": "stop", "name": f"churn-{mode}"}))
        assert refused(await client.call_tool("deployment_list", {"name": f"churn-{mode}"}))["code"] == (
            "input.no_such_deployment"
        )


async def test_a_question_waits_for_any_door_when_the_client_cannot_ask(house: House, churn: Path) -> None:
    async with talking(house) as client:
        begun = told(await client.call_tool("run_start", {"data": "churn.csv", "epochs": 2, "deploy": False}))
        asks = await until(client, begun["run"], {"waiting", *ENDED})
        assert asks["status"] == "waiting"
        assert asks["question"]["kind"] == "target"
        assert "run_approve" in asks["next"]
        wrong = await client.call_tool("run_approve", {"run": begun["run"], "target": "no_such_column"})
        assert refused(wrong)["code"].startswith("input.")
        stale = await client.call_tool("run_approve", {"run": begun["run"], "question": "q-none", "target": "churned"})
        assert refused(stale)["code"] == "run.no_question"
    house.say("approve", begun["run"], "--target", "churned")
    async with talking(house, "legacy") as other:
        done = await until(other, begun["run"], ENDED)
    assert done["status"] in {"finished", "rejected"}, done


async def test_a_run_outlives_the_chat_and_another_client_finds_it_again(house: House, churn: Path) -> None:
    async with talking(house) as client:
        begun = told(
            await client.call_tool(
                "run_start", {"data": "churn.csv", "target": "churned", "epochs": 3, "deploy": False}
            )
        )
    async with talking(house, "legacy") as other:
        listed = told(await other.call_tool("run_list", {"limit": 5}))
        assert begun["run"] in {one["run"] for one in listed["runs"]}
        done = await until(other, begun["run"], ENDED)
        assert done["status"] in {"finished", "rejected"}, done


async def test_a_run_of_another_workspace_is_not_there_for_this_chat(house: House, churn: Path) -> None:
    elsewhere = house.workspace / "elsewhere"
    elsewhere.mkdir()
    made = house.say("run", churn, "--target", "churned", "--epochs", "1", "--no-deploy", "--detach", "--json",
                     cwd=elsewhere).stdout  # fmt: skip
    run = json.loads(made)["run_id"]
    async with talking(house) as client:
        for tool, given in (
            ("run_get", {}),
            ("run_cancel", {}),
            ("report_get", {}),
            ("memory_get", {"key": "request"}),
        ):
            assert refused(await client.call_tool(tool, {"run": run, **given}))["code"] == "input.no_such_run"
        with pytest.raises(MCPError, match="no_such_run"):
            await client.read_resource(f"neural://runs/{run}")
    house.say("cancel", run, cwd=elsewhere)


async def test_a_form_is_answered_for_the_run_and_the_question_that_it_showed(house: House, churn: Path) -> None:
    later: list[str] = []

    async def slowly(_context: Any, params: Any) -> ElicitResult:
        """Before the person answers, another run comes to wait too and is now the latest."""
        if not later:
            made = house.say("run", churn, "--epochs", "1", "--no-deploy", "--detach", "--json").stdout
            later.append(json.loads(made)["run_id"])
            wait_for(house, later[0], {"waiting"})
        return ElicitResult(action="accept", content={"target": "churned"})

    async with talking(house, "legacy", elicitation_callback=slowly) as client:
        begun = told(await client.call_tool("run_start", {"data": "churn.csv", "epochs": 1, "deploy": False}))
        for _ in range(20):
            found = told(await client.call_tool("run_wait", {"seconds": 20}))
            if later:
                break
        assert found["run"] == begun["run"] and "question" not in found
        other = told(await client.call_tool("run_get", {"run": later[0]}))
        assert other["status"] == "waiting" and other["question"]["kind"] == "target"
        house.say("cancel", later[0])
        house.say("cancel", begun["run"])


async def test_an_answer_that_names_no_run_is_taken_only_when_one_waits(house: House, churn: Path) -> None:
    async with talking(house) as client:
        begun = [
            told(await client.call_tool("run_start", {"data": "churn.csv", "epochs": 1, "deploy": False}))["run"]
            for _ in range(2)
        ]
        for run in begun:
            await until(client, run, {"waiting"})
        named_none = refused(await client.call_tool("run_approve", {"approve": True}))
        assert named_none["code"] == "run.ambiguous_question" and begun[0] in named_none["message"]
        house.say("cancel", begun[1])
        assert refused(await client.call_tool("run_approve", {}))["code"] == "usage.missing"
        assert told(await client.call_tool("run_approve", {"approve": True}))["run"] == begun[0]
        house.say("cancel", begun[0])


async def test_following_next_reaches_every_row_of_a_wide_table(house: House) -> None:
    names = [f"column_{place}" for place in range(60)]
    lines = [",".join(names), *(",".join(str(place * row % 17) for place in range(60)) for row in range(40))]
    (house.workspace / "wide.csv").write_text("\n".join(lines) + "\n")
    seen: list[str] = []
    async with talking(house) as client:
        while True:
            given = {"data": "wide.csv", "limit": 50, "offset": len(seen), "seconds": 45}
            found = told(await client.call_tool("dataset_profile", given))
            seen += [one["name"] for one in found.get("columns", [])]
            if "more columns" not in found["next"] and "again" not in found["next"]:
                break
            assert f"offset={len(seen)}" in found["next"] or "again" in found["next"]
    assert seen == names
