"""`Memory`: all that doors and runners do with shared state, over one connection. Each noun has a module.

Open it with `open_memory`. Importing this module does not import LangGraph; `Memory.saver` does, when called.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Unpack

from memory.events import Stream
from memory.keys import new_run_id
from memory.leases import Leases
from memory.records import Envelope, Lease, MemorySettings, Patience, Taken, WriteOnce, WriteOptions
from memory.run_queue import RunQueue
from memory.schema import check_schema
from memory.values import Values
from memory.wire import Wire

if TYPE_CHECKING:
    from memory.checkpoints import PlainRedisSaver

__all__ = ["Envelope", "Lease", "Memory", "MemorySettings", "Patience", "Taken", "new_run_id", "open_memory"]

EVENTS_KEPT = 20_000
COMMANDS_KEPT = 1_000


@asynccontextmanager
async def open_memory(settings: MemorySettings, patience: Patience) -> AsyncIterator[Memory]:
    """Memory, opened as a door (gives up within a second) or as a runner (rides an outage out).

    Raises:
        RedisAway: A configured Redis does not answer, or the embedded one cannot be started.
        SchemaRefused: The state was written by a newer Neuroloom.
        InputError: `input.redis_url`: the address cannot be used.
    """
    memory = Memory(settings, patience)
    try:
        await memory.check()
        yield memory
    finally:
        await memory.close()


class Memory:
    """Shared state of all runs. Methods raise `RedisAway` when there is no usable answer in time.

    A method that takes a `lease` compares its epoch inside Redis and raises `StaleEpoch` when the run was
    taken over.
    """

    def __init__(self, settings: MemorySettings, patience: Patience) -> None:
        self.settings = settings
        self._wire = Wire(settings, patience)
        self._binary: Wire | None = None
        self._values = Values(self._wire)
        self._leases = Leases(self._wire, int(settings.lease_seconds * 1000))
        self._queue = RunQueue(self._wire, self._leases)
        self._events = Stream(self._wire, "events", "event-ids", EVENTS_KEPT)
        self._control = Stream(self._wire, "control", "control-ids", COMMANDS_KEPT)

    async def check(self) -> None:
        """Find the server (start the embedded one if it is dead) and compare the schema of what it holds."""
        await check_schema(self._wire)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()
        if self._binary is not None:
            await self._binary.close()

    async def ping(self) -> float:
        """Seconds that the server takes to answer."""
        began = time.perf_counter()
        await self._wire.do("PING")
        return time.perf_counter() - began

    async def get(self, run: str, name: str) -> Envelope | None:
        """The envelope of a value; None when it was never written. A claim is never found here."""
        return await self._values.get(run, name)

    async def put(self, run: str, name: str, value: Any, *, by: str, **options: Unpack[WriteOptions]) -> Envelope:
        """Write a value; options: `expected`, `lease`, `provenance`, `write_id` (see `WriteOptions`).

        Raises:
            MemoryConflict: `expected` was given and another version stands there.
            AssertedOnly: The provenance says that it is a claim.
            UsageError: The value is not JSON, or the name is none.
        """
        return await self._values.put(run, name, value, by, options)

    async def append(
        self, run: str, name: str, item: Any, *, by: str, write_id: str, lease: Lease | None = None
    ) -> int:
        """Add an item to a list-valued key, once per `write_id`; returns the length after that write."""
        return await self._values.append(lease, run, name, item, by, write_id)

    async def names(self, run: str) -> list[str]:
        """Names of the run's values, sorted."""
        return await self._values.names(run)

    async def emit(self, run: str, event: dict[str, Any], *, event_id: str, lease: Lease | None = None) -> None:
        """Add an event to the run's stream, once per `event_id`."""
        await self._events.add(run, event, event_id, lease)

    async def events(
        self, run: str, after: str = "0", count: int = 500, block_ms: int = 0
    ) -> list[tuple[str, dict[str, Any]]]:
        """Events after stream id `after`, oldest first, waiting up to `block_ms` for the first."""
        return await self._events.read(run, after, count, block_ms)

    async def newest_event(self, run: str) -> str | None:
        """Stream id of the newest event; None before the first."""
        return await self._events.newest(run)

    async def control(self, run: str, command: dict[str, Any], *, command_id: str) -> None:
        """Send the run's runner a command such as `{"do": "cancel"}`, once per `command_id`."""
        await self._control.add(run, command, command_id, None)

    async def controls(self, run: str, after: str = "0", block_ms: int = 0) -> list[tuple[str, dict[str, Any]]]:
        """Commands to the run's runner after stream id `after`, oldest first."""
        return await self._control.read(run, after, COMMANDS_KEPT, block_ms)

    async def assert_value(
        self, workspace: str, run: str | None, name: str, value: Any, *, by: str, **once: Unpack[WriteOnce]
    ) -> str:
        """Keep what a person or a tool claims, apart from values; returns its physical key.

        Without a run it is kept for the workspace and moves into its next run. With a `write_id` the same write,
        repeated, changes nothing.
        """
        return await self._values.claim((workspace, run), name, value, by, once.get("write_id"))

    async def asserted(self, workspace: str, run: str | None) -> dict[str, Envelope]:
        """Claims by name, with `provenance.kind` = `asserted`."""
        return await self._values.claims(workspace, run)

    async def enqueue(self, run: str, request: dict[str, Any], workspace: str) -> bool:
        """Record a new run and queue it, in one step; False when that was done before."""
        return await self._queue.enqueue(run, request, workspace)

    async def requeue(self, run: str) -> None:
        """Queue a run again, after an answer or for a resume."""
        await self._queue.requeue(run)

    async def wake(self, run: str, state: dict[str, Any], *, expected: int, by: str) -> int:
        """Write the run's `state` and queue the run, in one step; returns the state's new version.

        Raises:
            MemoryConflict: The state has another version by now: what the door saw is no longer true.
        """
        return await self._queue.wake(run, state, expected, by)

    async def take(self, consumer: str, block_ms: int = 1000) -> Taken | None:
        """A run to work on, with its lease; None when there is none within `block_ms`."""
        return await self._queue.take(consumer, block_ms)

    async def keep(self, taken: Taken) -> bool:
        """One heartbeat (every third of a lease); False when the run was lost."""
        return await self._queue.keep(taken)

    async def done(self, taken: Taken) -> None:
        """The run needs no runner any more (ended, or waits for a person)."""
        await self._queue.done(taken)

    async def give_back(self, taken: Taken) -> None:
        """Leave the run unfinished for another runner, who can take it at once."""
        await self._queue.give_back(taken)

    async def leave(self, consumer: str) -> None:
        """A runner's good-bye: its name is forgotten when it holds no run."""
        await self._queue.leave(consumer)

    async def acquire(self, run: str) -> Lease | None:
        """The lease of a run outside the queue; None while another holds it."""
        got = await self._leases.acquire(run)
        return got[0] if got else None

    async def release(self, lease: Lease) -> None:
        """Give a lease up; its queue entry stays."""
        await self._leases.release(lease)

    async def queue(self) -> list[dict[str, Any]]:
        """The queue in order: `{run, position, taken, lease_alive}`; position 1 is next, 0 is taken."""
        return await self._queue.rows()

    async def runs(self, workspace: str | None = None, limit: int = 100, offset: int = 0) -> list[str]:
        """Ids of the newest runs after the first `offset`, newest first, of one workspace or of all."""
        return await self._queue.runs(workspace, limit, offset)

    async def delete_run(self, run: str, workspace: str) -> None:
        """Delete everything about a run; a runner that still has it is refused at its next write."""
        await self._queue.forget(run, workspace)

    def saver(self, lease: Lease | None) -> PlainRedisSaver:
        """LangGraph checkpoints of runs, fenced by the lease's epoch."""
        from memory.checkpoints import PlainRedisSaver  # imports LangGraph: about a second, runners only

        if self._binary is None:
            self._binary = Wire(self.settings, self._wire.patience, decode=False)
        return PlainRedisSaver(self._binary, lease)
