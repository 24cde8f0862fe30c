"""How numbers, spans and words of data are written for people. A number without provenance is refused, not shown."""

from __future__ import annotations

import itertools
import json
import math
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memory.measurement import Measurement
    from phases.views import CheckView

DUST = 1e-12
BARS = "▁▂▃▄▅▆▇█"
PLAIN_UNITS = frozenset({"fraction", "target", "ratio", "", "nats"})


def number(value: float) -> str:
    """Four significant digits, thousands apart, no exponent where people do not expect one; rounding dust is zero."""
    if abs(value) < DUST:
        return "0"
    if not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.2e}"


def figure(measured: Measurement, *, interval: bool = True) -> str:
    """A measurement with its unit and, where there is one, its 95 % interval.

    Raises:
        AssertedOnly: it is not a measurement, so it has no provenance and is not shown as one.
    """
    from memory.errors import AssertedOnly
    from memory.measurement import Measurement

    if not isinstance(measured, Measurement):
        raise AssertedOnly(f"{measured!r} is no measurement: a number without provenance is not shown")
    unit = "" if measured.unit in PLAIN_UNITS else f" {measured.unit}"
    text = number(measured.value) + unit
    if interval and measured.interval is not None:
        low, high = measured.interval
        text += f" ({number(low)}–{number(high)})"
    return text


def measured(check: CheckView) -> str:
    """What a check measured: a figure, yes or no, or a word."""
    value = check.measured
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str):
        return clean(value or "–")
    return figure(value, interval=False)


def wanted(check: CheckView) -> str:
    """What a check asked for."""
    threshold = check.threshold
    if isinstance(threshold, bool):
        return "yes" if threshold else "no"
    text = number(float(threshold)) if isinstance(threshold, int | float) else clean(str(threshold))
    return text if check.comparison in {"", "is"} else f"{check.comparison} {text}"


def span(seconds: float | None) -> str:
    """A length of time: 0.4 s, 12 s, 3 min 20 s, 1 h 5 min."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def sparkline(values: list[float], width: int = 40) -> str:
    """A curve in one line of text; more values than `width` are averaged into that many."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    if len(finite) > width:
        edges = [round(i * len(finite) / width) for i in range(width + 1)]
        finite = [sum(finite[a:b]) / (b - a) for a, b in itertools.pairwise(edges) if b > a]
    low, high = min(finite), max(finite)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[int((value - low) * scale)] for value in finite)


def clean(text: str) -> str:
    """Text from data or logs without control characters, so that it cannot steer the terminal."""
    return "".join("�" if _steers(char) else char for char in text)


def clean_lines(text: str) -> str:
    """The same for text of several lines; tabs stay."""
    return "".join("�" if _steers(char) and char not in "\n\t" else char for char in text)


def json_text(document: Any) -> str:
    """A document as indented JSON in which nothing can steer the terminal; read back, it is the document itself."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(json.dumps(char)[1:-1] if _steers(char) and char != "\n" else char for char in text)


def _steers(char: str) -> bool:
    """Controls, invisible format characters such as those that turn the direction, and halves of characters."""
    return (char >= "\x7f" and unicodedata.category(char) in {"Cc", "Cf", "Cs"}) or char < " "


def one_line(text: Any, width: int = 0) -> str:
    """The text on one line, cut with an ellipsis where it is longer than `width`."""
    flat = clean(" ".join(str(text).split()))
    return flat if not width or len(flat) <= width else flat[: max(1, width - 1)] + "…"
