"""A chat to talk with: the real server as a process, and a client of the SDK for either revision."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitResult, TextContent

from tests.journeys.conftest import NEUROLOOM, House, a_house, churn

Opened = Callable[..., AbstractAsyncContextManager[Client]]
__all__ = ["churn"]


def told(answer: CallToolResult) -> dict[str, Any]:
    """The structured answer of a call that went well."""
    assert not answer.is_error, words(answer)
    assert answer.structured_content is not None
    assert len(json.dumps(answer.structured_content, ensure_ascii=False, separators=(",", ":")).encode()) <= 4000
    return dict(answer.structured_content)


def refused(answer: CallToolResult) -> dict[str, Any]:
    """The error of a call that was refused."""
    assert answer.is_error, answer
    assert answer.structured_content is not None
    return dict(answer.structured_content["error"])


def words(answer: CallToolResult) -> str:
    """Everything that a client which shows only text shows."""
    return "\n".join(part.text for part in answer.content if isinstance(part, TextContent))


@asynccontextmanager
async def talking(house: House, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
    """A client of a fresh server process in the house's workspace.

    Args:
        house: Where the server lives.
        mode: `auto` speaks the newest revision, `legacy` the one with a handshake.
        more: Passed to the client.
    """
    server = StdioServerParameters(
        command=str(NEUROLOOM), args=["mcp"], cwd=str(house.workspace), env={**house.environment}
    )
    async with Client(server, mode=mode, read_timeout_seconds=120, **more) as client:
        yield client


def answering(content: dict[str, Any], asked: list[str]) -> Callable[..., Any]:
    """A person at the client who answers every form with the same content."""

    async def callback(_context: Any, params: ElicitRequestFormParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content=content)

    return callback


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A house for the tests of one module."""
    with a_house() as found:
        yield found


@pytest.fixture(scope="module")
def workspace(house: House) -> Path:
    """Its workspace."""
    return house.workspace
