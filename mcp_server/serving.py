"""How the server is run: on standard input and output for the client that started it, or over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.settings import Settings


def serve(settings: Settings, *, http: bool, token: bool) -> None:
    """Serve until the client hangs up (stdio) or the process is told to stop (HTTP).

    Args:
        settings: All settings.
        http: Listen instead of talking on standard input and output.
        token: Whether callers over HTTP need one.
    """
    from mcp_server.server import build

    server, _ = build(settings)
    server.run("stdio")
