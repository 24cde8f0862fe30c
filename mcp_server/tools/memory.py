"""Tools on the shared neural/* memory."""

from __future__ import annotations

import json
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from mcp_server import details
from mcp_server.replies import reply
from mcp_server.session import DOOR, session_of
from mcp_server.tool import ToolInfo
from mcp_server.words import Run
from phases.privacy.words import fenced

Key = Annotated[str, Field(min_length=1, max_length=220)]
MOST_BYTES = 64_000


async def memory_get(ctx: Context[Any, Any], key: Key | None = None, run: Run = "latest") -> CallToolResult:
    """A value of the run's memory, such as training-metrics or neural/architecture; without key: the names."""
    session = session_of(ctx)
    services = await session.services()
    if key is None:
        names = list(await services.notes.list(run))
        return reply({"keys": names}, "\n".join(names) or "no key yet", next=f'memory_get(run="{run}", key=…)')
    found = await details.remembered(session, run, key)
    told = fenced(json.dumps(found["value"], ensure_ascii=False, indent=1), details.LONGEST)
    return reply(found, f"{found['key']} ({found['kind']}):\n{told}", next="")


async def memory_set(ctx: Context[Any, Any], key: Key, value: Any, run: Run = "latest") -> CallToolResult:
    """Keep a value as asserted: shown as such, never used by a gate, a report or a comparison."""
    from memory.errors import InputError

    session = session_of(ctx)
    services = await session.services()
    if len(json.dumps(value, ensure_ascii=False).encode()) > MOST_BYTES:
        raise InputError(f"the value is over {MOST_BYTES} bytes", code="input.too_large", field="value")
    written = await services.notes.set(
        key.removeprefix("neural/"), value, run=None if run == "latest" else run, by=DOOR
    )
    return reply({"key": written, "kind": "asserted"}, f"kept as asserted: {written}", next=f'memory_get(key="{key}")')


TOOLS = (
    ToolInfo(
        memory_get,
        "Read memory",
        {"key": "string", "keys": "array"},
        reads=True,
        aliases={"name": "key", "run_id": "run"},
    ),
    ToolInfo(memory_set, "Write memory", {"key": "string"}, repeats=True, aliases={"name": "key", "run_id": "run"}),
)
