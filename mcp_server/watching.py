"""Subscriptions that fire on change, for both kinds of clients. One watcher a run, only while somebody listens.

Newer clients hold a `subscriptions/listen` stream; older ones call `resources/subscribe` on their session.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp.server.subscriptions import ResourceUpdated
from mcp.types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from mcp_server.session import Session

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from mcp_server.server import ChatServer

log = logging.getLogger("neuroloom.mcp")
OF_RUN = re.compile(r"neural://runs/([^/]+)(?:/.*)?")
BLOCK_MS = 1000
PAUSE_SECONDS = 0.25
MOST_ADDRESSES = 200


@dataclass
class Watchers:
    """Who listens to which address, and the task per run that tells them."""

    server: ChatServer
    session: Session
    streams: dict[int, frozenset[str]] = field(default_factory=dict)
    sessions: dict[str, weakref.WeakSet[Any]] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def wanted(self, run: str) -> set[str]:
        """The addresses of a run that somebody listens to."""
        told = {uri for uris in self.streams.values() for uri in uris}
        told |= {uri for uri, known in self.sessions.items() if len(known)}
        return {uri for uri in told if (found := OF_RUN.fullmatch(uri)) and found[1] == run}

    def watch(self, uris: frozenset[str]) -> None:
        """Make sure that each run among these addresses has a watcher."""
        for run in {found[1] for uri in uris if (found := OF_RUN.fullmatch(uri))}:
            if run not in self.tasks or self.tasks[run].done():
                self.tasks[run] = asyncio.create_task(self._follow(run))

    async def _follow(self, run: str) -> None:
        """Tell of every change until nobody listens or the run is over; a run that cannot be read ends it."""
        from memory.errors import NeuroloomError

        try:
            services = await self.session.services()
            after = f"{int(time.time() * 1000)}"
            while uris := self.wanted(run):
                found = await services.runs.events(run, after, BLOCK_MS)
                if found:
                    after = found[-1][0]
                    self.session.forget(run)
                    await self._tell(uris)
                    await asyncio.sleep(PAUSE_SECONDS)
        except NeuroloomError as error:
            log.warning("run %s is not watched any more: %s", run, error)

    async def _tell(self, uris: set[str]) -> None:
        for uri in sorted(uris):
            await self.server.bus.publish(ResourceUpdated(uri=uri))
            for listener in list(self.sessions.get(uri, ())):
                try:
                    await listener.send_resource_updated(uri)
                except Exception as error:  # one client that hung up must not silence the others
                    log.info("a subscriber of %s is gone: %s", uri, type(error).__name__)
                    self.sessions[uri].discard(listener)

    async def end(self) -> None:
        """Stop every watcher."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


def register(server: ChatServer, session: Session) -> Watchers:
    """Serve subscriptions of both revisions."""
    watchers = Watchers(server, session)

    async def listening(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method != "subscriptions/listen":
            return await call_next(ctx)
        uris = frozenset(_addresses(ctx.params))
        watchers.streams[id(ctx)] = uris
        watchers.watch(uris)
        try:
            return await call_next(ctx)
        finally:
            watchers.streams.pop(id(ctx), None)

    async def subscribe(ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        uri = str(params.uri)
        watchers.sessions.setdefault(uri, weakref.WeakSet()).add(ctx.session)
        watchers.watch(frozenset({uri}))
        return EmptyResult()

    async def unsubscribe(ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        watchers.sessions.get(str(params.uri), weakref.WeakSet()).discard(ctx.session)
        return EmptyResult()

    server.middleware.append(listening)
    low = server._lowlevel_server  # the SDK's own way to serve the older revision's two methods
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
    return watchers


def _addresses(params: Mapping[str, Any] | None) -> list[str]:
    """The addresses of a `subscriptions/listen` request, bounded."""
    notifications = (params or {}).get("notifications") or params or {}
    named = notifications.get("resourceSubscriptions") if isinstance(notifications, Mapping) else None
    return [str(uri) for uri in named or []][:MOST_ADDRESSES] if isinstance(named, list) else []


@asynccontextmanager
async def living(watchers: Watchers) -> AsyncIterator[Watchers]:
    """The watchers' life: they end with the server."""
    try:
        yield watchers
    finally:
        await watchers.end()
