"""The chat door over HTTP, as a process: who is let in, what is open, both protocol revisions, and how it ends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_server.audit import files
from mcp_server.http import check, public_address
from mcp_server.principal import SCOPES
from mcp_server.settings import ChatSettings
from mcp_server.tokens import Tokens
from memory.errors import UsageError
from tests.mcp_server.served import Served, served

JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that asks for a token."""
    home = tmp_path_factory.mktemp("closed")
    with served(home, {"port": 0, "body_mib": 1, "allowed_hosts": ["chat.example.org"]}) as found:
        yield found


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server without a token."""
    with served(tmp_path_factory.mktemp("free"), {"port": 0}, "--no-token") as found:
        yield found


def post(at: Served, body: Any = INITIALIZE, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(at.url, content=content, headers={**JSON, **headers}, timeout=60)


def test_the_first_start_makes_a_token_and_says_it_once_with_how_to_use_it(closed: Served) -> None:
    assert closed.token is not None
    assert closed.said().count(closed.token) == 1
    assert f"claude mcp add --transport http neuroloom {closed.url}" in closed.said()
    assert [token.name for token in Tokens(closed.home).list()] == ["first"]


@pytest.mark.parametrize("given", [None, "Bearer nlm_wrong", "Basic abc", "Bearer"])
def test_no_good_token_is_401_and_says_where_to_read_more(closed: Served, given: str | None) -> None:
    answer = post(closed, **({"Authorization": given} if given else {}))
    assert answer.status_code == 401
    where = answer.headers["WWW-Authenticate"]
    assert where.startswith("Bearer ")
    address = where.partition('resource_metadata="')[2].rstrip('"')
    told = httpx.get(address).json()
    assert told["resource"] == closed.url
    assert told["scopes_supported"] == ["read", "train", "deploy", "admin"]


def test_a_token_that_may_not_even_read_is_403(closed: Served) -> None:
    tokens = Tokens(closed.home)
    made = tokens.create("empty", ["read"])
    kept = json.loads(tokens.path.read_text(encoding="utf-8"))
    kept[-1]["scopes"] = []
    tokens.path.write_text(json.dumps(kept), encoding="utf-8")
    answer = post(closed, Authorization=f"Bearer {made}")
    assert answer.status_code == 403
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]
    tokens.revoke("empty")


def test_a_revoked_token_is_refused_at_once(closed: Served) -> None:
    made = Tokens(closed.home).create("guest", ["read"])
    assert post(closed, Authorization=f"Bearer {made}").status_code == 200
    Tokens(closed.home).revoke("guest")
    assert post(closed, Authorization=f"Bearer {made}").status_code == 401


@pytest.mark.parametrize("path", ["/mcp", "/health", "/.well-known/oauth-protected-resource/mcp", "/other"])
def test_a_foreign_host_is_421_and_a_foreign_origin_403_on_every_path(closed: Served, path: str) -> None:
    address = closed.root + path
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example:8765"):
        assert httpx.get(address, headers={**closed.headers, "Host": host}).status_code == 421
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", "https://chat.example.org.evil"):
        assert httpx.get(address, headers={**closed.headers, "Origin": origin}).status_code == 403


def test_the_names_that_settings_allow_are_answered_with_and_without_a_port(closed: Served) -> None:
    for host in ("chat.example.org", "chat.example.org:8443", "localhost", "[::1]:8765"):
        assert post(closed, **closed.headers, Host=host).status_code == 200


def test_health_needs_no_token_and_tells_no_details(closed: Served) -> None:
    assert httpx.get(closed.root + "/health").json() == {"status": "ok"}
    assert httpx.post(closed.root + "/health", headers=closed.headers).status_code == 405


def test_what_does_not_exist_is_not_told_to_strangers(closed: Served) -> None:
    assert httpx.get(closed.root + "/other").status_code == 401
    assert httpx.get(closed.root + "/other", headers=closed.headers).status_code == 404


def test_a_body_over_the_bound_is_413_whether_its_length_is_told_or_not(closed: Served) -> None:
    big = b" " * (1024 * 1024 + 1)
    assert post(closed, big, **closed.headers).status_code == 413
    chunks = httpx.post(
        closed.url,
        content=(big[at : at + 65536] for at in range(0, len(big), 65536)),
        headers={**JSON, **closed.headers},
    )
    assert chunks.status_code == 413
    assert post(closed, big).status_code == 401


def test_what_is_no_json_is_refused_and_the_server_lives(closed: Served) -> None:
    assert post(closed, b"{", **closed.headers).status_code == 400
    assert post(closed, **{**closed.headers, "Content-Type": "text/plain"}).status_code == 400
    assert post(closed, **closed.headers).status_code == 200


def test_white_space_around_the_values_of_headers_is_not_part_of_them(closed: Served) -> None:
    address = urlsplit(closed.url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=60)
    try:
        connection.putrequest("POST", "/mcp", skip_host=True)
        headers = {**JSON, **closed.headers, "Host": "localhost", "Content-Length": str(len(json.dumps(INITIALIZE)))}
        for name, value in headers.items():
            connection.putheader(name, f"  {value} \t ")
        connection.endheaders(json.dumps(INITIALIZE).encode())
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def test_a_session_belongs_to_the_token_that_opened_it(closed: Served) -> None:
    session = post(closed, **closed.headers).headers["Mcp-Session-Id"]
    other = Tokens(closed.home).create("other", ["admin"])
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    answer = post(closed, listing, **{"Authorization": f"Bearer {other}", "Mcp-Session-Id": session})
    assert answer.status_code == 404


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_of_either_revision_calls_and_sees_progress(closed: Served, mode: Any) -> None:
    seen: list[float] = []

    async def noted(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    assert closed.token is not None
    async with client_of(closed, closed.token, mode) as client:
        answer = await client.call_tool("run_get", {"word": "salt"})
        assert answer.structured_content == {"word": "salt", "caller": "first", "door": "http"}
        await client.call_tool("run_wait", {"count": 3}, progress_callback=noted)
    assert seen == [1, 2, 3]


@asynccontextmanager
async def client_of(at: Served, token: str, mode: Any) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(at.url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_each_call_is_made_with_the_scopes_of_its_own_token(closed: Served, mode: Any) -> None:
    tools = {"run_get": "read", "run_cancel": "train", "deployment_change": "deploy", "unlisted": "admin"}
    for at, scope in enumerate(SCOPES):
        made = Tokens(closed.home).create(f"{scope}-{mode}", [scope])
        async with client_of(closed, made, mode) as client:
            answers = {needs: await client.call_tool(name, {"word": "salt"}) for name, needs in tools.items()}
        for needs, answer in answers.items():
            allowed = SCOPES.index(needs) <= at
            assert answer.is_error is not allowed, (scope, needs)
            told = answer.structured_content
            assert told["caller"] == f"{scope}-{mode}" if allowed else told["error"]["code"] == "auth.scope"


async def test_the_log_of_a_served_chat_names_the_token_and_holds_neither_it_nor_arguments(closed: Served) -> None:
    made = Tokens(closed.home).create("logged", ["read"])
    async with client_of(closed, made, "auto") as client:
        await client.call_tool("run_get", {"word": "salt-and-pepper"})
        await client.call_tool("run_cancel", {})
    text = "".join(path.read_text(encoding="utf-8") for path in files(closed.home / "audit"))
    mine = [one for one in map(json.loads, text.splitlines()) if one["principal"] == "logged"]
    assert [(one["name"], one["outcome"], one["door"]) for one in mine] == [
        ("run_get", "ok", "http"),
        ("run_cancel", "auth.scope", "http"),
    ]
    assert made not in text
    assert "salt-and-pepper" not in text


async def test_opening_sessions_counts_as_calls_do(tmp_path: Path) -> None:
    with served(tmp_path, {"port": 0, "calls_per_minute": 5}) as found:
        answers = [post(found, **found.headers) for _ in range(6)]
    codes = ["error" in answer.text and "limit.rate" in answer.text for answer in answers]
    assert codes == [False] * 5 + [True]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_without_a_token_this_machine_is_served_and_web_pages_are_not(free: Served, mode: Any) -> None:
    assert free.token is None
    assert not Tokens(free.home).path.exists()
    async with Client(free.url, mode=mode) as client:
        answer = await client.call_tool("unlisted", {"word": "salt"})
    assert answer.structured_content == {"word": "salt", "caller": "loopback", "door": "http"}
    assert post(free, Host="evil.example").status_code == 421
    assert post(free, Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize(
    ("settings", "token", "code"),
    [
        ({"host": "0.0.0.0"}, True, "usage.allowed_hosts"),
        ({"host": "::"}, True, "usage.allowed_hosts"),
        ({"host": "machine.example.org"}, True, "usage.allowed_hosts"),
        ({"host": "0.0.0.0", "allowed_hosts": ("chat.example.org",)}, False, "usage.no_token"),
    ],
)
def test_an_address_that_others_reach_needs_a_token_and_a_name(
    settings: dict[str, Any], token: bool, code: str
) -> None:
    with pytest.raises(UsageError) as refused:
        check(ChatSettings.model_validate(settings), token=token)
    assert refused.value.code == code


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9", "LOCALHOST"])
def test_this_machine_may_be_served_without_a_token(host: str) -> None:
    check(ChatSettings(host=host), token=False)


def test_the_address_is_told_as_clients_write_it() -> None:
    assert public_address(ChatSettings(host="::1"), 80) == "http://[::1]:80/mcp"
    everywhere = ChatSettings(host="0.0.0.0", allowed_hosts=("chat.example.org",))
    assert public_address(everywhere, 8765) == "http://chat.example.org:8765/mcp"
    proxied = ChatSettings(host="0.0.0.0", allowed_hosts=("chat.example.org:443",))
    assert public_address(proxied, 8765) == "http://chat.example.org:443/mcp"


def refused_start(home: Path, settings: dict[str, Any], *flags: str) -> str:
    """What a server says that does not start."""
    command = [sys.executable, "-m", "tests.mcp_server.tiny_server", json.dumps(settings), *flags]
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"NEUROLOOM_HOME": str(home)}
    ended = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0
    assert not Tokens(home).path.exists()
    return ended.stderr


def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on '127.0.0.1' port {port}" in refused_start(tmp_path, {"port": port})


def test_a_server_that_strangers_would_reach_does_not_start(tmp_path: Path) -> None:
    assert "no name is allowed for it" in refused_start(tmp_path, {"host": "0.0.0.0", "port": 0})


def test_sigterm_ends_the_server_well_though_a_stream_is_open(tmp_path: Path) -> None:
    with served(tmp_path, {"port": 0}) as found:
        session = post(found, **found.headers).headers["Mcp-Session-Id"]
        headers = {**JSON, **found.headers, "Mcp-Session-Id": session}
        with httpx.stream("GET", found.url, headers=headers, timeout=60) as stream:
            assert stream.status_code == 200
            found.process.terminate()
            assert found.process.wait(timeout=120) == 0
    assert "Traceback" not in found.said()
