"""The chat door over streamable HTTP: who may call (address, Host, Origin, token), what is open, how it ends.

It knows no tool: it serves whatever `MCPServer` it is given. What each call may do is the guard's business.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.principal import SCOPES
from mcp_server.settings import MIB, ChatSettings
from mcp_server.tokens import FIRST, Tokens
from memory.errors import NeuroloomError, UsageError

PATH = "/mcp"
HEALTH = "/health"
METADATA = f"/.well-known/oauth-protected-resource{PATH}"
OPEN = frozenset({HEALTH, METADATA})
GRACE_SECONDS = 3
BACKLOG = 2048

_log = logging.getLogger(__name__)


async def serve(
    server: MCPServer[Any], settings: ChatSettings, home: Path, note: Callable[[str], None], *, token: bool = True
) -> None:
    """Serve until SIGTERM or Ctrl-C; open answers get three seconds.

    Args:
        server: The chat door's server, guard and all.
        settings: Address, allow-lists and limits.
        home: The state folder, where the tokens are.
        note: Tells the person something (on standard error): the address, and a first token, once.
        token: Whether callers need a token; without, only loopback addresses are served.

    Raises:
        UsageError: the address may not be served so, or is taken, or the tokens cannot be read.
    """
    check(settings, token=token)
    tokens = Tokens(home) if token else None
    with _listening(settings) as listener:
        port = int(listener.getsockname()[1])
        address = public_address(settings, port)
        made = tokens.first() if tokens is not None else None
        note(f"the chat door listens at {address}" + ("" if token else ", without a token: this machine only"))
        if made is not None:
            note(_first_token(address, made))
        await _until_told(_Server(_configured(app(server, settings, tokens, address))), listener)


def check(settings: ChatSettings, *, token: bool) -> None:
    """Refuse an address that would let strangers in.

    Raises:
        UsageError: no token on an address that others reach, or no allow-list there.
    """
    if settings.loopback:
        return
    if not token:
        raise UsageError(f"--no-token is for this machine only, and {settings.host!r} can be reached by others",
                         code="usage.no_token", field="no_token",
                         fix="leave --no-token away, or listen on 127.0.0.1")  # fmt: skip
    if not settings.allowed_hosts:
        raise UsageError(f"{settings.host!r} can be reached by others, and no name is allowed for it",
                         code="usage.allowed_hosts", field="allow_host",
                         fix="name what clients call it by: --allow-host chat.example.org")  # fmt: skip


def app(server: MCPServer[Any], settings: ChatSettings, tokens: Tokens | None, address: str, **more: Any) -> Starlette:
    """The application, outermost first: Host and Origin, then the token, then the protocol.

    Args:
        server: The chat door's server.
        settings: Allow-lists and sizes.
        tokens: Who may call; None lets everybody who reaches the address.
        address: Where it is served, as clients see it.
        more: Passed to the library's application (an event store).
    """
    security = TransportSecuritySettings(allowed_hosts=settings.hosts, allowed_origins=settings.origins)
    built = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=False,  # True would drop the progress of a call
        max_request_body_size=settings.body_mib * MIB,
        transport_security=security,
        **more,
    )
    built.routes.append(Route(HEALTH, _health, methods=["GET"]))
    if tokens is not None:
        built.routes.append(Route(METADATA, _metadata(address), methods=["GET"]))
        built.add_middleware(_TokenRequired, metadata_url=AnyHttpUrl(address.removesuffix(PATH) + METADATA))
        built.add_middleware(AuthContextMiddleware)
        built.add_middleware(AuthenticationMiddleware, backend=BearerAuthBackend(_Verifier(tokens)))
    built.add_middleware(_KnownCallers, security=security)
    return built


def public_address(settings: ChatSettings, port: int) -> str:
    """The address that clients use: by the first allowed name where the listening address is no name at all."""
    host = settings.host
    if not settings.loopback:
        host = settings.allowed_hosts[0]
    if host.count(":") > 1 and not host.startswith("["):
        host = f"[{host}]"
    named_port = host.rpartition(":")[2].isdigit()
    return f"http://{host}{'' if named_port else f':{port}'}{PATH}"


class _Verifier:
    """Our tokens in the MCP library's terms."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def verify_token(self, token: str) -> AccessToken | None:
        """Who the token belongs to; nobody when the tokens cannot be read."""
        try:
            principal = self._tokens.verify(token)
        except NeuroloomError as error:
            _log.error("nobody is let in: %s", error)
            return None
        if principal is None:
            return None
        return AccessToken(token=token, client_id=principal.name, scopes=sorted(principal.scopes))


class _KnownCallers:
    """Answers 421 to a foreign Host and 403 to a foreign Origin, on every path and before anything is read.

    What comes after it sees header values without the white space around them, which RFC 9110 (5.5) does not count as
    theirs and the parser leaves there.
    """

    def __init__(self, app: ASGIApp, security: TransportSecuritySettings) -> None:
        self._app = app
        self._check = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}
        refusal = await self._check.validate_request(Request(scope))
        await (self._app if refusal is None else refusal)(scope, receive, send)


class _TokenRequired:
    """Answers 401 without a good token and 403 to one that may not even read; the open paths need none."""

    def __init__(self, app: ASGIApp, metadata_url: AnyHttpUrl) -> None:
        self._open = app
        self._closed = RequireAuthMiddleware(app, [SCOPES[0]], metadata_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        free = scope["type"] != "http" or scope["path"] in OPEN
        await (self._open if free else self._closed)(scope, receive, send)


class _Server(uvicorn.Server):
    """A server that leaves the signals to `_until_told`, so that it ends as any other command does."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


async def _until_told(server: uvicorn.Server, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, server.handle_exit, number, None)
    try:
        await server.serve(sockets=[listener])
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _configured(application: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


@contextmanager
def _listening(settings: ChatSettings) -> Iterator[socket.socket]:
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise UsageError(f"cannot listen on {host!r} port {settings.port}: {error.strerror}",
                         code="usage.address", field="port",
                         fix="choose another --port; 0 takes a free one") from error  # fmt: skip
    with listener:  # inherited by each connection; asyncio sets it only where the protocol number is told
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def _first_token(address: str, made: str) -> str:
    return (
        f"a token was made, {FIRST!r}; it is shown this once:\n  {made}\n"
        f"use it so: claude mcp add --transport http neuroloom {address} --header 'Authorization: Bearer <token>'\n"
        "others: neuroloom mcp-token create NAME --scope read"
    )


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _metadata(address: str) -> Callable[[Request], Any]:
    """RFC 9728: what the resource is; tokens come from `neuroloom mcp-token`, not from an authorization server."""
    told = {
        "resource": address,
        "resource_name": "Neuroloom",
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
    }

    async def answer(_: Request) -> Response:
        return JSONResponse(told)

    return answer
