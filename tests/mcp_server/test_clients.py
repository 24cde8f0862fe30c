"""Whole conversations by other people's clients: the Inspector, the TypeScript SDK 1 and 2, the Python SDK 1."""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.journeys.conftest import NEUROLOOM, House, a_house, churn
from tests.mcp_server.clients.bridge import (
    HERE,
    Chat,
    Driven,
    Heard,
    Inspector,
    driven,
    over_stdio,
    python_1,
    typescript,
)
from tests.mcp_server.served import Served, served
from tests.node import Node, node

__all__ = ["churn", "node"]
pytestmark = [pytest.mark.needs("npm"), pytest.mark.needs("package index"), pytest.mark.slow, pytest.mark.timeout(600)]
ENDED = {"deployed", "finished", "rejected", "failed", "cancelled"}
ASKING = {"NEUROLOOM_POLICY_ASK_BEFORE_DEPLOY": "true", "NEUROLOOM_POLICY_DOORS": "cli,mcp"}
FORM = {"target": "churned", "approve": True, "why": "the figures are good"}
PHASES = ("setup", "configure", "train")
Opened = Callable[[], AbstractContextManager[Driven]]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A house whose runs ask before they deploy, and where a chat's answer counts."""
    with a_house(ASKING) as found:
        yield found


@pytest.fixture(scope="module")
def http(house: House) -> Iterator[Served]:
    """The product's server over HTTP, with a token."""
    program = [str(NEUROLOOM), "mcp"]
    with served(
        house.home, {}, "--http", "--port", "0", program=program, cwd=house.workspace, more=house.environment
    ) as found:
        assert found.token is not None
        yield found


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the Python SDK 1."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with (shared / "python-1.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return python_1(shared / "python-1")


@pytest.fixture(scope="module")
def clients(house: House, node: Node, interpreter: Path) -> dict[str, Opened]:
    """Clients that start the server themselves, by name."""
    server = over_stdio(house)
    program, wanted = typescript(node, 1, server, FORM)
    return {
        "typescript 1": lambda: driven(program, wanted, house.workspace),
        "python 1": lambda: driven([str(interpreter), str(HERE / "python_1.py")], {"server": server}, house.workspace),
    }


@contextmanager
def opened(kind: str, clients: dict[str, Opened], house: House, node: Node, http: Served) -> Iterator[Chat]:
    if kind in clients:
        with clients[kind]() as chat:
            yield chat
    elif kind == "inspector":
        yield Inspector(node, http, house.workspace)
    else:
        program, wanted = typescript(node, 2, {"url": http.url, "token": http.token}, FORM)
        with driven(program, wanted, house.workspace) as chat:
            yield chat


def followed(chat: Chat, run: str) -> tuple[dict[str, Any], list[Heard]]:
    """Wait until the run has ended; answer with a tool what the client was not asked in a form."""
    heard: list[Heard] = []
    for _ in range(40):
        heard.append(chat.call("run_wait", run=run, seconds=20))
        found = heard[-1].told
        if found["status"] in ENDED:
            return found, heard
        if found["status"] == "waiting":
            answer = (
                {"target": "churned"} if found["question"]["kind"] == "target" else {"approve": True, "why": "fine"}
            )
            chat.call("run_approve", run=run, question=found["question"]["id"], **answer)
    raise AssertionError(f"{run} never ended: {heard[-1].answer}")


def questions(heard: list[Heard]) -> list[str]:
    """What was asked, in a form or in an answer, in order."""
    rows = [(*one.asked, *([one.told["question"]["text"]] if "question" in one.told else [])) for one in heard]
    return [text for row in rows for text in row]


