"""Unfinished runs in a Redis stream: the stream wakes runners, the lease says who works, the epoch who may
write.

A dead runner's entries are claimed by the others once they have been silent for a lease. Not called `queue`,
which would shadow the standard library's module where this folder is on the path.
"""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from memory import keys, scripts
from memory.errors import RunError, StaleEpoch
from memory.leases import GROUP, Leases, places
from memory.records import Taken
from memory.values import now, to_json, written
from memory.wire import Wire


class RunQueue:
    """The queue `neural/queue` and the indexes of runs."""

    def __init__(self, wire: Wire, leases: Leases) -> None:
        self._wire, self._leases = wire, leases

    async def enqueue(self, run: str, request: dict[str, Any], workspace: str) -> bool:
        """Record a new run's request, index it and queue it; False when that was done before."""
        names = [
            keys.value(run, "request"), keys.internal(run, "names"), keys.QUEUE, keys.QUEUED, keys.RUNS,
            keys.workspace_runs(workspace), keys.asserted_area(workspace, None), keys.asserted_area(workspace,
            run),
        ]  # fmt: skip
        return bool(await self._wire.run(scripts.ENQUEUE, names, [run, to_json(request, "the request"), "door", now()]))

    async def requeue(self, run: str) -> None:
        """Queue a known run again, unless it waits there already."""
        names = [keys.QUEUE, keys.QUEUED, keys.value(run, "request")]
        if await self._wire.run(scripts.REQUEUE, names, [run]) == -1:
            raise RunError(f"there is no run {run!r} to go on with", code="run.not_found", field="run")

    async def wake(self, run: str, state: dict[str, Any], expected: int, by: str) -> int:
        """Write the run's state and queue it in one step; returns the state's new version."""
        names = [
            keys.value(run, "state"), keys.internal(run, "names"), keys.QUEUE, keys.QUEUED, keys.internal(run, "lease"),
        ]  # fmt: skip
        words: list[str | bytes | int | float] = [run, expected, to_json(state, "the state"), by, now()]
        return int(written(await self._wire.run(scripts.WAKE, names, words), run, "'state'")[0])

    async def take(self, consumer: str, block_ms: int) -> Taken | None:
        """A run whose runner went silent, else a new one; None when there is neither within `block_ms`."""
        try:
            rows = await self._next(consumer, block_ms)
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._make_group()
            rows = await self._next(consumer, block_ms)
        for entry, fields in rows:
            if fields and (got := await self._leases.acquire(fields["run"], entry)):
                return Taken(entry, got[0], got[1], consumer)
        return None  # leased to another: it stays pending and is claimed again once idle

    async def keep(self, taken: Taken) -> bool:
        """One heartbeat: the lease renewed, the entry's idle time reset; False when the run was lost."""
        lease = taken.lease
        words: list[str | bytes | int | float] = [lease.owner, self._leases.milliseconds, lease.epoch]
        return bool(await self._wire.run(scripts.KEEP, places(lease.run), [*words, taken.entry, GROUP, taken.consumer]))

    async def done(self, taken: Taken) -> None:
        """Take the run off the queue for good and release its lease."""
        lease = taken.lease
        words: list[str | bytes | int | float] = [lease.owner, lease.epoch, taken.entry, GROUP, lease.run]
        names = [*places(lease.run), keys.value(lease.run, "state"), keys.QUEUED]
        if not await self._wire.run(scripts.DONE, names, words):
            raise StaleEpoch(f"run {lease.run!r} was taken over: it stays in the queue for its new runner")

    async def give_back(self, taken: Taken) -> None:
        """Release the run unfinished, so that another runner can take it at once."""
        lease, idle = taken.lease, self._leases.milliseconds + 1
        words: list[str | bytes | int | float] = [
            lease.owner,
            lease.epoch,
            taken.entry,
            GROUP,
            taken.consumer,
            idle,
        ]
        await self._wire.run(scripts.GIVE_BACK, places(lease.run), words)

    async def leave(self, consumer: str) -> None:
        """Forget a consumer that holds nothing."""
        if await self._wire.do("EXISTS", keys.QUEUE):
            await self._make_group()
            await self._wire.run(scripts.LEAVE, [keys.QUEUE], [GROUP, consumer])

    async def rows(self) -> list[dict[str, Any]]:
        """The queue in order: run, position (1 = next; 0 = taken), taken, lease_alive."""
        entries = await self._wire.do("XRANGE", keys.QUEUE, "-", "+")
        untaken = set(await self._wire.do("HVALS", keys.QUEUED))
        runs = list(dict.fromkeys(fields["run"] for _, fields in entries))
        waiting = {fields["run"] for entry, fields in entries if entry in untaken}
        alive = dict(zip(runs, await self._leases.holds(runs), strict=True))
        line = [run for run in runs if run in waiting and not alive[run]]
        return [
            {"run": run, "position": line.index(run) + 1 if run in line else 0, "taken": run not in line,
             "lease_alive": alive[run]}
            for run in runs
        ]  # fmt: skip

    async def runs(self, workspace: str | None, limit: int, offset: int) -> list[str]:
        """Ids of the newest runs after the first `offset`, newest first, of one workspace or of all."""
        index = keys.workspace_runs(workspace) if workspace else keys.RUNS
        return list(await self._wire.do("ZREVRANGE", index, offset, offset + limit - 1))

    async def forget(self, run: str, workspace: str) -> None:
        """Delete everything about a run; a runner that still has it is refused at its next write."""
        index = [keys.QUEUE, keys.QUEUED, keys.RUNS, keys.workspace_runs(workspace), keys.THREADS]
        await self._wire.run(scripts.FORGET, [*index, keys.internal(run, "epoch")], [run, GROUP])
        cursor = "0"
        while True:
            cursor, found = await self._wire.do("SCAN", cursor, "MATCH", keys.internal(run, "*"), "COUNT", 1000)
            if found:
                await self._wire.do("UNLINK", *found)
            if int(cursor) == 0:
                return

    async def _next(self, consumer: str, block_ms: int) -> list[tuple[str, dict[str, str] | None]]:
        idle = self._leases.milliseconds
        claimed = await self._wire.do("XAUTOCLAIM", keys.QUEUE, GROUP, consumer, idle, "0-0", "COUNT", 1)
        if claimed[1]:
            return list(claimed[1])
        block = max(1, min(block_ms, self._wire.block_ms))
        reply = await self._wire.do(
            "XREADGROUP", "GROUP", GROUP, consumer, "COUNT", 1, "BLOCK", block, "STREAMS", keys.QUEUE, ">"
        )
        return list(reply[0][1]) if reply else []

    async def _make_group(self) -> None:
        try:
            await self._wire.do("XGROUP CREATE", keys.QUEUE, GROUP, "0", "MKSTREAM")
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
