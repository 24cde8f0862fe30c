"""The list of tools as a client gets it: the same each time, few tools, named and hinted, and cheap to read.

A change that is meant is written down with `python -P -m tests.mcp_server.test_tools_list`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from app.settings import load
from mcp_server.server import build
from tests.conformance.lines import speaking
from tests.journeys.conftest import NEUROLOOM

SNAPSHOT = Path(__file__).parent / "snapshots" / "tools.json"
MOST_TOOLS, MOST_TOKENS, MOST_PER_TOOL, MOST_NAME = 20, 6000, 600, 32
NAMED = re.compile(r"[a-z]+_[a-z]+|doctor")
HINTS = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
CHARACTERS_PER_TOKEN = 4


async def listed(home: Path) -> list[dict[str, Any]]:
    """The list from a server of this process."""
    server, _ = build(load(environ={"NEUROLOOM_HOME": str(home)}))
    async with Client(server) as client:
        found = await client.list_tools()
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found.tools]


@pytest.fixture
async def tools(tmp_path: Path) -> list[dict[str, Any]]:
    return await listed(tmp_path)


def compact(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def tokens(document: Any) -> float:
    return len(compact(document)) / CHARACTERS_PER_TOKEN


def test_the_list_is_the_one_that_is_written_down(tools: list[dict[str, Any]]) -> None:
    assert tools == json.loads(SNAPSHOT.read_text(encoding="utf-8")), "see the top of this file"


def test_there_are_few_tools_and_each_is_a_noun_and_a_verb(tools: list[dict[str, Any]]) -> None:
    names = [tool["name"] for tool in tools]
    assert len(names) == len(set(names)) <= MOST_TOOLS
    assert [name for name in names if len(name) > MOST_NAME or not NAMED.fullmatch(name)] == []


def test_each_tool_has_a_title_a_description_and_all_four_hints(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        assert tool["title"] and tool["description"], tool["name"]
        assert set(tool["annotations"]) >= HINTS, tool["name"]
        assert all(isinstance(tool["annotations"][hint], bool) for hint in HINTS)


def test_each_tool_takes_only_what_it_names_and_says_what_it_answers(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        assert tool["inputSchema"]["additionalProperties"] is False, tool["name"]
        assert {"next", "error"} <= set(tool["outputSchema"]["properties"]), tool["name"]


def test_the_list_costs_a_model_little(tools: list[dict[str, Any]]) -> None:
    assert tokens({"tools": tools}) <= MOST_TOKENS
    costs = {tool["name"]: tokens(tool) for tool in tools}
    assert {name: cost for name, cost in costs.items() if cost > MOST_PER_TOOL} == {}
    above = sorted(name for name, cost in costs.items() if cost > 400)
    assert above == ["run_start"], f"{above} are over 400 tokens: {costs}"


def test_two_processes_list_the_same_bytes(tmp_path: Path) -> None:
    said = []
    for seed in ("1", "2"):
        environment = {"PATH": "/usr/bin:/bin", "NEUROLOOM_HOME": str(tmp_path), "PYTHONHASHSEED": seed}
        with speaking([str(NEUROLOOM), "mcp"], tmp_path, environment) as client:
            client.greet()
            said.append(compact(client.result("tools/list")["tools"]))
            assert client.hang_up() == 0
    assert said[0] == said[1]
    assert json.loads(said[0]) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        found = asyncio.run(listed(Path(home)))
    SNAPSHOT.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(found)} tools, {tokens({'tools': found}):.0f} tokens\n")
