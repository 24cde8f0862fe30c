"""Compares what was reported with what was found again, and keeps what differs or has no source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CLOSE, PARITY = 1e-6, 1e-4
ORIGIN = {"kind", "run", "job", "dataset_sha256", "code_version", "device", "seed", "load", "at", "split", "rows"}


@dataclass(frozen=True)
class Figure:
    """A measurement that is expected: its value, None where it can only be measured and so needs no more than origin.

    Attributes:
        split, rows: what its provenance must name; `rows` None where the provenance names none.
        interval: both ends, None for no interval.
        tolerance: relative to values above 1, absolute below.
    """

    value: float | None
    unit: str
    split: str | None = None
    rows: int | None = None
    interval: tuple[float, float] | None = None
    tolerance: float = CLOSE


@dataclass(frozen=True)
class Near:
    """A plain number that is expected within a tolerance."""

    value: float
    tolerance: float


class Anything:
    """A plain number that can only be measured or chosen; other places are compared with the one it stands in."""


def number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers(document: Any) -> Iterator[float]:
    """Every number in a document."""
    if isinstance(document, dict):
        for value in document.values():
            yield from numbers(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from numbers(value)
    elif number(document):
        yield float(document)


def measurements(document: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, measurement) of every measurement in a document."""
    if isinstance(document, dict):
        if "provenance" in document and "value" in document:
            yield path, document
        for key, value in document.items():
            yield from measurements(value, f"{path}.{key}")
    elif isinstance(document, list):
        for place, value in enumerate(document):
            yield from measurements(value, f"{path}[{place}]")


class Check:
    """Counts comparisons, keeps what differs."""

    def __init__(self) -> None:
        self.compared = 0
        self.wrong: list[str] = []

    def equal(self, what: str, found: Any, expected: Any, tolerance: float = CLOSE) -> None:
        """Note a difference of more than `tolerance`, relative to values above 1 and absolute below."""
        self.compared += 1
        if not number(found) or not abs(float(found) - float(expected)) <= tolerance * max(1.0, abs(float(expected))):
            self.wrong.append(f"{what}: reported {found!r}, recomputed {expected!r}")

    def true(self, what: str, fine: bool) -> None:
        """Note what does not hold."""
        self.compared += 1
        if not fine:
            self.wrong.append(what)

    def same(self, what: str, found: Any, expected: Any) -> None:
        """Compare a whole document with what is expected; a number that nothing is expected for has no source."""
        if isinstance(expected, Figure):
            self._figure(what, found, expected)
        elif isinstance(expected, Near):
            self.equal(what, found, expected.value, expected.tolerance)
        elif isinstance(expected, Anything):
            self.true(f"{what}: {found!r} is not a finite number", number(found) and math.isfinite(found))
        elif isinstance(expected, dict) and isinstance(found, dict):
            self._mapping(what, found, expected)
        elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
            self.true(f"{what}: {len(found)} entries, expected {len(expected)}", len(found) == len(expected))
            for place, (one, other) in enumerate(zip(found, expected, strict=False)):
                self.same(f"{what} {place}", one, other)
        elif number(expected):
            self.equal(what, found, expected)
        else:
            self.true(f"{what}: reported {found!r}, expected {expected!r}", found == expected)

    def _mapping(self, what: str, found: dict[str, Any], expected: dict[str, Any]) -> None:
        for key in expected:
            if key in found:
                self.same(f"{what} {key}", found[key], expected[key])
            else:
                self.true(f"{what} {key} is absent", expected[key] is None)
        for key in found.keys() - expected.keys():
            for value in numbers(found[key]):
                self.true(f"{what} {key}: {value!r} has no source", False)

    def _figure(self, what: str, found: Any, expected: Figure) -> None:
        if not isinstance(found, dict) or "provenance" not in found:
            self.true(f"{what}: {found!r} is not a measurement", False)
            return
        if expected.value is None:
            self.true(f"{what} is not finite", number(found["value"]) and math.isfinite(found["value"]))
        else:
            self.equal(what, found["value"], expected.value, expected.tolerance)
        self.true(f"{what}: in {found['unit']!r}, expected {expected.unit!r}", found["unit"] == expected.unit)
        origin = found["provenance"]
        named = (origin.get("split"), origin.get("rows"))
        self.true(f"{what}: measured on {named}, expected {(expected.split, expected.rows)}",
                  named == (expected.split, expected.rows))  # fmt: skip
        ends = found.get("interval")
        self.true(f"{what}: interval {ends!r}", (ends is None) == (expected.interval is None))
        for end, other in zip(ends or (), expected.interval or (), strict=False):
            self.equal(f"{what} interval", end, other, expected.tolerance)
