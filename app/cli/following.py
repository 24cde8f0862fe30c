"""Following a run from a door: events into a view until it ends or asks, through Ctrl-C and an absent Redis."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from app.cli.door import Door
from app.cli.figures import clean

if TYPE_CHECKING:
    from app.services import RunsService
    from phases.views import RunView

BLOCK_MS = 250
LOOK_EVERY_SECONDS = 1.0
AWAY_PATIENCE_SECONDS = 90.0
TURNING_POINTS = frozenset({"state", "phase_finished", "question", "gate"})


class View(Protocol):
    """What shows a run while it goes on."""

    def open(self) -> None:
        """Begin."""

    def close(self) -> None:
        """End; may be opened again."""

    def take(self, event: dict[str, Any]) -> None:
        """Show an event."""

    def note(self, text: str) -> None:
        """Show a sentence that is no event."""


class Detached(Exception):  # noqa: N818 - not an error: the person left
    """The person left; the run goes on."""


def view_for(door: Door) -> View:
    """Live on a terminal, plain lines in a pipe, nothing with `--json`."""
    from app.cli.plain import PlainView, SilentView

    if door.json:
        return SilentView()
    if door.live:
        from app.cli.live import LiveView

        return LiveView()
    return PlainView()


class Interrupts:
    """Ctrl-C and SIGTERM noticed instead of obeyed, while this is entered. A closed terminal is neither.

    Attributes:
        terminated: SIGTERM came: this door has to go, whatever the run does.
    """

    def __init__(self) -> None:
        self.terminated = False
        self._hit = asyncio.Event()

    def __enter__(self) -> Interrupts:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._hit.set)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminate)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)

    def _terminate(self) -> None:
        self.terminated = True
        self._hit.set()

    async def next(self) -> None:
        """Wait for the next signal; one that came before the call counts."""
        await self._hit.wait()
        self._hit.clear()


@dataclass
class Follower:
    """One run, its view, and how far its events were read."""

    runs: RunsService
    run_id: str
    view: View
    interrupts: Interrupts
    after: str = "0"
    cancelling: bool = False
    _away_since: float | None = field(default=None, init=False)
    _unsent: bool = field(default=False, init=False)

    async def until_it_stops(self, *, cancel_on_interrupt: bool) -> RunView:
        """Follow until the run has ended or waits for a person.

        Args:
            cancel_on_interrupt: First Ctrl-C cancels the run cleanly, the second at once; else Ctrl-C detaches.

        Raises:
            Detached: Ctrl-C while only watching, or SIGTERM.
            KeyboardInterrupt: the second Ctrl-C; the run was told to stop at once.
        """
        self.view.open()
        reading = asyncio.create_task(self._read())
        try:
            while True:
                hit = asyncio.create_task(self.interrupts.next())
                await asyncio.wait({reading, hit}, return_when=asyncio.FIRST_COMPLETED)
                if not hit.done():
                    hit.cancel()
                    return await reading
                await self._interrupted(cancel_on_interrupt)
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({reading})
            self.view.close()

    async def _interrupted(self, cancel: bool) -> None:
        if not cancel or self.interrupts.terminated:
            raise Detached
        from memory.errors import NeuroloomError

        if self.cancelling:
            with contextlib.suppress(TimeoutError, NeuroloomError):
                await asyncio.wait_for(self.runs.cancel(self.run_id, at_once=True), 1.0)
            raise KeyboardInterrupt
        self.cancelling = True
        self.view.note("cancelling: the run stops at its next safe point (Ctrl-C again: at once)")
        await self._cancel()

    async def _cancel(self) -> None:
        """Send the cancel, or keep it until Redis is back: a wish is never lost with the connection."""
        from memory.errors import RedisAway

        try:
            await self.runs.cancel(self.run_id)
            self._unsent = False
        except RedisAway:
            self._unsent = True
            self.view.note("Redis is away: the cancel is sent when it is back (Ctrl-C again: leave now)")

    async def _read(self) -> RunView:
        looked = 0.0
        while True:
            begun = time.monotonic()
            events = await self._events(BLOCK_MS)
            turned = self._show(events)
            if self._away_since is None and (turned or time.monotonic() - looked >= LOOK_EVERY_SECONDS):
                looked = time.monotonic()
                now = await self._look()
                if now is not None and (now.ended or now.status == "waiting"):
                    self._show(await self._events(0))
                    return now
            if not events and time.monotonic() - begun < 0.05:
                await asyncio.sleep(0.1)

    def _show(self, events: list[tuple[str, dict[str, Any]]]) -> bool:
        turned = False
        for self.after, event in events:
            self.view.take(event)
            turned = turned or event.get("type") in TURNING_POINTS
        return turned

    async def _events(self, block_ms: int) -> list[tuple[str, dict[str, Any]]]:
        from memory.errors import RedisAway

        try:
            found = list(await self.runs.events(self.run_id, self.after, block_ms))
        except RedisAway as error:
            self._away(error)
            await asyncio.sleep(0.5)
            return []
        self._back()
        if self._unsent:
            await self._cancel()
        return found

    async def _look(self) -> RunView | None:
        from memory.errors import RedisAway

        try:
            return await self.runs.get(self.run_id)
        except RedisAway as error:
            self._away(error)
            return None

    def _away(self, error: Exception) -> None:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            self.view.note("Redis is away; the run waits for it, and so does this view")
        elif now - self._away_since > AWAY_PATIENCE_SECONDS:
            raise error

    def _back(self) -> None:
        if self._away_since is not None:
            self._away_since = None
            self.view.note("Redis is back")


async def read_line(prompt: str) -> str | None:
    """One line typed by the person, or None at the end of input. Ctrl-C stays a signal; nothing is left blocked."""
    sys.stderr.write(clean(prompt))
    sys.stderr.flush()
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    line = sys.stdin.readline()
    return line.strip() if line else None
