"""How the server is run: on standard input and output for the client that started it, or over HTTP."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.settings import Settings


def serve(settings: Settings, *, http: bool, token: bool) -> None:
    """Serve until the client hangs up (stdio) or the process is told to stop (HTTP).

    Args:
        settings: All settings.
        http: Listen instead of talking on standard input and output.
        token: Whether callers over HTTP need one.

    Raises:
        UsageError: the address may not be served so, or is taken.
    """
    from mcp_server.server import build

    server, _ = build(settings)
    if not http:
        server.run("stdio")
        return
    from mcp_server.http import serve as listen

    asyncio.run(listen(server, settings.chat, settings.home, _note, token=token))


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
