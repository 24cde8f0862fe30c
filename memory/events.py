"""A run's streams: events for whoever watches, commands back to its runner. Each entry exists once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from memory import keys, scripts
from memory.records import Lease
from memory.values import fence, to_json, written
from memory.wire import Wire


class Stream:
    """A stream per run, `neural/<run>/<name>`; beyond about `bound` entries the oldest are dropped."""

    def __init__(self, wire: Wire, name: str, ids: str, bound: int) -> None:
        self._wire, self._name, self._ids, self._bound = wire, name, ids, bound

    async def add(self, run: str, entry: dict[str, Any], entry_id: str, lease: Lease | None) -> None:
        """Add an entry; with an id that was added before, nothing happens."""
        epoch_key, epoch = fence(run, lease)
        places = [epoch_key, keys.internal(run, self._name), keys.internal(run, self._ids)]
        text = to_json(entry, f"an entry of {self._name!r}")
        written(
            await self._wire.run(scripts.EMIT, places, [epoch, entry_id, self._bound, text]),
            run,
            repr(entry_id),
        )

    async def read(self, run: str, after: str, count: int, block_ms: int) -> list[tuple[str, dict[str, Any]]]:
        """Up to `count` entries after stream id `after`, waiting up to `block_ms` for the first one."""
        key = keys.internal(run, self._name)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + block_ms / 1000
        while True:
            left = min(int((deadline - loop.time()) * 1000), self._wire.block_ms)
            wait: tuple[str | int, ...] = ("BLOCK", left) if left > 0 else ()
            reply = await self._wire.do("XREAD", "COUNT", count, *wait, "STREAMS", key, after)
            if reply or left <= 0:
                return [(entry, json.loads(fields["event"])) for _, rows in reply or [] for entry, fields in rows]

    async def newest(self, run: str) -> str | None:
        """Stream id of the newest entry; None before the first."""
        reply = await self._wire.do("XREVRANGE", keys.internal(run, self._name), "+", "-", "COUNT", 1)
        return str(reply[0][0]) if reply else None
