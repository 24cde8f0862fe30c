"""The steering service: a person's order to a run that trains, checked, recorded and sent. The run's job obeys it."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from agents import metrics
from gpu_jobs.dispatch import Jobs
from memory.errors import JobError, RunError
from memory.store import Memory
from phases.backends import backend, label
from phases.clock import now
from phases.services.runs import Runs
from phases.settings import RunnerSettings
from phases.steering import KEY, SteerOrder, words
from phases.views import RunView


class Steering:
    """Orders to live runs.

    Args:
        memory: Open memory.
        runs: The runs of the workspace.
        settings: The runner's, for the sandbox in which a run's job is looked for.
    """

    def __init__(self, memory: Memory, runs: Runs, settings: RunnerSettings) -> None:
        self.memory, self.runs, self.settings = memory, runs, settings

    async def steer(self, run: str, order: SteerOrder, door: str) -> dict[str, Any]:
        """Record an order and send it to the training job, which obeys it once, after the epoch it is in.

        A note alone is only recorded, whatever the run does.

        Args:
            run: An id, a part of one of this workspace, or `latest`.
            order: What is ordered; see `SteerOrder.said`.
            door: Where it came from.

        Returns:
            `{"run_id", "order", "job", "told"}`: the order as recorded (with its `id`), the job it was sent to or
            None, and a sentence. The event `steered` with that id under `order` tells when it was obeyed.

        Raises:
            RunError: `run.ended`, or `run.not_training`, the run does not train now.
            UsageError: the metric does not exist for the run's task.
            JobError: `job.unreachable`, the folder in which the job runs is gone.
        """
        view = await self.runs.get(run, here=True)
        job = await self._job(view, order) if order.changes else None
        said = {**order.changes, **({"note": order.note} if order.note else {})}
        record = {"id": uuid.uuid4().hex[:12], "job": job, "attempt": view.attempt, "by": door, "at": now(), **said}
        await self.memory.append(view.run_id, KEY, record, by=door, write_id=f"steer:{record['id']}")
        event = {"type": "steer", "at": record["at"], "order": record["id"], "by": door, **said}
        await self.memory.emit(view.run_id, event, event_id=f"steer:{record['id']}")
        if job is None:
            return {"run_id": view.run_id, "order": record, "job": None, "told": "the note is kept; it changes nothing"}
        await self.memory.control(view.run_id, {"do": "steer", "id": record["id"]}, command_id=record["id"])
        self.runs.ensure()
        told = f"{words(record)}: obeyed at the end of the epoch that {job} is in"
        return {"run_id": view.run_id, "order": record, "job": job, "told": told}

    async def _job(self, view: RunView, order: SteerOrder) -> str:
        """The id of the run's living training job."""
        if view.ended:
            fix = f"train on with other settings: neuroloom run DATA --from {view.run_id}"
            raise RunError(f"run {view.run_id!r} is {view.status}: it trains no more", code="run.ended", fix=fix)
        job = await self._value(view.run_id, "training-job-id")
        status = await self._value(view.run_id, "training-status")
        phase = next((one.name for one in view.phases if one.status == "running"), None)
        if view.status != "running" or phase != "train" or status != "running" or not job:
            raise _not_training(view, f"is {view.status}" + (f" in {phase}" if phase else ""))
        if order.metric is not None:
            metrics.named(order.metric, task=(await self._value(view.run_id, "dataset") or {}).get("task"))
        if await self._stage(view, str(job)) == "finished":
            raise _not_training(view, "has just ended its training")
        return str(job)

    async def _stage(self, view: RunView, job: str) -> str:
        folder = Path(view.workspace)
        if not folder.is_dir():
            raise JobError(
                f"job {job!r} of run {view.run_id!r} cannot be reached: its folder {str(folder)!r} is gone",
                code="job.unreachable",
                field="run",
                fix=f"neuroloom cancel {view.run_id}",
            )
        request = label(self.settings, view.run_id, folder)
        return await Jobs(await backend(self.settings, "local").open(request)).stage(job)

    async def _value(self, run: str, name: str) -> Any:
        found = await self.memory.get(run, name)
        return None if found is None else found.value


def _not_training(view: RunView, what: str) -> RunError:
    return RunError(
        f"run {view.run_id!r} {what}, so there is no training to steer",
        code="run.not_training",
        field="run",
        fix=f"follow it: neuroloom watch {view.run_id}; a note is always taken: neuroloom steer RUN --note …",
    )
