"""How often and how many at once a principal may call. In memory: each server process counts its own."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from mcp_server.refusal import CallRefused
from mcp_server.settings import ChatSettings

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import MovingWindowRateLimiter


class Limits:
    """The limits of `chat.calls_per_second`, `chat.calls_per_minute` and `chat.calls_at_once`."""

    def __init__(self, settings: ChatSettings) -> None:
        self._settings = settings
        self._open: Counter[str] = Counter()

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
        for window in self._windows:
            if not self._limiter.hit(window, who):
                again = self._limiter.get_window_stats(window, who).reset_time - time.time()
                raise _refused("limit.rate", f"{who!r} has made {window}", max(1, math.ceil(again)))

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        """Made at the first call: its import would delay the list of tools."""
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        return MovingWindowRateLimiter(MemoryStorage())

    @cached_property
    def _windows(self) -> tuple[RateLimitItem, ...]:
        from limits import RateLimitItemPerMinute, RateLimitItemPerSecond

        found = self._settings
        return RateLimitItemPerSecond(found.calls_per_second), RateLimitItemPerMinute(found.calls_per_minute)


def _refused(code: str, message: str, seconds: int) -> CallRefused:
    return CallRefused(
        f"too many calls: {message}",
        code=code,
        next=f"wait {seconds} s, then make the same call again; run_wait waits without polling",
        retry_after_s=seconds,
    )
