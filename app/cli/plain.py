"""The view of a run for pipes and logs: one plain line per thing that happens, no cursor movement, no colour."""

from __future__ import annotations

from typing import Any

import click

from app.cli.figures import clean, number, one_line, span
from app.cli.progress import Progress

EPOCH_EVERY_SECONDS = 1.0


class SilentView:
    """The view of `--json`: the document at the end says everything."""

    def open(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""

    def take(self, event: dict[str, Any]) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""


class PlainView:
    """Lines on standard output; epochs at most one a second, and always the last one."""

    def __init__(self) -> None:
        self.progress = Progress()
        self._shown_at = float("-inf")
        self._held: str | None = None

    def open(self) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Print an epoch that was held back."""
        self._release()

    def note(self, text: str) -> None:
        """Say something that is no event."""
        self._release()
        click.echo(one_line(text))

    def take(self, event: dict[str, Any]) -> None:
        """Print what an event says, if it says something to a person."""
        told = len(self.progress.messages)
        self.progress.take(event)
        if event.get("type") == "epoch":
            self._epoch(event)
            return
        lines = [self._line(event), *self.progress.messages[told:]]
        for line in lines:
            if line:
                self.note(line)

    def _line(self, event: dict[str, Any]) -> str | None:
        match event.get("type"):
            case "queued":
                return f"queued: {event['reason']}"
            case "phase_started":
                return f"{event['phase']}: started"
            case "phase_finished":
                stage = self.progress.stages[str(event["phase"])]
                return f"{event['phase']}: {stage.status} in {span(stage.seconds)}"
            case "decision":
                agent, name, reason = self.progress.decisions[-1]
                return f"  {agent} · {name}: {reason}"
            case "gate":
                failed = [check["name"] for check in event.get("gate", []) if not check["passed"] and check["blocking"]]
                return f"  gate: {', '.join(failed)} failed" if failed else None
            case "log":
                return f"  log: {event.get('message')}" if event.get("message") else None
        return None

    def _epoch(self, event: dict[str, Any]) -> None:
        self._held = "  " + epoch_line(self.progress)
        now = float(event.get("seconds") or 0.0) if "at" not in event else _clock(event)
        if now - self._shown_at >= EPOCH_EVERY_SECONDS or event["epoch"] == event.get("epochs"):
            self._shown_at = now
            self._release()

    def _release(self) -> None:
        if self._held is not None:
            line, self._held = self._held, None
            click.echo(clean(line))


def epoch_line(progress: Progress) -> str:
    """The newest epoch in one line."""
    of = f"/{progress.epochs}" if progress.epochs else ""
    parts = [f"epoch {progress.epoch}{of}"]
    for label, curve in (
        ("train loss", progress.train_loss),
        ("validation loss", progress.validation_loss),
        (progress.metric_name, progress.metric),
    ):
        if curve:
            parts.append(f"{label} {number(curve[-1])}")
    if progress.seconds_left is not None:
        parts.append(f"{span(progress.seconds_left)} left")
    return "  ".join(parts)


def _clock(event: dict[str, Any]) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(str(event["at"])).timestamp()
    except ValueError:
        return 0.0
