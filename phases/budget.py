"""Whether the training that was designed fits its budget, its time limit and the memory; a person decides when not.

Asked only where the policy says so, once in a run, before its first training. It measures nothing: preflight did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agents.decisions import Decision
from agents.reasoners.rules.architecture import with_measured
from phases.active_run import ActiveRun
from phases.clock import now
from phases.questions import CANCEL, chosen
from phases.request import RunRequest
from phases.workspace import read_json

KEY: Final = "budget"
ROLE: Final = "neural-orchestrator"
CUT, GO_ON = "cut", "continue"
SHARE = 0.8  # of a limit that training may fill by what was measured; the rest is for what was not
MORE = 1.5  # how far the time limit of a job is moved beyond what is expected


@dataclass(frozen=True)
class Need:
    """What the designed training needs by what was measured, against what there is.

    Attributes:
        epochs: Epochs as asked or designed.
        epoch_seconds: Measured seconds of one.
        seconds: What a budget or the job's time limit leaves for training, or None.
        memory_mb: Measured memory of the process.
        free_mb: Memory limit or free memory when that is less than what is needed, else None.
    """

    epochs: int
    epoch_seconds: float
    seconds: float | None
    memory_mb: float
    free_mb: float | None

    @property
    def fitting(self) -> int | None:
        """Epochs that fit into the time, at least one; None when all do."""
        if self.seconds is None:
            return None
        most = max(1, int(SHARE * self.seconds / self.epoch_seconds))
        return most if most < self.epochs else None

    def question(self) -> dict[str, Any] | None:
        """What a person is asked, or None when everything fits."""
        fitting = self.fitting
        if fitting is None and self.free_mb is None:
            return None
        lacking = []
        if fitting is not None:
            need, most = _span(self.epochs * self.epoch_seconds), _span(self.seconds or 0.0)
            lacking.append(f"{self.epochs} epochs take about {need}, and there are {most}")
        if self.free_mb is not None:
            lacking.append(f"training needs about {self.memory_mb:.0f} MB of memory, and there are {self.free_mb:.0f}")
        offers = {CUT: f"train {fitting} epochs", GO_ON: "go on all the same", CANCEL: "end the run"}
        if fitting is None:
            del offers[CUT]
        told = ", ".join(f"{choice} ({what})" for choice, what in offers.items())
        return {
            "kind": KEY,
            "text": f"{'; '.join(lacking)}. What now: {told}?",
            "proposal": next(iter(offers)),
            "reason": f"measured on the first batches: {self.epoch_seconds:.3g} s per epoch",
            "choices": list(offers),
        }


async def agree(active: ActiveRun, attempt: int, designed: dict[str, Any]) -> None:
    """Have a person decide what to do when the training does not fit; the answer is recorded as a decision.

    With `--yes`, where the policy lets it count, the proposal is taken.
    """
    if not asks_over_budget(active.request) or await active.recorded(KEY) is not None:
        return
    need = await _need(active, attempt, designed)
    question = need.question()
    if question is None:
        return
    if active.request.yes and active.request.terms.policy.yes_counts:
        choice, who = str(question["proposal"]), "--yes"
    elif active.ask is None:
        return
    else:
        choice = chosen(question, active.ask(question))
        who = str((await active.get("answer") or {}).get("door") or "a person")
    value = {"choice": choice, "epochs": need.epochs, "fitting": need.fitting}
    reason = f"{choice}: {question['text'].partition(' What now')[0]}"
    evidence = {"epoch_seconds": need.epoch_seconds, "seconds": need.seconds, "memory_mb": need.memory_mb}
    await active.record(
        Decision(key=KEY, type="BudgetAnswer", agent=ROLE, reasoner=who, reason=reason, evidence=evidence, value=value,
                 at=now())
    )  # fmt: skip


async def agreed(active: ActiveRun, attempt: int, designed: dict[str, Any]) -> dict[str, Any]:
    """The attempt's training settings: as designed, with what was measured, and with what a person decided."""
    record, answer = await active.recorded(f"measured-{attempt}"), await active.recorded(KEY)
    measured = dict(record.value) if record else {}
    if answer is None:
        return with_measured(designed, measured)
    need = await _need(active, attempt, designed)
    if answer.value["choice"] == GO_ON:
        _more_time(active, need)
        return {**with_measured(designed, {**measured, "epochs_for_budget": None}), "budget_seconds": None}
    training = with_measured(designed, measured)
    return {**training, "epochs": min(training["epochs"], need.fitting or training["epochs"])}


def asks_over_budget(request: RunRequest) -> bool:
    """Whether a person is asked: as the policy says, else in a chat and not on the command line."""
    said = request.terms.policy.ask_over_budget
    return request.door == "mcp" if said is None else said


async def _need(active: ActiveRun, attempt: int, designed: dict[str, Any]) -> Need:
    found = await active.in_thread(read_json, active.root / "jobs" / f"preflight-{attempt}" / "result.json")
    request, terms, memory = active.request, active.request.terms, float(found["memory_mb"]["value"])
    limit = terms.job_hours * 3600
    gate = (await active.get(f"phase2-complete-{attempt}") or {}).get("gate") or ()
    least = [float(check["threshold"]) for check in gate if check["name"] == "memory_fits" and not check["passed"]]
    if terms.job_memory_mb is not None and memory > terms.job_memory_mb:
        least.append(float(terms.job_memory_mb))
    return Need(
        epochs=int(designed["epochs"]),
        epoch_seconds=float(found["seconds_per_epoch"]["value"]),
        seconds=min(request.budget_seconds or limit, limit),
        memory_mb=memory,
        free_mb=min(least, default=None),
    )


def _more_time(active: ActiveRun, need: Need) -> None:
    """Move the time limit of this run's jobs, in the hands of this runner, where training would run into it."""
    hours = MORE * need.epochs * need.epoch_seconds / 3600
    terms = active.request.terms
    if hours > terms.job_hours:
        active.request = active.request.model_copy(update={"terms": terms.model_copy(update={"job_hours": hours})})


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
