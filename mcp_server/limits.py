"""How often and how many at once a principal may call. In memory: each server process counts its own."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from mcp_server.refusal import CallRefused
from mcp_server.settings import ChatSettings


class Limits:
    """The limits of `chat.calls_per_second`, `chat.calls_per_minute` and `chat.calls_at_once`."""

    def __init__(self, settings: ChatSettings) -> None:
        self._settings = settings
        self._open: Counter[str] = Counter()
        self._made: dict[str, tuple[_Window, _Window]] = {}

    @contextmanager
    def call(self, who: str) -> Iterator[None]:
        """Count a call while it is answered.

        Args:
            who: The principal's name; streams that stay open are counted under a name of their own.

        Raises:
            CallRefused: `limit.rate` or `limit.at_once`, with the seconds after which to call again.
        """
        most = self._settings.calls_at_once
        if self._open[who] >= most:
            raise _refused("limit.at_once", f"{most} calls of {who!r} are being answered already", 1)
        self._count(who)
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1

    def in_words(self) -> str:
        """The limits, to be printed beside a measurement."""
        found = self._settings
        return f"{found.calls_per_minute} calls a minute, {found.calls_per_second} a second, {found.calls_at_once} open"

    def _count(self, who: str) -> None:
        now = time.monotonic()
        windows = self._made.setdefault(who, self._windows())
        for window in windows:
            if window.left(now) > 0:
                raise _refused("limit.rate", f"{who!r} has made {window}", max(1, math.ceil(window.left(now))))
        for window in windows:
            window.times.append(now)

    def _windows(self) -> tuple[_Window, _Window]:
        found = self._settings
        return _Window(found.calls_per_second, 1, "second"), _Window(found.calls_per_minute, 60, "minute")


class _Window:
    """The newest calls, as many as may be made in so many seconds."""

    def __init__(self, most: int, seconds: float, unit: str) -> None:
        self.times: deque[float] = deque(maxlen=most)
        self._most, self._seconds, self._unit = most, seconds, unit

    def left(self, now: float) -> float:
        """Seconds until one more may be made; 0 or less: now."""
        return self.times[0] + self._seconds - now if len(self.times) == self._most else 0.0

    def __str__(self) -> str:
        return f"{self._most} per 1 {self._unit}"


def _refused(code: str, message: str, seconds: int) -> CallRefused:
    return CallRefused(
        f"too many calls: {message}",
        code=code,
        next=f"wait {seconds} s, then make the same call again; run_wait waits without polling",
        retry_after_s=seconds,
    )
