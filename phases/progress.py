"""Where a run stands: entering a phase, closing it with its gate, and the final state. It decides nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from phases import PHASES, Phase, fresh_phases
from phases.active_run import ActiveRun
from phases.clock import now
from phases.gates import Check, passed, refuse

PER_ATTEMPT = PHASES[1:3]  # gone through again by each attempt; the gates of the one that is chosen are the run's


def _seconds(since: str, until: str) -> float:
    return round((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds(), 3)


async def enter(active: ActiveRun, row: Phase, attempt: int) -> None:
    """Mark the phase as running; entered again (another attempt) its seconds add up."""
    active.check()
    state = dict(await active.get("state") or {})
    phases = [dict(phase) for phase in state.get("phases") or fresh_phases()]
    mine = phases[row.number - 1]
    if mine["status"] == "running" and state.get("phase") == row.name and state.get("attempt") == attempt:
        return
    fresh = mine["status"] != "running"
    spent = mine.get("seconds") or 0.0 if fresh else mine.get("spent") or 0.0
    mine.update(status="running", started_at=now() if fresh else mine["started_at"], finished_at=None, spent=spent)
    for later in phases[row.number :]:  # another attempt goes through them again; the time they took still counts
        later.update(status="pending", finished_at=None)
    await active.state(phase=row.name, attempt=attempt, phases=phases, state="running", reason=None, question=None)
    await active.emit("phase_started", f"{row.name}:{attempt}", phase=row.name, attempt=attempt)


async def leave(active: ActiveRun, row: Phase, attempt: int, checks: list[Check], **more: Any) -> None:
    """Write `phaseN-complete`, tell the gate, and refuse to go on when a blocking check failed.

    Raises:
        GateRejected: a blocking check failed.
    """
    good = passed(checks)
    state = dict(await active.get("state") or {})
    phases = [dict(phase) for phase in state.get("phases") or fresh_phases()]
    mine, finished = phases[row.number - 1], now()
    mine.update(
        status="passed" if good else "rejected",
        finished_at=finished,
        seconds=round((mine.get("spent") or 0.0) + _seconds(mine["started_at"] or finished, finished), 3),
    )
    gate = [check.model_dump(mode="json") for check in checks]
    value = {
        "status": "complete" if good else "rejected",
        "gate": gate,
        "attempt": attempt,
        "started_at": mine["started_at"],
        "finished_at": finished,
        **more,
    }
    await active.put(row.complete_key, value, by=row.agents[0])
    if row in PER_ATTEMPT:
        await active.put(f"{row.complete_key}-{attempt}", value, by=row.agents[0])
    await active.state(phases=phases)
    await active.emit("gate", f"{row.name}:{attempt}", phase=row.name, passed=good, gate=gate)
    await active.emit(
        "phase_finished",
        f"{row.name}:{attempt}",
        phase=row.name,
        attempt=attempt,
        status=mine["status"],
        seconds=mine["seconds"],
    )
    refuse(row.name, checks)