@pytest.mark.parametrize("kind", ["typescript 1", "typescript 2", "python 1", "inspector"])
def test_a_conversation_leads_from_a_table_through_questions_to_predictions_and_a_stop(
    house: House, churn: Path, clients: dict[str, Opened], node: Node, http: Served, kind: str
) -> None:
    name = kind.replace(" ", "-")
    with opened(kind, clients, house, node, http) as chat:
        tools = {one["name"] for one in chat.request("tools/list")["tools"]}
        assert {"dataset_profile", "run_start", "run_wait", "run_approve", "report_get", "model_predict"} <= tools
        profile = chat.call("dataset_profile", data="churn.csv", target="churned").told
        assert profile["rows"] == 600

        begun = chat.call("run_start", data="churn.csv", epochs=8, name=name, request_id=name).told
        done, heard = followed(chat, begun["run"])
        assert done["status"] == "deployed", done
        asked = questions(heard)
        assert any("Which column" in text for text in asked) and any("Deploy" in text for text in asked), asked
        if kind != "inspector":  # it shows none
            assert any("epoch" in step for one in heard for step in one.progress)
        forms = [text for one in heard for text in one.asked]
        assert bool(forms) == kind.startswith("typescript"), "who shows forms is asked in forms"

        report = chat.call("report_get", run=begun["run"])
        assert "accuracy" in report.words
        assert report.pictures[0].startswith(b"\x89PNG")
        read = chat.request("resources/read", uri=f"neural://runs/{begun['run']}/report")
        assert "accuracy" in read["contents"][0]["text"]
        prompt = chat.request("prompts/get", name="status", arguments={"run": begun["run"]})
        assert begun["run"] in prompt["messages"][0]["content"]["text"]

        row = {"age": 40, "plan": "plus", "calls": 7, "city": "A"}
        answer = chat.call("model_predict", model=name, rows=[row]).told
        assert answer["predictions"][0]["label"] in {"yes", "no"}
        chat.call("deployment_change", action="stop", name=name)
        assert name not in {one["name"] for one in chat.call("deployment_list").told["deployments"]}


def test_the_inspector_finds_no_tool_whose_schema_other_clients_could_not_take(http: Served, node: Node) -> None:
    listed = Inspector(node, http, http.home, era="modern").request("tools/list", strict=True)
    assert len(listed["tools"]) >= 15


def test_a_client_that_is_killed_anywhere_leaves_a_run_with_which_others_go_on(
    house: House, churn: Path, clients: dict[str, Opened]
) -> None:
    draw = random.Random(3)
    kinds = draw.sample(["typescript 1", "python 1"] * 2, 4)
    phase = draw.choice(PHASES)
    with ExitStack() as stack:
        first, second, third, fourth = (stack.enter_context(clients[kind]()) for kind in kinds)
        started = {"data": "churn.csv", "target": "churned", "epochs": 8, "name": "killed", "request_id": "killed"}
        run = first.call("run_start", **started).told["run"]
        first.process.kill()  # right after the start

        assert run in {one["run"] for one in second.call("run_list", limit=5).told["runs"]}
        second.begin("run_wait", run=run, seconds=45)
        until(house, run, phase)
        second.process.kill()  # in the middle of a wait

        asks = waiting(third, run)
        third.process.kill()  # with the question before it

        assert fourth.call("run_start", **started).told["run"] == run, "the same wish never starts a second run"
        seen = fourth.call("run_get", run=run).told
        assert (seen["status"], seen["question"]["id"]) == ("waiting", asks["id"])
        fourth.call("run_approve", run=run, question=asks["id"], approve=True, why="it is fine")
        done, _ = followed(fourth, run)
        assert done["status"] == "deployed", done
        fourth.call("deployment_change", action="stop", name="killed")


def until(house: House, run: str, phase: str) -> None:
    """Look from the terminal until the run has begun this phase."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = house.document("show", run, code=None)
        if next(one for one in found["phases"] if one["name"] == phase)["status"] != "pending":
            return
        Event().wait(0.1)
    raise AssertionError(f"{run} never came to {phase}")


def waiting(chat: Driven, run: str) -> dict[str, Any]:
    """Wait until the run asks whether to deploy; what it asks, read without answering."""
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        found = chat.call("run_get", run=run).told
        if found["status"] == "waiting":
            return dict(found["question"])
        assert found["status"] not in ENDED, found
        Event().wait(0.2)
    raise AssertionError(f"{run} never asked")
