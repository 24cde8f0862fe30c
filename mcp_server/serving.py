"""How the server is run: on standard input and output for the client that started it, or over HTTP.

Around every call stands the guard: limits, scopes, redaction, audit.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.settings import Settings
    from mcp_server.naming import ToolInfo
    from mcp_server.server import ChatServer


def serve(settings: Settings, *, http: bool, token: bool) -> None:
    """Serve until the client hangs up (stdio) or the process is told to stop (HTTP).

    Args:
        settings: All settings.
        http: Listen instead of talking on standard input and output.
        token: Whether callers over HTTP need one.

    Raises:
        UsageError: the address may not be served so, or is taken.
    """
    server = guarded(settings)
    if not http:
        server.run("stdio")
        return
    from mcp_server.http import serve as listen

    with asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(listen(server, settings.chat, settings.home, _note, token=token))


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fast event loop that servers use, where the platform has it."""
    try:
        import uvloop
    except ImportError:
        return None
    found: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return found


def guarded(settings: Settings, mount: Callable[[ChatServer], Mapping[str, ToolInfo]] = lambda _: {}) -> ChatServer:
    """The server with its guard; secrets are taken out of its log too.

    Args:
        settings: All settings.
        mount: Puts further tools on the server and names them to the guard; a conformance suite's.
    """
    from app.settings import environment
    from mcp_server.audit import AuditLog
    from mcp_server.guard import Guard
    from mcp_server.limits import Limits
    from mcp_server.redaction import RedactedLogs, Redactor, known_secrets
    from mcp_server.server import build

    redactor = Redactor(known_secrets(settings, environment(), ()))
    for handler in logging.getLogger().handlers:
        handler.addFilter(RedactedLogs(redactor))
    names: dict[str, ToolInfo] = {}
    audit = AuditLog(settings.home) if settings.chat.audit else None
    server, _ = build(settings, [Guard(names, Limits(settings.chat), redactor, audit)])
    names.update({**mount(server), **server.names})
    return server


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
