"""The runner: takes runs from the queue under a lease, drives their graphs, and lets go when another one may go on.

One process drives several runs. It outlives every door, is killed without loss, and leaves when there is no work.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import time
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from agents.reasoners.protocol import Reasoner
from memory.errors import GateRejected, JobError, NeuroloomError, StaleEpoch
from memory.store import Lease, Memory, Taken, open_memory
from phases import deploy, fresh_phases, spool
from phases.active_run import ActiveRun, RunCancelled, WaitsForPerson
from phases.clock import now
from phases.graph import drive
from phases.notices import TOLD_KINDS, leave_notice
from phases.notify import tell
from phases.orders import POLL_SECONDS, Orders
from phases.recipe import load_recipe
from phases.report import write_report
from phases.request import RunRequest
from phases.sandbox import let_go
from phases.settings import RunnerSettings
from phases.views import ENDED

log = logging.getLogger("neuroloom.runner")
MAX_DELIVERIES = 25
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Runner:
    """Drives up to `runs_at_once` runs of one memory."""

    def __init__(self, memory: Memory, settings: RunnerSettings, reasoner: Reasoner) -> None:
        self.memory, self.settings, self.reasoner = memory, settings, reasoner
        self.consumer = f"runner-{os.getpid()}-{time.time_ns()}"
        self.tasks: set[asyncio.Task[None]] = set()
        self.telling: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()

    async def serve(self) -> None:
        """Take and drive runs until told to stop or idle for `idle_seconds`."""
        idle_since = time.monotonic()
        while not self.stopping.is_set():
            if len(self.tasks) >= self.settings.runs_at_once:
                await asyncio.wait(self.tasks, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                continue
            await spool.take(self.settings.home, self.memory)
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
        await asyncio.gather(*self.telling, return_exceptions=True)

    async def _one(self, taken: Taken) -> None:
        run = taken.lease.run
        main = asyncio.create_task(self._drive(taken))
        heart = asyncio.create_task(self._keep(taken, main))
        try:
            await main
            await self._tell(run)
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)
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
            await asyncio.sleep(1.0)  # what failed at once will fail at once again
            with suppress(NeuroloomError):
                await self.memory.give_back(taken)
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)

    async def _tell(self, run: str) -> None:
        """The run stands where it is: doors without memory learn of it, and the person by `settings.notify`."""
        state = await self.memory.get(run, "state")
        if state is None:
            return
        notice = leave_notice(self.settings.home, run, state.value)
        if notice is not None and notice.kind in TOLD_KINDS and self.settings.notify.channels():
            task = asyncio.create_task(tell(self.settings.notify, self.memory, notice))
            self.telling.add(task)
            task.add_done_callback(self.telling.discard)

    async def _keep(self, taken: Taken, main: asyncio.Task[None]) -> None:
        while await self.memory.keep(taken):  # noqa: ASYNC110 - a heartbeat has no event to wait for
            await asyncio.sleep(self.settings.memory.lease_seconds / 3)
        log.warning("run %s was taken over by another runner", taken.lease.run)
        main.cancel()

    async def _drive(self, taken: Taken) -> None:
        run = taken.lease.run
        state = await self.memory.get(run, "state")
        if state is None or state.value["state"] == "waiting":
            return
        if state.value["state"] in ENDED:
            await _tell_end(self.memory, taken.lease, state.value)
            return
        try:
            envelope = await self.memory.get(run, "request")
            request = RunRequest.model_validate(envelope.value if envelope else None)
        except ValidationError as error:
            told = {"code": "run.request", "message": f"this Neuroloom cannot read the run's request: {error}",
                    "field": None, "fix": "neuroloom down; then start it anew"}  # fmt: skip
            value = {**state.value, "state": "failed", "error": told, "updated_at": now()}
            await self.memory.put(run, "state", value, by="runner", lease=taken.lease)
            return
        active = ActiveRun(run, self.memory, taken.lease, request, self.settings, self.reasoner, seed=request.seed)
        log.info("run %s: taken, delivery %d", run, taken.deliveries)
        active.resumes = int(state.value.get("resumes") or 0)
        orders = Orders(active, state.value.get("controls_after", "0"))
        try:
            async with orders.listening():
                await finish(active, taken.deliveries)
        finally:
            await let_go(active)
        if await orders.cancelled_while_parking():
            stopped = RunCancelled(f"run {run!r} was cancelled", fix=f"neuroloom resume {run}")
            await _end(active, "cancelled", stopped)


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
        if trouble.errno in NO_SPACE or os.strerror(errno.ENOSPC) in str(trouble):
            told, fix = f"the disk is full: {trouble}", f"free some space, then {again}"
            return "failed", NeuroloomError(told, code="run.disk_full", fix=fix)
        return "failed", NeuroloomError(str(trouble), code="run.os", fix=again)
    log.error("run %s crashed", active.id, exc_info=trouble)
    told = f"{type(trouble).__name__}: {trouble}"
    return "failed", NeuroloomError(told, code="run.crashed", fix=f"neuroloom logs {active.id}; then {again}")


async def _steps(active: ActiveRun) -> str:
    state = await active.get("state") or {}
    if not state.get("phases"):
        await active.state(phases=fresh_phases(), state="running", reason=None)
    leave_notice(active.settings.home, active.id, {**state, "state": "running", "updated_at": now()})
    await active.emit("state", f"running:{active.lease.epoch}", state="running")
    active.recipe = await load_recipe(active)
    if active.recipe is not None and active.recipe["steered"]:
        told = f"a person steered the training of {active.request.from_run}; its recipe does not repeat that"
        await active.emit("note", "recipe-was-steered", message=told)
    active.dataset_sha256 = str((await active.get("dataset") or {}).get("sha256", ""))
    wish = await active.get("deploy-request")
    if wish is not None and wish.get("outcome") is None:
        return await deploy.again(active, wish)
    saver = active.memory.saver(active.lease)
    return await drive(active, saver, await active.get("answer"))


async def _end(active: ActiveRun, verdict: str, error: NeuroloomError | None) -> None:
    """Write the run's end; its state comes last, so that a runner killed in here is followed by one that repeats it."""
    state = dict(await active.get("state") or {})
    phases = [dict(phase) for phase in state.get("phases") or fresh_phases()]
    for phase in phases:
        if phase["status"] == "running":
            phase.update(status="rejected" if verdict == "rejected" else "failed", finished_at=now())
        if phase["status"] == "pending":
            phase["status"] = "skipped"
    artifacts, active.verdict = await active.get("artifacts"), verdict
    told = error.as_dict() if error is not None else None
    if told and verdict == "rejected" and artifacts is not None:
        told["fix"] = told["fix"] or f'neuroloom deploy {active.id} --override --why "…"'
    reason = (await active.get("workflow-complete") or {}).get("reason") if verdict == "finished" else None
    await active.put("error", told, by="runner")
    if artifacts is not None:
        try:
            await write_report(active, int(artifacts["attempt"]))
        except OSError as trouble:  # a full disk must not keep the run from its end
            log.warning("run %s: its last report could not be written: %s", active.id, trouble)
    ended = await active.state(state=verdict, error=told, phases=phases, reason=reason, question=None)
    await _tell_end(active.memory, active.lease, ended)
    log.info("run %s: %s", active.id, verdict)


async def _tell_end(memory: Memory, lease: Lease, state: dict[str, Any]) -> None:
    """The event of the run's end, once per end (a runner killed before it is followed by one that tells it)."""
    event = {"type": "state", "at": now(), "state": state["state"], "error": state["error"]}
    await memory.emit(lease.run, event, event_id=f"end:{state['updated_at']}", lease=lease)


async def main(settings: RunnerSettings, reasoner: Reasoner) -> bool:
    """Serve until there is no work or a signal comes (then True); the caller holds the runner's lock."""
    async with open_memory(settings.memory, "runner") as memory:
        runner = Runner(memory, settings, reasoner)
        log.info("up to %d runs at once", settings.runs_at_once)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, runner.stopping.set)
        await runner.serve()
        await memory.leave(runner.consumer)
        return runner.stopping.is_set()


async def work_left(settings: RunnerSettings) -> bool:
    """Whether a door enqueued something between the last look and the release of the lock."""
    async with open_memory(settings.memory, "door") as memory:
        return bool(await memory.queue())
