"""The live view of a run on a terminal, drawn with rich from `Progress`. It reads no service."""

from __future__ import annotations

import threading
import time
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from app.cli.figures import number, one_line, span, sparkline
from app.cli.progress import Progress, Stage

MARKS = {
    "pending": ("·", "dim"),
    "passed": ("✓", "green"),
    "rejected": ("✗", "red"),
    "failed": ("✗", "red"),
    "cancelled": ("✗", "yellow"),
    "waiting": ("?", "yellow"),
    "skipped": ("–", "dim"),
}
DECISIONS_SHOWN = 8
LINES_BESIDE = 14  # phases, curves, messages and a line to spare: what is left of the screen is for decisions
FRAMES_PER_SECOND = 8


class LiveView:
    """Redraws in place while it is open; what was drawn last stays on the terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self.progress = Progress()
        self.console = console or Console(highlight=False)
        self._lock = threading.Lock()
        self._spinner = Spinner("dots", style="cyan")
        self._live: Live | None = None

    def open(self) -> None:
        """Start drawing."""
        self._live = Live(
            console=self.console,
            refresh_per_second=FRAMES_PER_SECOND,
            get_renderable=self.__rich__,
            vertical_overflow="ellipsis",
        )
        self._live.start()

    def close(self) -> None:
        """Draw once more and stop."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def take(self, event: dict[str, Any]) -> None:
        """Fold in an event; it is drawn with the next frame."""
        with self._lock:
            self.progress.take(event)

    def note(self, text: str) -> None:
        """Say something that is no event, above the picture."""
        self.console.print(Text(one_line(text), style="yellow"))

    def __rich__(self) -> RenderableType:
        """The picture now."""
        with self._lock:
            parts: list[RenderableType] = []
            if self.progress.waits is not None:
                parts.append(Text(one_line(f"queued: {self.progress.waits}"), style="dim"))
            parts.append(self._phases())
            if self.progress.train_loss or self.progress.validation_loss:
                parts.append(self._curves())
            parts.extend(Text(f"  {one_line(text)}", style="yellow") for text in self.progress.messages[-3:])
            if self.progress.decisions:
                parts.append(self._decisions())
            return Group(*parts)

    def _phases(self) -> Table:
        table = Table.grid(padding=(0, 2))
        now = time.time()
        for name, stage in self.progress.stages.items():
            table.add_row(
                self._mark(stage),
                Text(one_line(name)),
                Text(span(stage.elapsed(now)), style="dim"),
                self._detail(name, stage),
            )
        return table

    def _mark(self, stage: Stage) -> RenderableType:
        if stage.status == "running":
            return self._spinner
        mark, style = MARKS.get(stage.status, ("?", "yellow"))
        return Text(mark, style=style)

    def _detail(self, name: str, stage: Stage) -> Text:
        words = []
        if stage.status == "running":
            if name == "train" and self.progress.epoch:
                of = f"/{self.progress.epochs}" if self.progress.epochs else ""
                words.append(f"epoch {self.progress.epoch}{of}")
            elif stage.doing:
                words.append(one_line(stage.doing))
            if self.progress.seconds_left is not None:
                words.append(f"{span(self.progress.seconds_left)} left")
        return Text(" · ".join(words), style="cyan")

    def _curves(self) -> Table:
        progress = self.progress
        table = Table.grid(padding=(0, 2))
        for label, curve in (
            ("train loss", progress.train_loss),
            ("validation loss", progress.validation_loss),
            (one_line(progress.metric_name or "metric"), progress.metric),
        ):
            if curve:
                table.add_row(Text(f"  {label}", style="dim"), Text(sparkline(curve), style="cyan"), number(curve[-1]))
        return table

    def _decisions(self) -> Table:
        shown = [(one_line(agent), one_line(f"{name}: {reason}")) for agent, name, reason in self.progress.decisions]
        shown = shown[-DECISIONS_SHOWN:]
        width = min(max(len(agent) for agent, _ in shown), self.console.width // 3)
        rest = max(20, self.console.width - width - 4)
        while self._live is not None and len(shown) > 1 and self._lines(shown, rest) > self.console.height:
            del shown[0]
        table = Table.grid(padding=(0, 2))
        table.add_column(width=width + 2, no_wrap=True, overflow="ellipsis")
        table.add_column(overflow="fold")
        for agent, told in shown:
            table.add_row(Text(f"  {agent}", style="magenta"), Text(told))
        return table

    @staticmethod
    def _lines(shown: list[tuple[str, str]], width: int) -> int:
        """Lines of the screen that these decisions and all beside them take, at the least."""
        return LINES_BESIDE + sum(-(-len(told) // width) for _, told in shown)
