"""The runner: takes runs from the queue under a lease, drives their graphs, and lets go when another one may go on.

One process drives several runs. It outlives every door, is killed without loss, and leaves when there is no work.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from agents.reasoners.protocol import Reasoner
from memory.errors import GateRejected, JobError, NeuroloomError, StaleEpoch
from memory.store import Memory, Taken, open_memory
from phases import deploy, fresh_phases
from phases.active_run import ActiveRun, RunCancelled, WaitsForPerson
from phases.clock import now
from phases.graph import drive
from phases.lock import only_one
from phases.recipe import load_recipe
from phases.report import write_report
from phases.request import RunRequest
from phases.settings import RunnerSettings
from phases.views import ENDED

log = logging.getLogger("neuroloom.runner")
MAX_DELIVERIES = 25
POLL_SECONDS = 0.2


class Runner:
    """Drives up to `runs_at_once` runs of one memory."""

    def __init__(self, memory: Memory, settings: RunnerSettings, reasoner: Reasoner) -> None:
        self.memory, self.settings, self.reasoner = memory, settings, reasoner
        self.consumer = f"runner-{os.getpid()}-{time.time_ns()}"
        self.tasks: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()

    async def serve(self) -> None:
        """Take and drive runs until told to stop or idle for `idle_seconds`."""
        idle_since = time.monotonic()
        while not self.stopping.is_set():
            if len(self.tasks) >= self.settings.runs_at_once:
                await asyncio.wait(self.tasks, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                continue
            taken = await self.memory.take(self.consumer, block_ms=200)
            if taken is not None:
                task = asyncio.create_task(self._one(taken))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            if taken is not None or self.tasks or await self.memory.queue():
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > self.settings.idle_seconds:
                break
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _one(self, taken: Taken) -> None:
        run = taken.lease.run
        main = asyncio.create_task(self._drive(taken))
        heart = asyncio.create_task(self._keep(taken, main))
        try:
            await main
            await self.memory.done(taken)
        except StaleEpoch:
            log.warning("run %s was taken over by another runner", run)
        except asyncio.CancelledError:
            main.cancel()
            await asyncio.gather(main, return_exceptions=True)
            with suppress(NeuroloomError):
                await self.memory.give_back(taken)
        except Exception:
            log.exception("run %s: the runner could not write its end; another try follows", run)
            with suppress(NeuroloomError):
                await self.memory.give_back(taken)
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)

    async def _keep(self, taken: Taken, main: asyncio.Task[None]) -> None:
        while await self.memory.keep(taken):  # noqa: ASYNC110 - a heartbeat has no event to wait for
            await asyncio.sleep(self.settings.memory.lease_seconds / 3)
        main.cancel()

    async def _drive(self, taken: Taken) -> None:
        run = taken.lease.run
        state = await self.memory.get(run, "state")
        if state is not None and state.value["state"] in ENDED | {"waiting"}:
            return
        envelope = await self.memory.get(run, "request")
        if envelope is None:
            log.error("run %s is in the queue and has no request", run)
            return
        request = RunRequest.model_validate(envelope.value)
        active = ActiveRun(run, self.memory, taken.lease, request, self.settings, self.reasoner, seed=request.seed)
        known = state.value if state else {}
        active.restart = bool(known.get("restart"))
        async with self._listening(active, known.get("controls_after", "0")):
            await finish(active, taken.deliveries)

    @asynccontextmanager
    async def _listening(self, active: ActiveRun, after: str) -> AsyncIterator[None]:
        task = asyncio.create_task(_obey(active, after))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _obey(active: ActiveRun, after: str) -> None:
    """Relay what people tell the run: cancel ends it at a safe point, steering goes to the job's back-channel."""
    while True:
        for position, command in await active.memory.controls(active.id, after):
            after = position
            if command["do"] == "cancel":
                await active.cancel(at_once=bool(command.get("at_once")))
            elif active.jobs is not None and active.current_job is not None:
                await active.jobs.control(active.current_job, command.get("job", {}))
        await asyncio.sleep(POLL_SECONDS)


