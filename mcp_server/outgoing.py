"""What the server sends before its answer (progress, questions, notices), without secrets. Answers are the guard's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mcp.server.session import ServerSession
from pydantic import BaseModel

from mcp_server.redaction import Redactor

if TYPE_CHECKING:
    from mcp.server.connection import Connection

M = TypeVar("M", bound=BaseModel)


class CleanSession(ServerSession):
    """The session of a request, all of whose messages pass a redactor.

    Args:
        session: The one that the MCP library made; this one takes its place, with the same channels.
        redactor: Takes secrets out.
    """

    def __init__(self, session: ServerSession, redactor: Redactor) -> None:
        self.__dict__.update(session.__dict__)
        self._redactor = redactor

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Report progress; the message is cleaned."""
        await super().report_progress(progress, total, None if message is None else self._redactor.text(message))

    async def send_request(self, request: Any, *args: Any, **options: Any) -> Any:
        """Ask the client; the question is cleaned."""
        return await super().send_request(self._clean(request), *args, **options)

    async def send_notification(self, notification: Any, *args: Any, **options: Any) -> None:
        """Tell the client; what is told is cleaned."""
        await super().send_notification(self._clean(notification), *args, **options)

    def _clean(self, message: M) -> M:
        data = message.model_dump(by_alias=True, mode="json", exclude_none=True)
        cleaned = self._redactor.clean(data)
        return message if cleaned is data else type(message).model_validate(cleaned, by_name=False)


def connection_of(session: ServerSession) -> Connection:
    """The connection of a request's session, which outlives the request; the MCP library has no other way to it."""
    return session._connection
