"""Statistics as they may leave: two significant digits, so that no cell can be read from them."""

from __future__ import annotations

import math

DIGITS = 2


def rounded(value: float | None) -> float | int | None:
    """The number to two significant digits; None for what is not finite.

    Example:
        >>> rounded(38653.47), rounded(0.012345), rounded(7), rounded(None)
        (39000, 0.012, 7, None)
    """
    if value is None or not math.isfinite(value):
        return None
    if value == 0:
        return 0
    found = round(float(value), DIGITS - 1 - math.floor(math.log10(abs(value))))
    return int(found) if found.is_integer() and abs(found) < 1e15 else found
