"""Tools on the shared neural/* memory."""

from __future__ import annotations

import json
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from mcp_server.replies import reply
from mcp_server.session import DOOR, session_of
from mcp_server.tool import ToolInfo
from mcp_server.words import Run

Key = Annotated[str, Field(min_length=1, max_length=220)]
MOST_BYTES = 64_000


async def memory_get(ctx: Context[Any, Any], key: Key | None = None, run: Run = "latest") -> CallToolResult:
    """A value of the run's memory, such as training-metrics or neural/architecture; without key: the names."""
    session = session_of(ctx)
    services = await session.services()
    if key is None:
        names = list(await services.notes.list(run))
        return reply({"keys": names}, "\n".join(names) or "no key yet", next=f'memory_get(run="{run}", key=…)')
    found = await services.notes.get(run, key, envelope=True)
    name = key.removeprefix("neural/")
    asserted = (found.get("provenance") or {}).get("kind") == "asserted"
    view = None if asserted else await session.look(run)
    privacy = await session.privacy(view)
    value = privacy.memory(f"asserted/{name.removeprefix('asserted/')}" if asserted else name, found["value"])
    kind = "asserted by a person, neither measured nor decided" if asserted else "measured or decided by the run"
    document = {
        "key": name,
        "value": value,
        "version": found["version"],
        "written_by": found["written_by"],
        "kind": kind,
    }
    return reply(document, f"{name} ({kind}):\n{json.dumps(value, ensure_ascii=False, indent=1)}", next="")


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
