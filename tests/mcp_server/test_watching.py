"""Subscriptions of both revisions: what changes is told, to whoever still listens, over stdio and HTTP."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.subscriptions import ResourceUpdated
from mcp.types import ResourceUpdatedNotification

from app.settings import load
from mcp_server.addresses import Watched, watched
from mcp_server.http import app
from mcp_server.server import build
from mcp_server.watching import MOST_ADDRESSES
from tests.journeys.conftest import NEUROLOOM, House
from tests.mcp_server.conftest import talking, told
from tests.mcp_server.served import Served, served

PATIENCE = 120.0
MEMORY = "neural://memory/asserted/colour"
pytestmark = pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed:mcp.MCPDeprecationWarning")


@pytest.fixture(scope="module")
def door(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The chat door over HTTP in the house, without a token."""
    program = (str(NEUROLOOM), "mcp", "--http", "--port", "0", "--no-token")
    said = tmp_path_factory.mktemp("door")
    with served(said, {}, program=program, cwd=house.workspace, more=house.environment) as found:
        yield found


@pytest.fixture(scope="module")
def ended(house: House, churn: Path) -> str:
    """A run that was cancelled before it began; a note to it is an event and a value of its own."""
    made = house.document("run", churn, "--target", "churned", "--detach", "--no-deploy")
    house.say("cancel", made["run_id"])
    return str(made["run_id"])


