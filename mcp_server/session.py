"""What every call of a chat needs: settings, services opened on first use, the level of privacy. One per server.

The memory is opened by the first call that needs it, so that a client has its list of tools before Redis is looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context
    from mcp.types import CallToolResult

    from app.services import Services
    from app.settings import Settings
    from phases.privacy.privacy import Privacy
    from phases.views import RunView

FRESH_SECONDS = 0.2
MOST_SHOWN = 63
DOOR = "mcp"


class Session:
    """The open services of one server process.

    Attributes:
        settings: All settings, read once when the server starts.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._services: Services | None = None
        self._looks: dict[str, tuple[float, asyncio.Task[RunView]]] = {}
        self._shown: dict[str, tuple[RunView, dict[str, Any]]] = {}
        self._told: dict[str, tuple[RunView, CallToolResult]] = {}

    @asynccontextmanager
    async def living(self) -> AsyncIterator[Session]:
        """The server's life: what was opened in it is closed at its end."""
        try:
            yield self
        finally:
            looks, self._looks = [look for _, look in self._looks.values()], {}
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)
            await self._stack.aclose()

    async def services(self) -> Services:
        """The services, on an open memory.

        Raises:
            RedisAway: Redis does not answer within a second; the next call tries again.
        """
        async with self._opening:
            if self._services is None:
                from app.wiring import open_services

                self._services = await self._stack.enter_async_context(open_services(self.settings, confined=True))
            return self._services

    async def look(self, run: str) -> RunView:
        """The run as it is now; many clients that ask at once share one look, at most 0.2 s old."""
        started, look = self._looks.get(run, (0.0, None))
        if look is None or (look.done() and (time.monotonic() - started > FRESH_SECONDS or look.exception())):
            services = await self.services()
            look = asyncio.ensure_future(services.runs.get(run))
            self._looks = {key: kept for key, kept in self._looks.items() if not kept[1].done() or _young(kept[0])}
            self._looks[run] = (time.monotonic(), look)
        return await asyncio.shield(look)

    def forget(self, run: str) -> None:
        """A change was made: the next look is a new one."""
        self._looks.pop(run, None)
        self._looks.pop("latest", None)

    async def shown(self, view: RunView) -> dict[str, Any]:
        """The run's document after privacy, made once for each look at the run; it is read, never changed."""
        seen, document = self._shown.get(view.run_id, (None, {}))
        if seen is not view:
            document = (await self.privacy(view)).run(view)
            self._shown = {**dict(list(self._shown.items())[-MOST_SHOWN:]), view.run_id: (view, document)}
        return document

    async def told(self, view: RunView, tell: Callable[[RunView, dict[str, Any]], CallToolResult]) -> CallToolResult:
        """What is told of the run, made once for each look: many clients that ask at once get the same answer."""
        seen, answer = self._told.get(view.run_id, (None, None))
        if seen is not view or answer is None:
            answer = tell(view, await self.shown(view))
            self._told = {**dict(list(self._told.items())[-MOST_SHOWN:]), view.run_id: (view, answer)}
        return answer

    async def privacy(self, view: RunView | None = None) -> Privacy:
        """What may leave through this door, with the names that this run makes known."""
        services = await self.services()
        if view is None:
            return services.guard.plain()
        said = [word for word in (view.data, view.target, view.goal) if word]
        return await services.guard.of(view.run_id, *said)

    async def privacy_of_call(self, arguments: Mapping[str, Any]) -> Privacy:
        """What an error of this call may quote: what the caller said itself, and the names that its run makes known."""
        from memory.errors import NeuroloomError
        from phases.privacy.privacy import Privacy

        run = arguments.get("run") or arguments.get("model")
        try:
            known = await self.privacy(await self.meant(run) if isinstance(run, str) else None)
        except NeuroloomError:
            known = (await self.services()).guard.plain() if self._services else Privacy(self.settings.privacy.level)
        return known.knowing(*_said(arguments))

    async def meant(self, name: str) -> RunView:
        """The run that is called that, or whose model the deployment of that name serves."""
        served = await (await self.services()).deployments.list()
        return await self.look(next((one.run_id for one in served if one.name == name and one.run_id), name))

    async def report(self, view: RunView) -> str:
        """The run's report for a chat, in Markdown, made from what may leave."""
        from phases.privacy.privacy import REPORT_KEYS

        services = await self.services()
        there = set(await services.notes.list(view.run_id))
        names = [name for name in REPORT_KEYS if name in there]
        documents = {name: await services.notes.get(view.run_id, name) for name in names}
        return (await self.privacy(view)).report(view, documents)


def _young(since: float) -> bool:
    return time.monotonic() - since <= FRESH_SECONDS


def session_of(ctx: Context[Any, Any]) -> Session:
    """The session behind a call."""
    found = ctx.request_context.lifespan_context
    if not isinstance(found, Session):
        raise TypeError("this server was not built by mcp_server.server.build")
    return found


def _said(value: Any, most: int = 500) -> list[str]:
    """The words in the arguments of a call: keys and texts, wherever they stand."""
    if isinstance(value, str):
        return [value]
    inner = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
    if not isinstance(inner, list | tuple):
        return []
    return [word for one in inner[:most] for word in _said(one, most // 2)][:most]
