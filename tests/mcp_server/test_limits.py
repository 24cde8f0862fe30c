"""Limits: one call too many is told when to come back; an answer makes room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError

from mcp_server.limits import Limits
from mcp_server.refusal import CallRefused
from mcp_server.settings import ChatSettings
from tests.mcp_server.tiny_server import tiny


def test_one_call_too_many_is_refused_with_the_seconds_to_wait() -> None:
    limits = Limits(ChatSettings(calls_per_minute=5))
    for _ in range(5):
        with limits.call("a"):
            pass
    with pytest.raises(CallRefused) as refused, limits.call("a"):
        pass
    assert refused.value.code == "limit.rate"
    assert refused.value.retry_after_s is not None
    assert 1 <= refused.value.retry_after_s <= 60
    assert "'a' has made 5 per 1 minute" in refused.value.message
    with limits.call("b"):  # another principal has its own
        pass


def test_a_burst_is_bounded_too() -> None:
    limits = Limits(ChatSettings(calls_per_second=1))
    with pytest.raises(CallRefused) as refused:
        for _ in range(1000):
            with limits.call("a"):
                pass
    assert refused.value.retry_after_s == 1


def test_calls_that_are_not_answered_yet_are_bounded_and_an_answer_makes_room() -> None:
    limits = Limits(ChatSettings(calls_at_once=2))
    with limits.call("a"):
        with limits.call("a"):
            with pytest.raises(CallRefused) as refused, limits.call("a"):
                pass
            assert refused.value.code == "limit.at_once"
        with limits.call("a"):
            pass


def test_a_call_that_fails_makes_room_too() -> None:
    limits = Limits(ChatSettings(calls_at_once=1))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limits.call("a"):
            raise ZeroDivisionError


def test_the_limits_are_told_in_words_for_a_benchmark() -> None:
    assert Limits(ChatSettings(calls_per_minute=7)).in_words() == "7 calls a minute, 60 a second, 64 open"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_model_and_the_client_are_told_when_to_call_again(tmp_path: Path, mode: Any) -> None:
    async with Client(tiny(ChatSettings(calls_per_minute=3), tmp_path), mode=mode) as client:
        for _ in range(3):
            assert not (await client.call_tool("run_get", {})).is_error
        answer = await client.call_tool("run_get", {})
        assert answer.is_error
        error = answer.structured_content["error"]
        assert error["code"] == "limit.rate"
        assert 1 <= error["retry_after_s"] <= 60
        with pytest.raises(MCPError) as refused:
            await client.read_resource("tiny://notes/a")
        assert refused.value.data["error"]["retry_after_s"] >= 1
