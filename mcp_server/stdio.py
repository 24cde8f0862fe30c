"""The server on standard input and output. A line that is no message is answered as JSON-RPC says, never with silence.

The MCP library hands such a line on as an error and answers nothing: a client would wait for its request forever.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from anyio import EndOfStream
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, RequestId
from pydantic import ValidationError

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from mcp.shared._stream_protocols import ReadStream, WriteStream

LARGEST = 2**53
_MEMBER = r'"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"\s*,\s*'
_ID_AHEAD = re.compile(rf'\s*\{{\s*(?:{_MEMBER}){{0,2}}"id"\s*:\s*("[^"\\]*"|-?\d{{1,16}})\s*[,}}]')


async def serve(server: MCPServer[Any]) -> None:
    """Serve the client that started this process until it hangs up."""
    low = server._lowlevel_server  # what the SDK's own `run_stdio_async` runs
    async with stdio_server() as (read, write):
        await low.run(Answering(read, write), write, low.create_initialization_options())


class Answering:
    """The messages of a client; what came instead of one is answered here and goes no further.

    Args:
        read: What the transport reads: messages, and errors for lines that are none.
        write: Where answers go.
    """

    def __init__(self, read: ReadStream[SessionMessage | Exception], write: WriteStream[SessionMessage]) -> None:
        self._read, self._write = read, write

    @property
    def last_context(self) -> Context | None:
        """The context in which the last message was read."""
        found: Context | None = getattr(self._read, "last_context", None)
        return found

    async def receive(self) -> SessionMessage | Exception:
        """The next message."""
        while True:
            item = await self._read.receive()
            answer = _answer(item) if isinstance(item, ValidationError) else None
            if answer is not None:
                await self._write.send(SessionMessage(answer))
            if not isinstance(item, ValidationError):
                return item

    async def aclose(self) -> None:
        """Read no more."""
        await self._read.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def id_of(line: str) -> RequestId | None:
    """The id of a request that cannot be taken as it is, where it can be told for sure."""
    with suppress(ValueError, RecursionError):
        found = json.loads(line)
        return _as_id(found.get("id")) if isinstance(found, dict) else None
    ahead = _ID_AHEAD.match(line)
    return _as_id(json.loads(ahead[1])) if ahead else None


def _answer(error: ValidationError) -> JSONRPCError | None:
    """The answer to a line that is no message; None where none is due: an empty line, an answer of the client's."""
    rows = error.errors(include_url=False, include_context=False)
    if rows[0]["type"] == "json_invalid":
        line = str(rows[0]["input"])
        return _told(PARSE_ERROR, "this line is no JSON that can be read", id_of(line)) if line.strip() else None
    wholes = (row["input"] for row in rows if row["type"] == "missing" and len(row["loc"]) == 2)
    given = next((one for one in wholes if isinstance(one, dict)), {})
    if not {"result", "error"}.isdisjoint(given):
        return None
    return _told(INVALID_REQUEST, "this line is no JSON-RPC 2.0 message", _as_id(given.get("id")))


def _as_id(value: Any) -> RequestId | None:
    """A value that can be the id of an answer: a number or a text that JSON can say."""
    if isinstance(value, str):
        return value if len(value) <= 256 and value.isascii() else None
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST else None


def _told(code: int, message: str, request: RequestId | None) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request, error=ErrorData(code=code, message=message))
