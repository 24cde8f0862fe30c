"""What the conformance suite asks over HTTP, asked over stdio, where the suite does not reach; line by line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.lines import NEWEST, Lines, Message, speaking
from tests.journeys.conftest import House, a_house

COMMAND = [sys.executable, "-P", str(Path(__file__).with_name("serving.py")), "--stdio"]
HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
PROGRESS = {"_meta": {"progressToken": "steps"}}


def answering(request: Message) -> Message:
    """A person who accepts each form, and a model that says hello."""
    if request["method"] == "elicitation/create":
        return {"action": "accept", "content": {"response": "yes", "name": "Ada"}}
    if request["method"] == "sampling/createMessage":
        return {"role": "assistant", "content": {"type": "text", "text": "hello"}, "model": "none"}
    return {"roots": []}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as found:
        yield found


@pytest.fixture(scope="module")
def old(house: House) -> Iterator[Lines]:
    """A client of revision 2025-11-25 that shows forms and has a model."""
    with speaking(COMMAND, house.workspace, house.environment, answering) as found:
        found.greet(elicitation={}, sampling={}, roots={})
        yield found
        assert found.hang_up() == 0


@pytest.fixture(scope="module")
def new(house: House) -> Iterator[Lines]:
    """A client of revision 2026-07-28, of whom nothing may be asked in between."""
    with speaking(COMMAND, house.workspace, house.environment) as found:
        found.skip_greeting(elicitation={"form": {}}, sampling={}, roots={})
        yield found
        assert found.hang_up() == 0


@pytest.fixture(params=["2025-11-25", NEWEST])
def either(request: pytest.FixtureRequest, old: Lines, new: Lines) -> Lines:
    return new if request.param == NEWEST else old


def said(result: Message) -> str:
    return "\n".join(part["text"] for part in result["content"] if part["type"] == "text")


def test_each_older_revision_is_greeted_in_itself(house: House) -> None:
    for revision in HANDSHAKES:
        with speaking(COMMAND, house.workspace, house.environment) as client:
            found = client.greet(revision)["result"]
            assert found["protocolVersion"] == revision
            assert found["serverInfo"]["name"] == "neuroloom"
            assert {"tools", "resources", "prompts", "completions"} <= set(found["capabilities"])
            assert "run_start" in found["instructions"]
            assert client.hang_up() == 0


def test_an_unknown_revision_is_answered_with_one_that_is_known(house: House) -> None:
    with speaking(COMMAND, house.workspace, house.environment) as client:
        assert client.greet("1999-01-01")["result"]["protocolVersion"] in HANDSHAKES


def test_the_newest_revision_needs_no_greeting_and_discovers_the_server(new: Lines) -> None:
    found = new.result("server/discover")
    assert NEWEST in found["supportedVersions"]
    assert {"tools", "resources", "prompts"} <= set(found["capabilities"])


def test_three_steps_of_progress_come_before_the_answer(either: Lines) -> None:
    before = len(either.notified("notifications/progress"))
    assert said(either.call("test_tool_with_progress", PROGRESS)) == "done"
    steps = either.notified("notifications/progress")[before:]
    assert [one["progress"] for one in steps] == [0, 50, 100]
    assert {(one["progressToken"], one["total"]) for one in steps} == {("steps", 100)}


def test_without_a_token_no_progress_is_told(either: Lines) -> None:
    before = len(either.notified("notifications/progress"))
    either.call("test_tool_with_progress")
    assert len(either.notified("notifications/progress")) == before


def test_a_failing_tool_is_an_answer_that_says_so(either: Lines) -> None:
    found = either.call("test_error_handling")
    assert found["isError"] is True
    assert "intentionally" not in said(found), "the words of an unforeseen failure stay in the log"


def test_an_unknown_tool_is_an_answer_that_names_the_known_ones(either: Lines) -> None:
    found = either.call("run_strat")
    assert found["isError"] is True
    assert "run_start" in said(found)


def test_a_cancelled_call_is_never_answered_with_a_result_and_the_server_goes_on(either: Lines) -> None:
    asked = {"name": "test_endless", "arguments": {}, "_meta": {"progressToken": "endless"}}
    number = either.begin("tools/call", asked)
    while not any(one["progressToken"] == "endless" for one in either.notified("notifications/progress")):
        either.read()
    either.tell("notifications/cancelled", {"requestId": number, "reason": "the person pressed escape"})
    assert said(either.call("test_simple_text")).startswith("This is a simple text")
    late: Any = either._came.pop(number, None)
    assert late is None or "error" in late


def test_an_unknown_method_is_an_error_of_that_name(either: Lines) -> None:
    assert either.ask("no/such/method")["error"]["code"] == -32601


def test_a_line_that_is_no_message_does_not_end_the_conversation(either: Lines) -> None:
    either.send({"jsonrpc": "2.0", "id": "odd", "method": 5})
    assert said(either.call("test_simple_text")).startswith("This is a simple text")


def test_an_address_that_is_not_there_is_an_error_with_the_address(either: Lines) -> None:
    error = either.ask("resources/read", {"uri": "neural://nothing/here"})["error"]
    assert error["code"] == -32602, error
    assert "neural://nothing/here" in str(error)


def test_addresses_are_listed_and_read(either: Lines) -> None:
    listed = {one["uri"] for one in either.result("resources/list")["resources"]}
    assert {"neural://memory", "test://static-text"} <= listed
    templates = {one["uriTemplate"] for one in either.result("resources/templates/list")["resourceTemplates"]}
    assert {"neural://runs/{run}", "neural://datasets/{name}"} <= templates
    read = either.result("resources/read", {"uri": "test://template/7/data"})["contents"][0]
    assert '"7"' in read["text"]


def test_a_prompt_is_given_with_its_arguments(either: Lines) -> None:
    found = either.result("prompts/get", {"name": "train", "arguments": {"data": "churn.csv", "target": "churned"}})
    assert "churned" in found["messages"][0]["content"]["text"]
    error = either.ask("prompts/get", {"name": "train", "arguments": {}})["error"]
    assert "data" in error["message"]


def test_an_argument_is_completed(either: Lines) -> None:
    asked = {"ref": {"type": "ref/prompt", "name": "status"}, "argument": {"name": "run", "value": "la"}}
    assert "latest" in either.result("completion/complete", asked)["completion"]["values"]


def test_an_older_client_is_asked_while_the_tool_works(old: Lines) -> None:
    found = said(old.call("test_elicitation", message="Your name?"))
    assert "action=accept" in found
    assert old.notified("elicitation/create")[-1]["message"] == "Your name?"


def test_a_newer_client_is_asked_in_the_answer_and_calls_again(new: Lines) -> None:
    asked = new.call("test_input_required_result_elicitation")
    assert asked["resultType"] == "input_required"
    assert asked["inputRequests"]["user_name"]["method"] == "elicitation/create"
    answers = {"user_name": {"action": "accept", "content": {"name": "Ada"}}}
    more = {"inputResponses": answers}
    if "requestState" in asked:
        more["requestState"] = asked["requestState"]
    assert said(new.call("test_input_required_result_elicitation", more)) == "Hello, Ada!"


def test_a_state_that_was_tampered_with_is_refused(new: Lines) -> None:
    asked = new.call("test_input_required_result_tampered_state")
    answers = {"confirm": {"action": "accept", "content": {"ok": True}}}
    params = {"name": "test_input_required_result_tampered_state", "arguments": {}, "inputResponses": answers}
    refused = new.ask("tools/call", {**params, "requestState": f"{asked['requestState']}x"})
    assert refused["error"]["code"] == -32602, refused
    assert "content" in new.result("tools/call", {**params, "requestState": asked["requestState"]})
