"""The rule of `TrainingRecovery`: what to do after a training job diverged, died or ran out of something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from agents.decisions.training_recovery import TrainingRecovery
from agents.reasoners.rules.wording import one_line

MOST_TRIES = 3
LOWER_RATE = 0.3
HALF_BATCH = 0.5

Action = Literal["resume", "restart", "give_up"]

_ADVICE: Mapping[str, str] = {
    "job.disk_full": "the disk is full: free some space, then resume the run",
    "job.timeout": "the deadline passed: give a longer one or fewer epochs, then resume the run",
    "job.cancelled": "it was cancelled, and a resume goes on from its checkpoint",
}


def decide(context: Mapping[str, Any]) -> TrainingRecovery:
    """The next step after trouble.

    Args:
        context: `error` (`{"code", "message"}` or None), `diverged` (times the loss diverged), `tries`
            (recoveries so far), `checkpoint` (whether a good checkpoint exists).
    """
    error = context.get("error") or {}
    code, tries = str(error.get("code") or ""), int(context.get("tries") or 0)
    checkpoint = bool(context.get("checkpoint"))
    action, rate, batch, why = _step(code, int(context.get("diverged") or 0), checkpoint)
    if action != "give_up" and tries >= MOST_TRIES:
        action, rate, batch, why = "give_up", 1.0, 1.0, f"{tries} recoveries did not help: {why}"
    return TrainingRecovery(
        reason=one_line([why]),
        evidence={
            "code": code or None,
            "tries": tries,
            "checkpoint": checkpoint,
            "diverged": context.get("diverged") or 0,
        },
        action=action,
        rate_factor=rate,
        batch_factor=batch,
    )


def _step(code: str, diverged: int, checkpoint: bool) -> tuple[Action, float, float, str]:
    back: Action = "resume" if checkpoint else "restart"
    where = "from the last good checkpoint" if checkpoint else "from the beginning (no checkpoint yet)"
    if code in _ADVICE:
        return "give_up", 1.0, 1.0, _ADVICE[code]
    if code == "job.memory":
        return "restart", 1.0, HALF_BATCH, "it ran out of memory: half the batch, from the beginning"
    if code in ("job.lost", "job.killed"):
        return back, 1.0, 1.0, f"its process was killed: on again {where}, nothing changed"
    if diverged or code in ("job.diverged", "training.diverged"):
        again = f"the loss diverged again and again: from the beginning, at {LOWER_RATE:g} of the rate"
        return "restart", LOWER_RATE, 1.0, again
    return "give_up", 1.0, 1.0, f"trying again would end the same way ({code or 'no cause is known'})"