async def finish(active: ActiveRun, deliveries: int) -> None:
    """Drive the run to a state that stands: ended, or waiting for a person."""
    error: NeuroloomError | None = None
    try:
        if deliveries > MAX_DELIVERIES:
            raise JobError(f"run {active.id!r} ended its runner {deliveries} times", code="run.kills_its_runners")
        verdict = await _steps(active)
    except WaitsForPerson:
        return
    except Exception as trouble:
        verdict, error = _ending(active, trouble)
    await _end(active, verdict, error)


def _ending(active: ActiveRun, trouble: Exception) -> tuple[str, NeuroloomError]:
    """The final state that an exception means, and what people are told.

    Raises:
        NeuroloomError: memory itself is in trouble, so no end can be written; another runner goes on.
    """
    again = f"neuroloom resume {active.id}"
    if isinstance(trouble, GateRejected):
        return "rejected", trouble
    if isinstance(trouble, RunCancelled):
        return "cancelled", trouble
    if isinstance(trouble, NeuroloomError):
        if trouble.code.startswith("memory."):
            raise trouble
        return "failed", trouble
    if isinstance(trouble, OSError):
        code = "run.disk_full" if trouble.errno == errno.ENOSPC else "run.os"
        return "failed", NeuroloomError(str(trouble), code=code, fix=again)
    log.error("run %s crashed", active.id, exc_info=trouble)
    told = f"{type(trouble).__name__}: {trouble}"
    return "failed", NeuroloomError(told, code="run.crashed", fix=f"neuroloom logs {active.id}; then {again}")


async def _steps(active: ActiveRun) -> str:
    state = await active.get("state") or {}
    if not state.get("phases"):
        await active.state(phases=fresh_phases(), state="running", reason=None)
    await active.emit("state", f"running:{active.lease.epoch}", state="running")
    active.recipe = await load_recipe(active)
    active.dataset_sha256 = str((await active.get("dataset") or {}).get("sha256", ""))
    wish = await active.get("deploy-request")
    if wish is not None and not wish.get("done"):
        return await deploy.again(active, wish)
    saver = active.memory.saver(active.lease)
    return await drive(active, saver, await active.get("answer"))


async def _end(active: ActiveRun, verdict: str, error: NeuroloomError | None) -> None:
    state = dict(await active.get("state") or {})
    phases = [dict(phase) for phase in state.get("phases") or fresh_phases()]
    for phase in phases:
        if phase["status"] == "running":
            phase["status"] = {"rejected": "rejected", "cancelled": "failed"}.get(verdict, "failed")
            phase["finished_at"] = now()
        if phase["status"] == "pending" and verdict in {"finished", "rejected", "failed", "cancelled"}:
            phase["status"] = "skipped"
    told = error.as_dict() if error is not None else None
    await active.put("error", told, by="runner")
    await active.state(state=verdict, error=told, phases=phases, reason=None, question=None)
    if verdict in {"deployed", "finished", "rejected"}:
        with contextlib.suppress(FileNotFoundError):
            await write_report(active, int(state.get("attempt") or 1))
    await active.emit("state", f"{verdict}:{active.lease.epoch}", state=verdict, error=told)


async def main(settings: RunnerSettings, reasoner: Reasoner) -> None:
    """Be the runner of this state folder, if nobody else is."""
    while True:
        with only_one(settings.home / "runner.lock") as mine:
            if not mine:
                return
            async with open_memory(settings.memory, "runner") as memory:
                runner = Runner(memory, settings, reasoner)
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(number, runner.stopping.set)
                await runner.serve()
                stopped = runner.stopping.is_set()
        if stopped or not await _work_left(settings):
            return


async def _work_left(settings: RunnerSettings) -> bool:
    """Whether a door enqueued something between the last look and the release of the lock."""
    async with open_memory(settings.memory, "door") as memory:
        queue: list[Any] = await memory.queue()
        return bool(queue)
