"""What the events of a run add up to: phases, decisions, curves. It draws nothing; the live and plain views read it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

PHASES = ("setup", "configure", "train", "validate", "deploy")
AGAIN = {"failed": "running", "cancelled": "running", "waiting": "running", "skipped": "pending"}
STOPPED = frozenset({"failed", "cancelled", "rejected"})
KEPT_DECISIONS = 200


@dataclass
class Stage:
    """One phase as far as it is known."""

    status: str = "pending"
    since: float | None = None
    seconds: float | None = None
    doing: str | None = None

    def elapsed(self, now: float) -> float | None:
        """Seconds it took, or has taken so far."""
        if self.seconds is not None or self.since is None:
            return self.seconds
        return max(0.0, now - self.since)


@dataclass
class Progress:
    """The state that a view shows; `take` folds in one event."""

    stages: dict[str, Stage] = field(default_factory=lambda: {name: Stage() for name in PHASES})
    attempt: int = 1
    decisions: list[tuple[str, str, str]] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    metric: list[float] = field(default_factory=list)
    metric_name: str = ""
    epoch: int = 0
    epochs: int | None = None
    seconds_left: float | None = None
    rows_per_second: float | None = None
    messages: list[str] = field(default_factory=list)
    waits: str | None = None

    def take(self, event: dict[str, Any]) -> None:
        """Fold in one event; kinds that it does not know change nothing."""
        handler = getattr(self, f"_on_{event.get('type', '')}", None)
        if handler is not None:
            handler(event)

    @property
    def current(self) -> str | None:
        """The phase that runs now."""
        return next((name for name, stage in self.stages.items() if stage.status == "running"), None)

    def _on_queued(self, event: dict[str, Any]) -> None:
        self.waits = str(event["reason"])

    def _on_state(self, event: dict[str, Any]) -> None:
        """The run goes on (again), or has ended: what it was in the middle of ended as the run did."""
        self.waits, state, again = None, str(event.get("state")), event.get("state") == "running"
        ending = state if state in STOPPED else "failed"
        changes = AGAIN if again else {"running": ending, "waiting": ending, "pending": "skipped"}
        for stage in self.stages.values():
            status = changes.get(stage.status)
            if status is not None:
                stage.seconds = None if again else stage.elapsed(_when(event))
                stage.status, stage.doing = status, None
        self.seconds_left = self.seconds_left if again else None

    def _on_phase_started(self, event: dict[str, Any]) -> None:
        self.waits = None
        attempt = int(event.get("attempt") or 1)
        if attempt > self.attempt:
            self._again(attempt)
        self.stages[str(event["phase"])] = Stage("running", since=_when(event))

    def _again(self, attempt: int) -> None:
        self.attempt = attempt
        for name in PHASES[1:]:
            self.stages[name] = Stage()
        self.train_loss, self.validation_loss, self.metric = [], [], []
        self.messages.append(f"attempt {attempt}: back to configure with what the check told")

    def _on_phase_finished(self, event: dict[str, Any]) -> None:
        stage = self.stages.setdefault(str(event["phase"]), Stage())
        stage.status = str(event.get("status") or "passed")
        seconds = event.get("seconds")
        stage.seconds = float(seconds) if seconds is not None else stage.elapsed(_when(event))
        stage.doing = None
        self.seconds_left = None

    def _on_decision(self, event: dict[str, Any]) -> None:
        name = str(event.get("decision") or event.get("key") or "decision")
        self.decisions.append((str(event.get("agent") or "agent"), name, str(event.get("reason") or "")))
        del self.decisions[:-KEPT_DECISIONS]

    def _on_job_started(self, event: dict[str, Any]) -> None:
        current = self.current
        if current is not None:
            self.stages[current].doing = str(event.get("kind") or event.get("job"))

    def _on_job_finished(self, _event: dict[str, Any]) -> None:
        current = self.current
        if current is not None:
            self.stages[current].doing = None

    def _on_epoch(self, event: dict[str, Any]) -> None:
        epoch = int(event["epoch"])
        if epoch <= self.epoch:
            self._rewind(epoch)
        self.epoch, self.epochs = epoch, event.get("epochs")
        _add(self.train_loss, event.get("train_loss"))
        _add(self.validation_loss, event.get("validation_loss"))
        metric = event.get("metric") or {}
        name = str(metric.get("name") or self.metric_name)
        if name != self.metric_name:  # a person chose another: its curve begins here
            self.metric_name, self.metric = name, []
        _add(self.metric, metric.get("value"))
        self.seconds_left = event.get("seconds_left")
        self.rows_per_second = event.get("rows_per_second")

    def _rewind(self, epoch: int) -> None:
        """Training went back to a checkpoint: what came after it is not part of the curve any more."""
        for curve in (self.train_loss, self.validation_loss, self.metric):
            del curve[max(0, epoch - 1) :]

    def _on_divergence(self, event: dict[str, Any]) -> None:
        self.messages.append(f"training diverged at epoch {event.get('epoch')}; lower rate {event.get('rate')}")

    def _on_early_stop(self, event: dict[str, Any]) -> None:
        self.messages.append(f"stopped early at epoch {event.get('epoch')}; best was {event.get('best_epoch')}")

    def _on_steer(self, event: dict[str, Any]) -> None:
        from phases.steering import words

        note = f"“{event['note']}”" if event.get("note") else ""
        ordered = words(event) if set(event) & {"stop_early", "rate", "epochs", "metric"} else ""
        self.messages.append(f"{event.get('by')} steers: {'; '.join(part for part in (ordered, note) if part)}")

    def _on_steered(self, event: dict[str, Any]) -> None:
        from phases.steering import words

        self.messages.append(f"steered after epoch {event.get('epoch')}: {words(event)}")

    def _on_steer_missed(self, event: dict[str, Any]) -> None:
        self.messages.append(f"an order was not obeyed: {event.get('why')}")

    def _on_job_lost(self, event: dict[str, Any]) -> None:
        self.messages.append(f"the {event.get('kind')} job was killed; it goes on from its checkpoint")

    def _on_queue(self, event: dict[str, Any]) -> None:
        ahead = event.get("ahead", event.get("position"))
        self.messages.append(str(event.get("message") or f"queued: {ahead} run(s) before this one"))

    def _on_note(self, event: dict[str, Any]) -> None:
        if event.get("message"):
            self.messages.append(str(event["message"]))

    def _on_question(self, event: dict[str, Any]) -> None:
        current = self.current
        if current is not None:
            self.stages[current].status = "waiting"
        text = (event.get("question") or {}).get("text")
        if text:
            self.messages.append(str(text))


def _add(curve: list[float], value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        curve.append(float(value))


def _when(event: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(event["at"])).timestamp()
    except (KeyError, ValueError):
        return time.time()
