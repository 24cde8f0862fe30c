"""A server of few tools that is not ours, to try what stands around a server; run as a program, it serves HTTP."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import Completion, EmptyResult, SubscribeRequestParams

from mcp_server.audit import AuditLog
from mcp_server.guard import Guard, tool_infos
from mcp_server.http import serve
from mcp_server.limits import Limits
from mcp_server.naming import ToolInfo
from mcp_server.principal import current
from mcp_server.redaction import Redactor
from mcp_server.settings import ChatSettings


def tiny(settings: ChatSettings, home: Path, secrets: Iterable[str] = ()) -> MCPServer[Any]:
    """A guarded server; three of its tools have names of ours, and so need the scopes of ours.

    Args:
        settings: Limits.
        home: Where calls are recorded.
        secrets: What must not get out.
    """
    tools: dict[str, ToolInfo] = {}

    @asynccontextmanager
    async def learn(server: MCPServer[Any]) -> AsyncIterator[None]:
        tools.update(tool_infos(await server.list_tools(), {"run_get": {"text": "word"}}))
        yield

    guard = Guard(tools, Limits(settings), Redactor(secrets), AuditLog(home))
    server: MCPServer[Any] = MCPServer("tiny", version="1", log_level="CRITICAL", middleware=[guard], lifespan=learn)
    _add_tools(server)
    _add_reads(server)
    return server


def _add_tools(server: MCPServer[Any]) -> None:
    async def echo(word: str = "") -> dict[str, Any]:
        return {"word": word, "caller": current().name, "door": current().door}

    async def started(deploy: bool = False) -> dict[str, Any]:
        return {"deploy": deploy}

    for name in ("run_get", "run_cancel", "deployment_change", "unlisted"):
        server.add_tool(echo, name=name, description="Give back the word.")
    server.add_tool(started, name="run_start", description="Give back the choice.")

    @server.tool()
    async def run_wait(count: int, ctx: Context[Any, Any], what: str = "step") -> dict[str, Any]:
        """Report progress."""
        for step in range(count):
            await ctx.report_progress(step + 1, count, f"{what} {step + 1}")
        return {"count": count}


def _add_reads(server: MCPServer[Any]) -> None:
    @server.resource("tiny://notes/{name}")
    async def notes(name: str) -> str:
        """A note."""
        if name == "bad":
            raise RuntimeError("this note cannot be read")
        return f"note {name}"

    async def complete(*_: Any) -> Completion:
        return Completion(values=["one"])

    async def subscribed(*_: Any) -> EmptyResult:
        return EmptyResult()

    server.completion()(complete)  # type: ignore[no-untyped-call] # the SDK's decorator has no annotation
    server._lowlevel_server.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribed)

    @server.prompt()
    async def status() -> str:
        """How it stands."""
        return "well"


if __name__ == "__main__":
    home, settings = Path(os.environ["NEUROLOOM_HOME"]), ChatSettings.model_validate_json(sys.argv[1])
    wanted = "--no-token" not in sys.argv
    asyncio.run(serve(tiny(settings, home), settings, home, functools.partial(click.echo, err=True), token=wanted))
