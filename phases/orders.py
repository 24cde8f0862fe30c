"""What people tell a run while it is driven: a cancel ends it at a safe point, steering goes on to its training job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from memory.errors import NeuroloomError
from phases.active_run import ActiveRun
from phases.steering import KEY, orders_for

log = logging.getLogger("neuroloom.runner")
POLL_SECONDS = 0.2


class Orders:
    """The commands to one run, read while a runner drives it.

    Args:
        active: The run with its lease.
        after: Position in its commands after which they are new.
    """

    def __init__(self, active: ActiveRun, after: str) -> None:
        self.active, self.after = active, after
        self.cancels: set[asyncio.Task[None]] = set()
        self._steering: list[dict[str, Any]] | None = None
        self._relayed: tuple[str, int] | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Obey while the block runs."""
        task = asyncio.create_task(self._obey())
        try:
            yield
        finally:
            for one in (task, *self.cancels):
                one.cancel()
            await asyncio.gather(task, *self.cancels, return_exceptions=True)

    async def cancelled_while_parking(self) -> bool:
        """Whether a cancel came while the run parked itself to wait for a person: nobody will read it later."""
        state = await self.active.get("state") or {}
        return state.get("state") == "waiting" and any(one["do"] == "cancel" for one in await self._commands())

    async def relay(self) -> None:
        """Tell the job that runs now every order to it, whenever there are more than it was told by this runner.

        A job obeys each order once, so that what an earlier runner has told it already does no harm.
        """
        job, jobs = self.active.current_job, self.active.jobs
        if job is None or jobs is None:
            return
        if self._steering is None:
            self._steering = list(await self.active.get(KEY) or [])
        mine = orders_for(self._steering, job)
        if mine and (job, len(mine)) != self._relayed:
            await jobs.control(job, {"orders": mine})
            self._relayed = (job, len(mine))

    async def _commands(self) -> list[dict[str, Any]]:
        found = await self.active.memory.controls(self.active.id, self.after)
        self.after = found[-1][0] if found else self.after
        return [command for _, command in found]

    async def _obey(self) -> None:
        while True:
            try:
                for command in await self._commands():
                    if command["do"] == "cancel":
                        self.cancels.add(asyncio.create_task(self._cancel(bool(command.get("at_once")))))
                    if command["do"] == "steer":
                        self._steering = None
                await self.relay()
            except (NeuroloomError, OSError):
                log.exception("run %s: its orders cannot be read or passed on now", self.active.id)
            await asyncio.sleep(POLL_SECONDS)

    async def _cancel(self, at_once: bool) -> None:
        for wait in (0.0, 1.0, 5.0):
            await asyncio.sleep(wait)
            try:
                await self.active.cancel(at_once)
                return
            except (NeuroloomError, OSError):
                log.exception("run %s: the cancel did not reach its job", self.active.id)
