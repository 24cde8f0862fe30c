"""A server of two tools that is not ours, to try what stands around a server; run as a program, it serves HTTP."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from pathlib import Path
from typing import Any

import click
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

from mcp_server.http import serve
from mcp_server.principal import current
from mcp_server.settings import ChatSettings


def tiny(**options: Any) -> MCPServer[Any]:
    """`echo` gives back its word and the caller; `steps` reports progress."""
    server: MCPServer[Any] = MCPServer("tiny", version="1", log_level="ERROR", **options)

    @server.tool()
    async def echo(word: str) -> dict[str, Any]:
        """Give back the word."""
        return {"word": word, "caller": current().name}

    @server.tool()
    async def steps(count: int, ctx: Context[Any, Any]) -> dict[str, Any]:
        """Report progress."""
        for step in range(count):
            await ctx.report_progress(step + 1, count, f"step {step + 1}")
        return {"count": count}

    @server.resource("tiny://notes/{name}")
    async def notes(name: str) -> str:
        """A note."""
        return f"note {name}"

    return server


if __name__ == "__main__":
    home, settings = Path(os.environ["NEUROLOOM_HOME"]), ChatSettings.model_validate_json(sys.argv[1])
    wanted = "--no-token" not in sys.argv
    asyncio.run(serve(tiny(), settings, home, functools.partial(click.echo, err=True), token=wanted))
