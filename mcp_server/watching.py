"""Subscriptions that fire on change, for both kinds of clients. One task looks once a second while somebody listens.

Newer clients hold a `subscriptions/listen` stream; older ones call `resources/subscribe` on their connection. What is
listened to is held by its stream or its connection, and goes with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp.server.subscriptions import ResourceUpdated
from mcp.types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from mcp_server.addresses import Watched, refused, state, watched
from mcp_server.outgoing import connection_of
from mcp_server.session import Session

if TYPE_CHECKING:
    from mcp.server.connection import Connection
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.server.session import ServerSession

    from mcp_server.server import ChatServer

log = logging.getLogger("neuroloom.mcp")
LOOK_SECONDS = 1.0
TOLD_SECONDS = 5.0
MOST_ADDRESSES = 100
MOST_WATCHED = 1000


@dataclass
class Listener:
    """A stream or a connection: its addresses, and the session through which an older client is told."""

    uris: set[str] = field(default_factory=set)
    session: ServerSession | None = None


@dataclass
class Watchers:
    """Who listens to which address, what was there at the last look, and the task that looks."""

    server: ChatServer
    session: Session
    listeners: dict[int, Listener] = field(default_factory=dict)
    seen: dict[Watched, str | None] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None

    def wanted(self) -> dict[Watched, set[str]]:
        """What somebody listens to, and by which addresses."""
        found: dict[Watched, set[str]] = {}
        for uri in {uri for one in self.listeners.values() for uri in one.uris}:
            if not self.server.fixed(uri):
                found.setdefault(watched(uri), set()).add(uri)
        return found

    async def listen(self, key: int, uris: Iterable[str], session: ServerSession | None = None) -> None:
        """Let a stream or a connection hear of these addresses; each change after this returns is told.

        Raises:
            MCPError: an address is none that can be watched, or there are too many.
        """
        more = set(uris)
        about = {watched(uri) for uri in more if not self.server.fixed(uri)}
        listener = self.listeners.get(key, Listener())
        if len(listener.uris | more) > MOST_ADDRESSES or len({*self.wanted(), *about}) > MOST_WATCHED:
            raise refused(f"up to {MOST_ADDRESSES} addresses can be watched at once", "input.too_many")
        listener.uris |= more
        listener.session = session
        self.listeners[key] = listener
        for one in about - set(self.seen):
            await self._look(one)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._follow())

    def leave(self, key: int, uri: str | None = None) -> None:
        """Tell a stream or a connection of this address no more, or of none."""
        listener = self.listeners.get(key, Listener())
        listener.uris = listener.uris - {uri} if uri is not None else set()
        if not listener.uris:
            self.listeners.pop(key, None)

    async def _follow(self) -> None:
        """Look, and tell of changes, until nobody listens."""
        while wanted := self.wanted():
            self.seen = {one: known for one, known in self.seen.items() if one in wanted}
            for one, uris in wanted.items():
                if await self._look(one):
                    await self._tell(uris)
            await asyncio.sleep(LOOK_SECONDS)
        self.seen = {}

    async def _look(self, what: Watched) -> bool:
        """Whether it changed since the last look; the first look only remembers, and one that fails is tried again."""
        try:
            now = await state(await self.session.services(), what)
        except Exception as error:  # Redis is away, or this one cannot be read: the others are looked at all the same
            log.info("a watched %s cannot be looked at: %s", what.kind, type(error).__name__)
            return False
        changed = what in self.seen and self.seen[what] != now
        self.seen[what] = now
        if changed and what.kind == "run":
            self.session.forget(what.name)
        return changed

    async def _tell(self, uris: set[str]) -> None:
        for uri in sorted(uris):
            await self.server.bus.publish(ResourceUpdated(uri=uri))
            older = [(key, one) for key, one in self.listeners.items() if one.session is not None and uri in one.uris]
            await asyncio.gather(*(self._tell_older(key, one, uri) for key, one in older))

    async def _tell_older(self, key: int, listener: Listener, uri: str) -> None:
        """Tell one connection; one that does not take it in five seconds, or hung up, is told no more."""
        assert listener.session is not None
        try:
            async with asyncio.timeout(TOLD_SECONDS):
                await listener.session.send_resource_updated(uri)
        except Exception as error:  # one client that hung up must not silence the others
            log.info("a subscriber is gone: %s", type(error).__name__)
            self.leave(key)

    async def end(self) -> None:
        """Stop looking."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self.listeners.clear()


def register(server: ChatServer, session: Session) -> Watchers:
    """Serve subscriptions of both revisions."""
    watchers = Watchers(server, session)

    async def listening(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method != "subscriptions/listen":
            return await call_next(ctx)
        try:
            await watchers.listen(id(ctx), _addresses(ctx.params))
            return await call_next(ctx)
        finally:
            watchers.leave(id(ctx))

    async def subscribe(ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        connection = connection_of(ctx.session)
        _leave_at_end(watchers, connection)
        await watchers.listen(id(connection), [str(params.uri)], ctx.session)
        return EmptyResult()

    async def unsubscribe(ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        watchers.leave(id(connection_of(ctx.session)), str(params.uri))
        return EmptyResult()

    server.middleware.append(listening)
    low = server._lowlevel_server  # the SDK's own way to serve the older revision's two methods
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
    return watchers


def _leave_at_end(watchers: Watchers, connection: Connection) -> None:
    """Forget a connection when it ends: the client hung up, deleted its session or was idle; once per connection."""
    if "neuroloom.watching" not in connection.state:
        connection.state["neuroloom.watching"] = True
        connection.exit_stack.callback(watchers.leave, id(connection))


def _addresses(params: Mapping[str, Any] | None) -> list[str]:
    """The addresses of a `subscriptions/listen` request; one that is malformed the SDK refuses."""
    notifications = (params or {}).get("notifications")
    named = notifications.get("resourceSubscriptions") if isinstance(notifications, Mapping) else None
    return [uri for uri in named if isinstance(uri, str)] if isinstance(named, list) else []


@asynccontextmanager
async def living(watchers: Watchers) -> AsyncIterator[Watchers]:
    """The watchers' life: they end with the server."""
    try:
        yield watchers
    finally:
        await watchers.end()
