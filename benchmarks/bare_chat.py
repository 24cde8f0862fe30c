"""The bare SDK as a server with one tool that gives a fixed answer: what a chat call costs without Neuroloom.

    python -P benchmarks/bare_chat.py ANSWER.json [--http PORT]

It looks nothing up. The answer, its schema and the tool's description are those of the tool it is compared with.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult


def build(answer: CallToolResult, schema: dict[str, Any]) -> MCPServer[Any]:
    """A server whose `run_get` answers with this."""

    async def run_get(run: str) -> CallToolResult:  # noqa: ARG001 - the same argument as ours
        """How a run stands."""
        return answer

    tool = Tool.from_function(run_get, structured_output=False)
    tool.fn_metadata.output_schema = schema
    return MCPServer("bare", version="1", tools=[tool], log_level="WARNING")


def from_file(path: Path) -> MCPServer[Any]:
    """The server of a file that holds `{"answer", "schema"}`."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return build(CallToolResult.model_validate(found["answer"]), found["schema"])


if __name__ == "__main__":
    server = from_file(Path(sys.argv[1]))
    if "--http" in sys.argv:
        server.run("streamable-http", port=int(sys.argv[3]))
    else:
        server.run()