class Heard(list[str]):
    """The addresses that a client of the older revision was told of."""

    async def __call__(self, message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.append(str(message.params.uri))

    async def until(self, uri: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while uri not in self:
            assert time.monotonic() < deadline, f"{uri} was not told, only {list(self)}"
            await asyncio.sleep(0.05)


Opened = Callable[[Heard], AbstractAsyncContextManager[Client]]


@pytest.fixture(params=["stdio", "http"])
def older(request: pytest.FixtureRequest, house: House) -> Opened:
    """Opens a client of the older revision."""
    if request.param == "stdio":
        return lambda heard: talking(house, "legacy", message_handler=heard)
    door: Served = request.getfixturevalue("door")
    return lambda heard: Client(door.url, mode="legacy", message_handler=heard)


async def test_an_older_client_hears_of_what_it_subscribed_to_until_it_unsubscribes(older: Opened, ended: str) -> None:
    run, report, heard = f"neural://runs/{ended}", f"neural://runs/{ended}/report", Heard()
    written = f"neural://memory/{ended}/steering"
    async with older(heard) as client:
        for uri in (run, report, written, MEMORY):
            await client.subscribe_resource(uri)
        told(await client.call_tool("run_steer", {"run": ended, "note": "a word to the run"}))
        await heard.until(run)
        await heard.until(report)
        await heard.until(written)
        assert MEMORY not in heard
        await client.unsubscribe_resource(run)
        heard.clear()
        told(await client.call_tool("run_steer", {"run": ended, "note": "another word"}))
        await heard.until(report)
        told(await client.call_tool("memory_set", {"key": "colour", "value": f"red {time.monotonic_ns()}"}))
        await heard.until(MEMORY)
        assert run not in heard


async def test_a_newer_client_hears_of_runs_memory_and_datasets(house: House, ended: str) -> None:
    uris = [f"neural://runs/{ended}/events", MEMORY, "neural://memory", "neural://datasets/tiny"]
    heard: list[str] = []
    async with talking(house) as client, client.listen(resource_subscriptions=uris) as stream:

        async def until(*wanted: str) -> None:
            while not set(wanted) <= set(heard):
                event = await anext(stream)
                assert isinstance(event, ResourceUpdated)
                heard.append(event.uri)

        async with asyncio.timeout(PATIENCE):
            told(await client.call_tool("run_steer", {"run": ended, "note": "a word"}))
            await until(uris[0])
            told(await client.call_tool("memory_set", {"key": "colour", "value": f"blue {time.monotonic_ns()}"}))
            await until(MEMORY)
            told(await client.call_tool("memory_set", {"key": f"new-{time.monotonic_ns()}", "value": 1}))
            await until("neural://memory")
            assert uris[3] not in heard
            rows = [{"size": number, "kind": "ab"[number % 2]} for number in range(4)]
            told(await client.call_tool("dataset_add", {"name": "tiny", "rows": rows}))
            await until(uris[3])
            heard.clear()
            house.say("dataset", "rm", "tiny")
            await until(uris[3])


async def test_what_cannot_be_watched_is_refused_in_both_revisions(house: House, ended: str) -> None:
    many = [f"neural://memory/key-{number}" for number in range(MOST_ADDRESSES + 1)]
    hurried = House(house.home, house.workspace, {"NEUROLOOM_CHAT_CALLS_PER_SECOND": "10000"})
    async with talking(hurried, "legacy") as client:
        for wrong in ("neural://elsewhere/x", f"neural://runs/{ended}/artifacts/a", "file:///etc/passwd"):
            with pytest.raises(MCPError, match=r"no_such_address.*neural://datasets/<name>") as error:
                await client.subscribe_resource(wrong)
            assert error.value.code == -32602
        for uri in many[:-1]:
            await client.subscribe_resource(uri)
        with pytest.raises(MCPError, match="too_many"):
            await client.subscribe_resource(many[-1])
    async with talking(house) as client:
        for uris, code in ((["neural://memory", "neural://elsewhere/x"], "no_such_address"), (many, "too_many")):
            with pytest.raises(MCPError, match=code):
                async with client.listen(resource_subscriptions=uris):
                    raise AssertionError("the stream was opened")


async def test_nothing_is_left_of_a_connection_that_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.workspace)
    settings = load(environ=house.environment)
    server, _ = build(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    built = app(server, settings.chat, None, address, session_idle_timeout=2.0)
    web = uvicorn.Server(uvicorn.Config(built, log_config=None, lifespan="on"))
    serving = asyncio.create_task(web.serve(sockets=[listener]))
    try:
        for deletes in (True, False):
            transport = streamable_http_client(address, terminate_on_close=deletes)
            async with Client(transport, mode="legacy") as client:
                await client.subscribe_resource("neural://memory")
                await client.subscribe_resource(MEMORY)
                assert [one.uris for one in server.watchers.listeners.values()] == [{"neural://memory", MEMORY}]
                assert server.watchers.task is not None
                assert set(server.watchers.seen) == {Watched("memory", ""), Watched("memory", "asserted/colour")}
                await client.unsubscribe_resource(MEMORY)
                task = server.watchers.task
            async with asyncio.timeout(PATIENCE):
                await task
            assert not server.watchers.listeners
            assert not server.watchers.seen
    finally:
        web.should_exit = True
        await serving


@pytest.mark.parametrize(
    ("uri", "about"),
    [
        ("neural://runs/latest", Watched("run", "latest")),
        ("neural://runs/r-1/metrics", Watched("run", "r-1")),
        ("neural://memory/asserted/a%20b", Watched("memory", "asserted/a b")),
        ("neural://memory", Watched("memory", "")),
        ("neural://datasets/penguins", Watched("dataset", "penguins")),
    ],
)
def test_an_address_tells_what_it_is_about(uri: str, about: Watched) -> None:
    assert watched(uri) == about


@pytest.mark.parametrize(
    "uri",
    ["", "neural://", "neural://runs", "neural://runs/", "neural://runs/a/b", "neural://runs/a/report/", "neural://r",
     "neural://datasets", "neural://datasets/a/b", "neural://memory/", "neural://memory/a//b", "NEURAL://memory",
     "neural://memory/a b", "neural://memory?x", "neural://memory/" + "x" * 600, "neural://memory\n"],
)  # fmt: skip
def test_an_address_of_another_form_is_refused(uri: str) -> None:
    with pytest.raises(MCPError, match="no_such_address"):
        watched(uri)
