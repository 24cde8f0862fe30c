"""Scopes: every tool with every scope, through a real call in both protocol revisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.authentication import UnauthenticatedUser
from starlette.requests import Request

from mcp_server import scopes
from mcp_server.guard import whose
from mcp_server.principal import LOCAL, SCOPES, Principal, acting, current, widened
from mcp_server.refusal import CallRefused
from mcp_server.settings import ChatSettings
from tests.mcp_server.tiny_server import tiny

READ = {
    "dataset_profile", "run_get", "run_wait", "run_list", "run_compare", "report_get", "model_list", "deployment_list",
    "memory_get", "doctor", "model_predict",
}  # fmt: skip
TRAIN = {"dataset_add", "run_start", "run_approve", "run_cancel", "run_resume", "run_steer", "memory_set"}
MATRIX = [
    *((tool, {}, "read") for tool in sorted(READ)),
    *((tool, {}, "train") for tool in sorted(TRAIN)),
    ("run_start", {"deploy": False}, "train"),
    ("run_start", {"deploy": None}, "train"),
    ("run_start", {"deploy": True}, "deploy"),
    ("run_start", {"deploy": "true"}, "deploy"),
    ("run_start", {"deploy": {"name": "x"}}, "deploy"),
    ("deployment_change", {}, "deploy"),
    ("a_tool_of_tomorrow", {}, "admin"),
]


def holder(scope: str) -> Principal:
    return Principal("t", widened([scope]), "http")


def test_the_table_lists_the_nineteen_tools() -> None:
    assert set(scopes.TOOLS) == READ | TRAIN | {"deployment_change"}
    assert len(scopes.TOOLS) == 19


@pytest.mark.parametrize("has", SCOPES)
@pytest.mark.parametrize(("tool", "arguments", "needs"), MATRIX)
def test_a_tool_is_allowed_from_its_scope_upwards(tool: str, arguments: dict[str, Any], needs: str, has: str) -> None:
    scope = scopes.needed(tool, arguments)
    assert scope == needs
    if SCOPES.index(has) >= SCOPES.index(scope):
        scopes.check(holder(has), scope, tool)
        return
    with pytest.raises(CallRefused) as refused:
        scopes.check(holder(has), scope, tool)
    assert refused.value.code == "auth.scope"
    assert repr(scope) in refused.value.message
    assert has in refused.value.message
    assert f"--scope {scope}" in str(refused.value.fix)


def test_a_tool_asks_for_more_once_it_knows_what_the_call_is_about() -> None:
    with acting(holder("train")):
        scopes.require("train", "this")
        with pytest.raises(CallRefused, match="a deployment question needs the scope 'deploy'"):
            scopes.require("deploy", "a deployment question")
    scopes.require("admin", "whoever started the server")
    assert current() is LOCAL


def request(user: object = None) -> Request:
    return Request({"type": "http", "headers": []} | ({"user": user} if user is not None else {}))


def test_a_caller_is_who_its_request_says_and_one_that_was_not_let_in_is_nobody() -> None:
    token = AccessToken(token="t", client_id="laptop", scopes=["read"])
    assert whose(None) is LOCAL
    assert whose(request(AuthenticatedUser(token))) == Principal("laptop", frozenset({"read"}), "http")
    assert whose(request()).name == "loopback"
    nobody = whose(request(UnauthenticatedUser()))
    assert nobody.scopes == frozenset()
    with pytest.raises(CallRefused, match="has none"):
        scopes.check(nobody, "read", "resources/read")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_whoever_started_the_server_may_call_everything(tmp_path: Path, mode: Any) -> None:
    async with Client(tiny(ChatSettings(), tmp_path), mode=mode) as client:
        for name in ("run_get", "run_cancel", "deployment_change", "unlisted"):
            answer = await client.call_tool(name, {"word": "salt"})
            assert answer.structured_content == {"word": "salt", "caller": "local", "door": "stdio"}


async def test_a_token_without_scopes_reads_no_resource_and_no_prompt(tmp_path: Path) -> None:
    user = AuthenticatedUser(AccessToken(token="t", client_id="empty", scopes=[]))
    before = auth_context_var.set(user)
    try:
        async with Client(tiny(ChatSettings(), tmp_path), mode="2026-07-28") as client:
            with pytest.raises(MCPError) as refused:
                await client.read_resource("tiny://notes/a")
            assert refused.value.data["error"]["code"] == "auth.scope"
            with pytest.raises(MCPError):
                await client.get_prompt("status", {})
    finally:
        auth_context_var.reset(before)
