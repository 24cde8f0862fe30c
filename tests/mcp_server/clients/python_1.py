"""The Python SDK's client, version 1, in an environment of its own: a request a line in, its outcome a line out.

It shows no forms, so that a question of a run is answered with `run_approve`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from datetime import timedelta
from typing import Any

SDK: Any = importlib.import_module("mcp")
STDIO: Any = importlib.import_module("mcp.client.stdio")


async def answered(session: Any, method: str, params: dict[str, Any], progress: list[str]) -> Any:
    """Do one request."""

    async def told(_done: float, _total: float | None, message: str | None) -> None:
        progress.append(message or "")

    if method == "tools/call":
        more = {"read_timeout_seconds": timedelta(seconds=120), "progress_callback": told}
        return await session.call_tool(params["name"], params["arguments"], **more)
    if method == "resources/read":
        return await session.read_resource(params["uri"])
    if method == "prompts/get":
        return await session.get_prompt(params["name"], params["arguments"])
    return await session.list_tools()


async def main() -> None:
    """Connect, then serve lines until standard input ends."""
    server = SDK.StdioServerParameters(**json.loads(sys.argv[1])["server"])
    async with STDIO.stdio_client(server) as (read, write), SDK.ClientSession(read, write) as session:
        await session.initialize()
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked, progress = json.loads(line), list[str]()
            try:
                found = await answered(session, asked["method"], asked["params"], progress)
                outcome = {"result": found.model_dump(mode="json", by_alias=True, exclude_none=True)}
            except Exception as error:  # told to the test, whatever it is
                outcome = {"error": repr(error)}
            sys.stdout.write(json.dumps({**outcome, "progress": progress, "asked": []}) + "\n")
            sys.stdout.flush()


asyncio.run(main())
