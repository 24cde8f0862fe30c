"""Date fields: days since 1970 as a scaled number, and month, weekday, day and hour on circles."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from math import cos, nan, pi, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import wrong_type
from .fields import Categories, Column, Numbers, described, markers_of
from .numbers import scaled, scaled_column

PERIODS = {"month": 12, "weekday": 7, "day": 31, "hour": 24}
_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_DAY = 86_400
# One table per part serves both paths: NumPy's and the C library's sine may differ in the last bit.
CIRCLES = {
    part: np.asarray([(sin(2 * pi * i / n), cos(2 * pi * i / n)) for i in range(n)], np.float32)
    for part, n in PERIODS.items()
}
_ROWS = {part: table.tolist() for part, table in CIRCLES.items()}


def parse_date(text: str, formats: tuple[str, ...] = ()) -> datetime | None:
    """ISO 8601 or one of `formats` as a naive UTC datetime to the second; None when it is neither."""
    try:
        return _naive(datetime.fromisoformat(text))
    except ValueError:
        pass
    for form in formats:
        try:
            return _naive(datetime.strptime(text, form))
        except ValueError:
            continue
    return None


def parts_of(seconds: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Seconds since 1970 to month (0-11), weekday (Monday 0), day (0-30) and hour (0-23)."""
    days = seconds // _DAY
    when = days.astype("datetime64[D]")
    month = when.astype("datetime64[M]")
    return {
        "month": month.astype(np.int64) % 12,
        "weekday": (days + 3) % 7,
        "day": (when - month.astype("datetime64[D]")).astype(np.int64),
        "hour": seconds % _DAY // 3600,
    }


class DateField:
    """Elapsed days at `value_at`, sine and cosine of each part from `start` on, `missing_at` as in numbers."""

    expected = "a date such as '2024-03-01'"

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.formats = tuple(spec.get("formats", ()))
        self.parts: list[str] = spec["parts"]
        self.start: int = spec["start"]
        self.value_at: int = spec["value_at"]
        self.missing_at: int | None = spec["missing_at"]
        self.median = float(spec["median"])
        self.scale = float(spec["scale"])
        self.markers = markers_of(spec)
        self._filled = scaled(float(spec["fill"]), self.median, self.scale)

    def one(self, value: Any, numbers: array[float], _categories: array[int]) -> None:
        """One raw value: the text of a date, a date, or None."""
        when = self._parsed(value)
        if when is None:
            numbers[self.value_at] = self._filled
            if self.missing_at is not None:
                numbers[self.missing_at] = 1.0
            return
        seconds = (when - _EPOCH) // _SECOND
        numbers[self.value_at] = scaled(seconds / _DAY, self.median, self.scale)
        indices = {"month": when.month - 1, "weekday": when.weekday(), "day": when.day - 1, "hour": when.hour}
        at = self.start
        for part in self.parts:
            numbers[at], numbers[at + 1] = _ROWS[part][indices[part]]
            at += 2

    def column(self, values: Column, numbers: Numbers, _categories: Categories) -> None:
        """N raw values; a datetime64 array (NaT = missing) is the fast way, ISO texts the next."""
        when = self._times(values)
        gone = np.isnat(when)
        seconds = np.where(gone, np.datetime64(0, "s"), when).astype(np.int64)
        days = scaled_column(seconds / _DAY, self.median, self.scale)
        numbers[:, self.value_at] = np.where(gone, self._filled, days)
        if self.missing_at is not None:
            numbers[:, self.missing_at] = gone
        indices = parts_of(seconds)
        for i, part in enumerate(self.parts):
            at = self.start + 2 * i
            numbers[:, at : at + 2] = np.where(gone[:, None], np.float32(0), CIRCLES[part][indices[part]])

    def describe(self) -> dict[str, Any]:
        """Name, kind, example and the formats read besides ISO 8601."""
        return described(self.spec, formats=list(self.formats))

    def _times(self, values: Column) -> NDArray[np.datetime64]:
        if isinstance(values, np.ndarray) and values.dtype.kind == "M":
            return values.astype("datetime64[s]")
        parsed = [self._parsed(value) for value in values]
        return _stamps([None if when is None else (when - _EPOCH) // _SECOND for when in parsed])

    def _parsed(self, value: Any) -> datetime | None:
        if isinstance(value, str):
            text = value.strip()
            if text.lower() in self.markers:
                return None
            when = parse_date(text, self.formats)
        elif isinstance(value, datetime):
            when = _naive(value)
        elif isinstance(value, date):
            when = datetime(value.year, value.month, value.day)
        elif value is None or value is nan:
            return None
        else:
            when = None
        if when is None:
            raise wrong_type(self.name, value, self.expected)
        return when


def _stamps(seconds: list[int | None]) -> NDArray[np.datetime64]:
    gone = np.asarray([s is None for s in seconds], bool)
    stamps = np.asarray([0 if s is None else s for s in seconds], np.int64).astype("datetime64[s]")
    stamps[gone] = np.datetime64("NaT", "s")
    return stamps


def _naive(when: datetime) -> datetime:
    if when.tzinfo is not None:
        when = when.astimezone(UTC).replace(tzinfo=None)
    return when.replace(microsecond=0)
