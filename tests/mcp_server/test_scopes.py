"""Scopes: every tool with every scope, through a real call in both protocol revisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from mcp_server import scopes
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


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_whoever_started_the_server_may_call_everything(tmp_path: Path, mode: Any) -> None:
    async with Client(tiny(ChatSettings(), tmp_path), mode=mode) as client:
        for name in ("run_get", "run_cancel", "deployment_change", "unlisted"):
            answer = await client.call_tool(name, {"word": "salt"})
            assert answer.structured_content == {"word": "salt", "caller": "local", "door": "stdio"}
