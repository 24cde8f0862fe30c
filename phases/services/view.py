"""A run as people see it, put together from memory and the supervisor's files. It reads and never writes."""

from __future__ import annotations

from typing import Any

from gpu_jobs.host import processes
from memory.errors import InputError
from memory.store import Memory
from phases import PHASES
from phases.supervisor import records
from phases.views import CheckView, ErrorView, PhaseView, QuestionView, RunView


async def build_view(memory: Memory, run: str) -> RunView:
    """The view of `run`.

    Raises:
        InputError: memory holds no such run.
    """
    state = await _value(memory, run, "state")
    if state is None:
        raise InputError(f"no run {run!r}", code="input.no_such_run", field="run", fix="list them: neuroloom runs")
    request = await _value(memory, run, "request") or {}
    phases = [await _phase(memory, run, index, row) for index, row in enumerate(state["phases"])]
    fields: dict[str, Any] = {
        "run_id": run,
        "status": state["state"],
        "reason": state.get("reason"),
        "phases": phases,
        "workspace": state["workspace"],
        "attempt": state.get("attempt") or 0,
        "created_at": state["created_at"],
        "question": _question(state.get("question")),
        "error": _error(state.get("error")),
        "data": request.get("data"),
        "target": request.get("target"),
        "goal": request.get("goal"),
    }
    fields.update(await _results(memory, run))
    if state["state"] == "queued":
        fields.update(await _place(memory, run))
    return RunView.model_validate(fields)


async def _value(memory: Memory, run: str, name: str) -> Any:
    envelope = await memory.get(run, name)
    return None if envelope is None else envelope.value


async def _phase(memory: Memory, run: str, index: int, row: dict[str, Any]) -> PhaseView:
    gate: tuple[CheckView, ...] = ()
    if row["status"] not in {"pending", "skipped"}:
        complete = await _value(memory, run, PHASES[index].complete_key) or {}
        gate = tuple(_check(check) for check in complete.get("gate", []))
    return PhaseView(name=row["name"], status=row["status"], seconds=row.get("seconds"), gate=gate)


def _check(check: dict[str, Any]) -> CheckView:
    return CheckView.model_validate({key: check.get(key) for key in CheckView.model_fields})


def _question(found: dict[str, Any] | None) -> QuestionView | None:
    if found is None:
        return None
    kept = {key: found.get(key) for key in ("id", "kind", "text", "proposal", "reason")}
    return QuestionView.model_validate({**kept, "choices": tuple(found.get("choices") or ())})


def _error(found: dict[str, Any] | None) -> ErrorView | None:
    return None if found is None else ErrorView.model_validate(found)


async def _results(memory: Memory, run: str) -> dict[str, Any]:
    test, evaluate = await _value(memory, run, "validation"), await _value(memory, run, "candidate-scores")
    benchmark = await _value(memory, run, "benchmark-results") or {}
    scores = test or evaluate or {}
    fields: dict[str, Any] = {}
    if scores:
        numbers = {**scores["metrics"], "gap": (evaluate or scores)["gap"]}
        numbers |= {
            name: value for name, value in benchmark.items() if isinstance(value, dict) and "provenance" in value
        }
        fields["metrics"], fields["baselines"] = numbers, scores["baselines"]
        fields["metric"] = scores["metric"]
        versus = scores.get("versus") or {}
        fields["differences"] = {name: one["difference"] for name, one in versus.items() if one}
    if evaluate:
        fields["importance"] = evaluate.get("importance") or ()
    fields["model"] = await _value(memory, run, "model-view")
    fields["deployment"] = _served(memory, run, await _value(memory, run, "deployment-view"))
    fields["tested"] = await _value(memory, run, "artifacts") is not None
    report = await _value(memory, run, "report") or {}
    dataset = await _value(memory, run, "dataset") or {}
    fields["report"] = report.get("markdown")
    return {**fields, **({"target": dataset["target"]} if dataset else {})}


def _served(memory: Memory, run: str, stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """The run's deployment as the supervisor's record has it now: whoever is not served has no address and no pid."""
    if stored is None:
        return None
    record = next((one for one in records.load(memory.settings.home) if one.name == stored["name"]), None)
    if record is None or record.current is None:
        return {**stored, "url": None, "pid": None, "status": "undeployed"}
    if record.current.run_id != run:
        return {**stored, "url": None, "pid": None, "status": "replaced"}
    found = record.view()
    up = processes.alive(record.process)
    place = {"url": found["url"] if up else None, "pid": found["pid"] if up else None}
    return {**stored, **place, "status": found["status"] if up or found["status"] not in records.LIVE else "down"}


async def _place(memory: Memory, run: str) -> dict[str, Any]:
    queue = await memory.queue()
    going = sum(bool(entry["lease_alive"]) and entry["run"] != run for entry in queue)
    place = next((entry["position"] for entry in queue if entry["run"] == run), None)
    told = f"waits for a free place: {going} run(s) going" if going else "waits for a runner"
    return {"queue_position": place, "reason": told}
