"""How a measured number is written, with a reference to where it comes from. A bare number is refused.

`Sources` numbers the provenances of one document in the order in which its figures appear; the document ends with
the list, so every figure can be traced to the job that measured it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from memory.measurement import Measurement, Provenance

from .quoting import Quoted, html, markdown

_UNITS: dict[str, tuple[Callable[[float], str], str]] = {
    "fraction": (lambda v: f"{v:.4f}", ""),
    "nats": (lambda v: f"{v:.4f}", ""),
    "percent": (lambda v: f"{v:.1f}", " %"),
    "ms": (lambda v: f"{v:.3g}", " ms"),
    "s": (lambda v: f"{v:.3g}", " s"),
    "requests/s": (lambda v: f"{v:,.0f}", " requests/s"),
    "rows/s": (lambda v: f"{v:,.0f}", " rows/s"),
    "MB": (lambda v: f"{v:,.1f}", " MB"),
    "bytes": (lambda v: f"{v:,.0f}", " bytes"),
    "target": (lambda v: f"{v:,.0f}" if abs(v) >= 1e5 else f"{v:,.5g}", ""),
    "ratio": (lambda v: f"{v:.4g}", ""),
    "rows": (lambda v: f"{v:,.0f}", " rows"),
    "parameters": (lambda v: f"{v:,.0f}", " parameters"),
}


@dataclass(frozen=True)
class Source:
    """One line of the provenance table: what several figures of one job have in common."""

    number: int
    provenance: Provenance
    first: str
    last: str
    load: float


class Sources:
    """The provenances of one document, numbered from 1 in order of first use."""

    def __init__(self) -> None:
        self._cited: dict[tuple[Any, ...], list[Provenance]] = {}

    def cite(self, measurement: Measurement) -> int:
        """The number of the measurement's provenance. Time and load differ within a job: its line gives their range."""
        origin = measurement.provenance
        key = tuple(v for k, v in origin.model_dump().items() if k not in ("at", "load"))
        self._cited.setdefault(key, []).append(origin)
        return list(self._cited).index(key) + 1

    def table(self) -> list[Source]:
        """Every provenance cited so far."""
        return [
            Source(
                number,
                cited[0],
                min(origin.at for origin in cited),
                max(origin.at for origin in cited),
                max(origin.load for origin in cited),
            )
            for number, cited in enumerate(self._cited.values(), 1)
        ]


def _measured(value: object) -> Measurement:
    if not isinstance(value, Measurement):
        raise TypeError(f"{value!r} is not a Measurement: a figure without provenance is not shown")
    return value


def _four_digits(value: float) -> str:
    return f"{value:.4g}"


def written(value: float, unit: str) -> str:
    """A number in its unit, to the digits that carry information: `0.9733`, `0.412 ms`, `21,862 bytes`."""
    number, suffix = _UNITS.get(unit, (_four_digits, f" {unit}"))
    text = number(value)
    if text == "1" and suffix == " rows":
        suffix = " row"
    rounded_to_nothing = not text.strip("-0.,")
    return (text.removeprefix("-") if rounded_to_nothing else text) + suffix


def spoken(measurement: object) -> str:
    """The measurement and, where it has one, its 95 % interval, as plain text."""
    m = _measured(measurement)
    text = written(m.value, m.unit)
    if m.interval is None:
        return text
    low, high = (written(end, m.unit) for end in m.interval)
    return f"{text} (95 % interval {low} to {high})"


def figure_md(measurement: object, sources: Sources) -> Quoted:
    """A measurement in Markdown: value, interval, reference to the provenance table."""
    m = _measured(measurement)
    interval = ""
    if m.interval is not None:
        low, high = (written(end, m.unit) for end in m.interval)
        interval = f" ({low} to {high})"
    return Quoted(f"{markdown(written(m.value, m.unit) + interval)} [^{sources.cite(m)}]")


def figure_html(measurement: object, sources: Sources) -> Quoted:
    """A measurement in HTML: a `<data>` with the full value, its provenance as a tooltip, and a reference."""
    m = _measured(measurement)
    number = sources.cite(m)
    interval = ""
    if m.interval is not None:
        low, high = (html(written(end, m.unit)) for end in m.interval)
        interval = f' <span class="interval">{low} to {high}</span>'
    origin = m.provenance
    rows = "row" if origin.rows == 1 else "rows"
    where = f"on {origin.rows} {origin.split} {rows}, " if origin.split and origin.rows else ""
    title = f"{m.value!r} {m.unit}; measured {where}by job {origin.job} at {origin.at}, load {origin.load:.2f}"
    value = f'<data class="figure" value="{m.value!r}" title="{html(title)}">{html(written(m.value, m.unit))}</data>'
    reference = f'<a class="ref" href="#source-{number}" aria-label="source {number}">{number}</a>'
    return Quoted(f"{value}{reference}{interval}")


def plain(measurement: object) -> Quoted:
    """A measurement's value in its unit, for cells whose source is cited beside them."""
    m = _measured(measurement)
    return html(written(m.value, m.unit))


FILTERS: dict[str, Any] = {"figure_md": figure_md, "figure_html": figure_html}
