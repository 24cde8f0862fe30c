"""Whether a run may use a machine other than this one: the policy asks a person, once, and the answer is recorded."""

from __future__ import annotations

from typing import Final

from agents.decisions import Decision
from phases.active_run import ActiveRun, RunCancelled
from phases.clock import now

KEY: Final = "backend-allowed"
ROLE: Final = "neural-orchestrator"


async def allow(active: ActiveRun) -> None:
    """Return when the run's backend may be used. With `--yes`, where the policy lets it count, nobody is asked.

    Raises:
        RunCancelled: a person said no; resumed, the run asks again.
    """
    request, policy = active.request, active.request.terms.policy
    if request.backend == "local" or not policy.ask_before_backend or await active.recorded(KEY) is not None:
        return
    where = f"the machine {request.terms.ssh.address!r}"
    if request.yes and policy.yes_counts:
        who = "--yes"
    elif active.ask is None:
        return
    else:
        answer = active.ask(
            {
                "kind": "backend",
                "text": f"Train on {where}? A copy of the table and of the run's files goes there.",
                "proposal": "yes",
                "reason": f"--backend {request.backend}: anything but this machine needs a person",
            }
        )
        if not answer.get("approve"):
            raise RunCancelled(f"run {active.id!r} may not use {where}", fix=f"neuroloom resume {active.id}")
        who = str((await active.get("answer") or {}).get("door") or "a person")
    record = {"type": "BackendAnswer", "agent": ROLE, "reasoner": who, "reason": f"{where} may be used", "at": now()}
    value = {"backend": request.backend}
    await active.record(Decision.model_validate({**record, "key": KEY, "evidence": {}, "value": value}))
