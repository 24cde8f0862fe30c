"""The tool that looks at this machine."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult

from mcp_server.replies import reply
from mcp_server.session import session_of
from mcp_server.tool import ToolInfo


async def doctor(ctx: Context[Any, Any]) -> CallToolResult:
    """What works on this machine, what does not, and the fix."""
    from app.doctor import examine

    found = await asyncio.to_thread(examine, session_of(ctx).settings)
    healthy = all(one.ok for one in found if one.needed)
    rows = [one.as_dict() for one in found if not one.ok]
    fine = [one.name for one in found if one.ok]
    lines = [
        f"{'NEEDED' if one['needed'] else 'optional'} {one['name']}: {one['found']} -> {one['fix']}" for one in rows
    ]
    words = "\n".join(
        ["ready" if healthy else "something that runs need does not work", *lines, f"fine: {', '.join(fine)}"]
    )
    return reply({"ok": healthy, "problems": rows, "fine": fine}, words, next="" if healthy else "apply the fixes")


TOOLS = (ToolInfo(doctor, "Check this machine", {"ok": "boolean", "problems": "array"}, reads=True),)
