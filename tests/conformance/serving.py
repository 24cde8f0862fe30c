"""Serves the product's chat server with the suite's fixtures mounted, on a free port of loopback, without a token.

python -P tests/conformance/serving.py         # prints the address; ends with SIGTERM
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import uvicorn
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.types import JSONRPCMessage

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.settings import load
from mcp_server import http
from mcp_server.naming import ToolInfo
from mcp_server.server import ChatServer
from mcp_server.serving import guarded
from tests.conformance import fixtures

RETRY_MS = 200


class KeptEvents(EventStore):
    """Everything that was sent, so that a client that was cut off can ask for the rest; the suite looks at this too."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep one message; its number from 1."""
        self._kept.append((stream_id, message))
        return str(len(self._kept))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what came after on the same stream."""
        last = int(last_event_id)
        if not 0 < last <= len(self._kept):
            return None
        stream = self._kept[last - 1][0]
        for number, (of, message) in enumerate(self._kept[last:], last + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def mounted(server: ChatServer) -> dict[str, ToolInfo]:
    """Mount the fixtures; the names of the tools among them."""
    ours = {tool.name for tool in server._tool_manager.list_tools()}
    fixtures.register(server)
    tools = [tool for tool in server._tool_manager.list_tools() if tool.name not in ours]
    return {tool.name: ToolInfo(frozenset(tool.parameters["properties"])) for tool in tools}


async def listen() -> None:
    """Serve over HTTP until told to end."""
    settings = load()
    server = guarded(settings, mounted)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = http.public_address(settings.chat, listener.getsockname()[1])
        app = http.app(server, settings.chat, None, address, event_store=KeptEvents(), retry_interval=RETRY_MS)
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        await uvicorn.Server(uvicorn.Config(app, http="httptools", log_level="warning")).serve([listener])


if __name__ == "__main__":
    if "--stdio" in sys.argv:
        guarded(load(), mounted).run("stdio")
    else:
        asyncio.run(listen())
