"""A run in the hands of a runner: decisions, jobs, memory writes and events, each done once whatever is killed.

A phase is replayed from its first line after a crash; every step here first looks for its recorded outcome, so a
replay reads and does not repeat. It does not know the order of the phases.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from agents.brief import load_brief
from agents.decisions import AgentDecision, Decision
from agents.decisions.base import Role
from agents.decisions.cluster_plan import ClusterLimits
from agents.reasoners.protocol import Reasoner
from gpu_jobs.backends.protocol import Backend
from gpu_jobs.dispatch import Jobs
from gpu_jobs.spec import JobOutcome, JobSpec, Limits
from memory.errors import JobError, NeuroloomError, RunError
from memory.store import Lease, Memory
from phases.clock import now
from phases.request import RunRequest
from phases.settings import RunnerSettings

D = TypeVar("D", bound=AgentDecision)

RELAYED = frozenset(
    {"epoch", "checkpoint", "divergence", "early_stop", "limits", "resumed", "log", "range_test", "note", "steered"}
)
WRITTEN_BY_DOORS = frozenset({"state", "answer", "deploy-request", "steering"})
MAX_STARTS = 8


class RunCancelled(NeuroloomError):  # noqa: N818 - it did what a person asked
    """A person cancelled the run; its state is whole and it can be resumed."""

    default_code = "run.cancelled"


class WaitsForPerson(Exception):  # noqa: N818 - not an error: the run parks itself
    """The run asked a question and waits; the runner lets go of it."""


@dataclass
class ActiveRun:
    """One run with its lease. `ask` poses a question to a person and returns the answer (or parks the run)."""

    id: str
    memory: Memory
    lease: Lease
    request: RunRequest
    settings: RunnerSettings
    reasoner: Reasoner
    ask: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    place: Backend | None = None
    jobs: Jobs | None = None
    limits: ClusterLimits | None = None
    recipe: dict[str, Any] | None = None
    dataset_sha256: str = ""
    seed: int = 0
    cancelling: bool = False
    verdict: str | None = None
    resumes: int = 0
    current_job: str | None = None
    versions: dict[str, int] = field(default_factory=dict)
    known_values: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The run's folder, which is also the root of a local sandbox."""
        return Path(self.request.workspace) / "neural" / self.id

    @property
    def missing(self) -> list[str]:
        """Markers of a missing value: those asked for, else those of the recipe."""
        return list(self.request.missing) or list((self.recipe or {}).get("missing") or ())

    # ---- memory ---------------------------------------------------------------------------------------------------

    async def put(self, name: str, value: Any, *, by: str, provenance: dict[str, Any] | None = None) -> None:
        """Write a key of this run under the lease."""
        self.known_values.pop(name, None)
        await self.memory.put(self.id, name, value, by=by, lease=self.lease, provenance=provenance)

    async def append(self, name: str, item: Any, *, by: str, write_id: str) -> int:
        """Add an item to a list of this run, once per `write_id`; returns the length after that write."""
        self.known_values.pop(name, None)
        return await self.memory.append(self.id, name, item, by=by, lease=self.lease, write_id=write_id)

    async def get(self, name: str) -> Any:
        """The value of a key of this run, or None; what only the holder of the lease writes is read once."""
        if name in self.known_values:
            return json.loads(self.known_values[name])
        envelope = await self.memory.get(self.id, name)
        value = None if envelope is None else envelope.value
        if name not in WRITTEN_BY_DOORS:
            self.known_values[name] = json.dumps(value)
        return value

    async def emit(self, event_type: str, event_key: str, /, **fields: Any) -> None:
        """Append an event once: `event_key` names the intent, so a replayed step does not say it again."""
        event = {"type": event_type, "at": now(), **fields}
        await self.memory.emit(self.id, event, event_id=f"{event_type}:{event_key}", lease=self.lease)

    async def state(self, **changes: Any) -> dict[str, Any]:
        """Change fields of the run's `state` and return the whole."""
        value = dict(await self.get("state") or {})
        value.update(changes, updated_at=now())
        await self.put("state", value, by="runner")
        return value

    # ---- decisions ------------------------------------------------------------------------------------------------

    async def recorded(self, key: str) -> Decision | None:
        """The record of a decision made earlier in this run."""
        for record in await self.get("decisions") or []:
            if record["key"] == key:
                return Decision.model_validate(record)
        return None

    async def decide(self, key: str, kind: type[D], role: Role, context: dict[str, Any]) -> D:
        """The decision `key`: the recorded one, the recipe's where the data are the same, else a fresh one."""
        self.check()
        if record := await self.recorded(key):
            return self._typed(record, kind)
        if reused := self._from_recipe(key):
            value, reasoner = self._typed(reused, kind), f"recorded in {self.request.from_run}"
        else:
            brief = load_brief(role)
            value, reasoner = await self.reasoner.decide(brief, kind, context), self.reasoner.name
        await self.record(Decision.record(value, key=key, reasoner=reasoner))
        return value

    async def known(self, key: str, kind: type[D]) -> D:
        """The decision `key`, which an earlier step of this run has recorded.

        Raises:
            RunError: there is no such record.
        """
        record = await self.recorded(key)
        if record is None:
            raise RunError(f"run {self.id!r} has no decision {key!r}", code="run.record")
        return self._typed(record, kind)

    async def measured(self, key: str, role: Role, choices: dict[str, Any], reason: str) -> dict[str, Any]:
        """Measured choices (threads, rate, epochs), recorded like a decision so that a re-run uses the same ones."""
        if record := await self.recorded(key):
            return record.value
        reused = self._from_recipe(key)
        record = Decision(
            key=key,
            type="MeasuredChoices",
            agent=role,
            reason=reason,
            evidence={},
            at=now(),
            reasoner=f"recorded in {self.request.from_run}" if reused else "measured",
            value=reused.value if reused else choices,
        )
        await self.record(record)
        return record.value

    async def record(self, decision: Decision) -> None:
        """Append a decision record once and tell it as an event."""
        value, key = decision.model_dump(mode="json"), decision.key
        write = f"decision:{key}"
        await self.append("decisions", value, by=decision.agent, write_id=write)
        shown = {"decision": decision.type, "agent": decision.agent, "reason": decision.reason}
        await self.emit("decision", key, key=key, reasoner=decision.reasoner, **shown)

    def _typed(self, record: Decision, kind: type[D]) -> D:
        value = record.typed()
        if not isinstance(value, kind):
            raise RunError(f"decision {record.key!r} is a {record.type}, not a {kind.__name__}", code="run.record")
        return value

    def _from_recipe(self, key: str) -> Decision | None:
        if self.recipe is None or self.recipe.get("dataset_sha256") != self.dataset_sha256 or not self.dataset_sha256:
            return None
        found = self.recipe["decisions"].get(key)
        return None if found is None else Decision.model_validate(found)

    # ---- jobs -----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise when a person has cancelled the run."""
        if self.cancelling:
            raise RunCancelled(f"run {self.id!r} was cancelled", fix=f"neuroloom resume {self.id}")

    async def job(
        self, kind: str, args: dict[str, Any], *, name: str | None = None, workers: int = 1, device: str = "cpu"
    ) -> dict[str, Any]:
        """Run a job once and return its result; a job whose process was killed is started again, a few times."""
        spec = self.spec(kind, args, name or kind, workers, device)
        await self.emit("job_started", spec.id, job=spec.id, kind=kind)
        for _ in range(MAX_STARTS):
            self.check()
            outcome = await self._follow(spec)
            if outcome.state == "lost":
                await self.emit("job_lost", f"{spec.id}:{time.time_ns()}", job=spec.id, kind=kind)
                continue
            return await self._result(spec, outcome)
        raise JobError(
            f"job {spec.id!r} was killed {MAX_STARTS} times",
            code="job.keeps_dying",
            fix=f"look at neuroloom logs {self.id} and resume",
        )

    def spec(self, kind: str, args: dict[str, Any], name: str, workers: int, device: str) -> JobSpec:
        """The job's specification: its id names the intent, so the same step is always the same job."""
        planned = self.limits.model_dump(exclude={"seconds"}) if self.limits is not None else {}
        terms = self.request.terms
        if terms.job_memory_mb:
            planned["memory_mb"] = terms.job_memory_mb
        limits = Limits(**planned, seconds=terms.job_hours * 3600)
        return JobSpec(
            id=name,
            kind=kind,
            run=self.id,
            args=args,
            limits=limits,
            workers=workers,
            device=device,
            seed=self.seed,
            dataset_sha256=self.dataset_sha256,
            code_version=self.request.code_version,
        )

    async def _follow(self, spec: JobSpec) -> JobOutcome:
        async def relay(line: int, event: dict[str, Any]) -> None:
            if event.get("type") in RELAYED:
                fields = {key: value for key, value in event.items() if key not in {"type", "t"}}
                once = event["order"] if event["type"] == "steered" else f"{spec.id}:{line}"
                await self.emit(event["type"], once, job=spec.id, **fields)

        if self.jobs is None:
            raise RunError("the sandbox is not open", code="run.no_sandbox")
        self.current_job = spec.id
        try:
            return await self.jobs.run(spec, relay, restart=await self._restart(spec.id))
        finally:
            self.current_job = None

    async def _restart(self, job: str) -> bool:
        """Whether a job that ended badly is to be started again: once per resume, and never by a takeover."""
        if not self.resumes:
            return False
        mark = f"{self.resumes}:{job}"
        if mark in (await self.get("restarts") or []):
            return False
        await self.append("restarts", mark, by="runner", write_id=f"restart:{mark}")
        return True

    async def _result(self, spec: JobSpec, outcome: JobOutcome) -> dict[str, Any]:
        if outcome.state == "done" and outcome.result is not None:
            await self.emit("job_finished", spec.id, job=spec.id, kind=spec.kind, seconds=round(outcome.seconds, 3))
            return outcome.result
        if outcome.state == "cancelled":
            self.cancelling = True
            self.check()
        error = outcome.error or {"code": f"job.{outcome.state}", "message": f"job {spec.id!r} ended {outcome.state}"}
        raise JobError(
            error["message"],
            code=error["code"],
            field=error.get("field"),
            fix=error.get("fix") or f"neuroloom logs {self.id}",
        )

    async def cancel(self, at_once: bool = False) -> None:
        """Stop at the next safe point: the current job checkpoints and ends, or is killed when `at_once`."""
        self.cancelling = True
        if self.jobs is not None and self.current_job is not None:
            await self.jobs.cancel(self.current_job, grace=0.0 if at_once else 20.0)

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run blocking file work outside the event loop, so that the heartbeat goes on."""
        return await asyncio.to_thread(function, *args)
