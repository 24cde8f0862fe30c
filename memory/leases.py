"""Leases on runs. A lease keeps nobody out; the epoch in every write does, and only grows."""

from __future__ import annotations

import uuid

from memory import keys, scripts
from memory.records import Lease
from memory.wire import Wire


class Leases:
    """Leases of `milliseconds` on runs."""

    def __init__(self, wire: Wire, milliseconds: int) -> None:
        self.milliseconds = milliseconds
        self._wire = wire

    async def acquire(self, run: str, entry: str = "") -> tuple[Lease, int] | None:
        """The lease and how often queue entry `entry` was handed out; None while another holds the run."""
        owner = uuid.uuid4().hex  # of this attempt: a process that takes its own run again gets a new epoch
        words: list[str | bytes | int | float] = [owner, self.milliseconds, run, entry, GROUP]
        reply = await self._wire.run(scripts.ACQUIRE, [*places(run), keys.QUEUED], words)
        return (Lease(run, owner, int(reply[0])), int(reply[1])) if reply else None

    async def release(self, lease: Lease) -> None:
        """Give the lease up; nothing happens when it is not ours any more."""
        await self._wire.run(scripts.RELEASE, places(lease.run)[:1], [lease.owner, lease.epoch])

    async def holds(self, runs: list[str]) -> list[bool]:
        """Whether each run is leased to somebody now."""
        return [bool(await self._wire.do("EXISTS", keys.internal(run, "lease"))) for run in runs]


GROUP = "runners"


def places(run: str) -> list[str]:
    """Keys of a run's lease, of its epoch and of the queue, in the order that the scripts take."""
    return [keys.internal(run, "lease"), keys.internal(run, "epoch"), keys.QUEUE]
