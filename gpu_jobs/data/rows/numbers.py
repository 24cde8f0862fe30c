"""Number and boolean fields: parsed, filled, robustly scaled, smoothly clipped, missing ones marked.

Scaling follows RealMLP (Holzmüller et al. 2024, arXiv:2407.04491): minus the median, over the inter-quartile
range, then x / sqrt(1 + (x/3)²).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from math import nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import wrong_type
from .fields import Categories, Column, Numbers, described, markers_of

LIMIT = 1.7e308  # beyond it a value counts as infinite, and infinite as missing
_EDGE = 1e6  # the smooth clip of this is 3 to seven digits; it keeps the square finite
_SIGN = re.compile(r"^([+-])\s")
_PLAIN = {int, float, type(None)}


def parse_number(text: str, decimal: str = ".") -> float:
    """A written number with this decimal mark; the other mark may part groups of three digits.

    Raises:
        ValueError: The text is not a number.
    """
    whole, mark, part = text.partition(decimal)
    groups = whole.split("." if decimal == "," else ",")
    if "_" in text or not part.isascii() or any(len(group) != 3 for group in groups[1:]):
        raise ValueError(f"{text!r} is not a number with the decimal mark {decimal!r}")
    return float("".join(groups) + ("." + part if mark else ""))


def scaled(value: float, median: float, scale: float) -> float:
    """One value after the robust scale and the smooth clip."""
    x = (value - median) / scale
    x = -_EDGE if x < -_EDGE else (_EDGE if x > _EDGE else x)
    third = x / 3.0
    return x / sqrt(1.0 + third * third)


def scaled_column(values: NDArray[np.float64], median: float, scale: float) -> NDArray[np.float64]:
    """The same for (n,) values, bit for bit."""
    with np.errstate(over="ignore"):
        x = (values - median) / scale
    np.clip(x, -_EDGE, _EDGE, out=x)
    third = x / 3.0
    clipped: NDArray[np.float64] = x / np.sqrt(1.0 + third * third)
    return clipped


class NumberField:
    """A number at `value_at`, and 1 at `missing_at` (if there is one) where it is missing or infinite."""

    expected = "a number"

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.decimal: str = spec.get("decimal") or "."
        self.unit: str | None = spec.get("unit")
        self.median = float(spec["median"])
        self.scale = float(spec["scale"])
        self.fill = float(spec["fill"])
        self.value_at: int = spec["value_at"]
        self.missing_at: int | None = spec["missing_at"]
        self.markers = markers_of(spec)
        self._filled = scaled(self.fill, self.median, self.scale)

    def one(self, value: Any, numbers: array[float], _categories: array[int]) -> None:
        """One raw value: a JSON number, its text, or None."""
        kind = type(value)
        if kind is not float and kind is not int:
            value = self._parsed(value)
        if -LIMIT <= value <= LIMIT:
            x = (value - self.median) / self.scale
            x = -_EDGE if x < -_EDGE else (_EDGE if x > _EDGE else x)
            third = x / 3.0
            numbers[self.value_at] = x / sqrt(1.0 + third * third)
        else:
            numbers[self.value_at] = self._filled
            if self.missing_at is not None:
                numbers[self.missing_at] = 1.0

    def column(self, values: Column, numbers: Numbers, _categories: Categories) -> None:
        """N raw values; a float64 array (NaN = missing) is the fast way."""
        table = self._floats(values)
        gone = ~((table >= -LIMIT) & (table <= LIMIT))
        table = np.where(gone, self.fill, table)
        numbers[:, self.value_at] = scaled_column(table, self.median, self.scale)
        if self.missing_at is not None:
            numbers[:, self.missing_at] = gone

    def describe(self) -> dict[str, Any]:
        """Name, kind and example."""
        return described(self.spec)

    def _floats(self, values: Column) -> NDArray[np.float64]:
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
            return values.astype(np.float64)
        if set(map(type, values)) <= _PLAIN:
            try:
                return np.asarray(values, np.float64)
            except OverflowError:  # a whole number beyond float64
                pass
        return np.asarray([self._parsed(value) for value in values], np.float64)

    def _parsed(self, value: Any) -> float:
        if value is None:
            return nan
        if isinstance(value, str):
            return self._read(value)
        if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
            return float(value) if -LIMIT <= value <= LIMIT else nan
        raise wrong_type(self.name, value, self.expected)

    def _read(self, value: str) -> float:
        text = value.strip()
        if text.lower() in self.markers:
            return nan
        if self.unit is not None:
            text = _SIGN.sub(r"\1", text.replace(self.unit, "", 1)).strip()
        try:
            return parse_number(text, self.decimal)
        except ValueError:
            pass
        try:
            return parse_number(text)
        except ValueError:
            raise wrong_type(self.name, value, self.expected) from None


class BooleanField(NumberField):
    """Two texts of the file (such as ``no`` and ``yes``), JSON booleans, or 0 and 1; encoded as 0 and 1."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        super().__init__(spec)
        false, true = spec["levels"]
        self.expected = f"true or false ({true!r} or {false!r})"
        self.texts = {"false": 0.0, "true": 1.0, "0": 0.0, "1": 1.0, false.lower(): 0.0, true.lower(): 1.0}

    def one(self, value: Any, numbers: array[float], _categories: array[int]) -> None:
        """One raw value."""
        super().one(self._parsed(value), numbers, _categories)

    def describe(self) -> dict[str, Any]:
        """Name, kind, example and the two levels."""
        return described(self.spec, levels=list(self.spec["levels"]))

    def _floats(self, values: Column) -> NDArray[np.float64]:
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            return values.astype(np.float64)
        return np.asarray([self._parsed(value) for value in values], np.float64)

    def _parsed(self, value: Any) -> float:
        if isinstance(value, str):
            text = value.strip().lower()
            found = nan if text in self.markers else self.texts.get(text)
        else:
            found = _boolean(value)
        if found is None:
            raise wrong_type(self.name, value, self.expected)
        return found


def _boolean(value: Any) -> float | None:
    if value is None:
        return nan
    if isinstance(value, (bool, np.bool_)):
        return float(value)
    if isinstance(value, (int, float, np.integer, np.floating)):
        return nan if value != value else (float(value) if value in (0, 1) else None)
    return None
