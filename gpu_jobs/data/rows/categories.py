"""Category fields: one-hot columns of `numbers` for few levels, a column of `categories` for many."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import wrong_type
from .fields import Categories, Column, Numbers, described, markers_of
from .numbers import LIMIT

MISSING, OTHER, FIRST = 0, 1, 2  # indices of an embedded category; its levels start at FIRST
_NOWHERE, _UNSEEN = -1, -2
_NUMBERS = (int, float, np.integer, np.floating)


def level_text(value: Any) -> str:
    """A number as the text of a level: 3 and 3.0 are both ``3``."""
    return str(int(value)) if value == int(value) else repr(float(value))


class CategoryField:
    """Text to a place: a one-hot column (`encoding` one_hot) or an index (`encoding` index).

    A level that training did not keep is `other`; without such a column its one-hot columns stay zero.
    """

    expected = "a text"

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        levels: list[str] = spec["levels"]
        self.one_hot = spec["encoding"] == "one_hot"
        if self.one_hot:
            first = spec["start"]
            self.missing = _place(spec["missing_at"])
            self.other = _place(spec["other_at"])
        else:
            first, self.missing, self.other = FIRST, MISSING, OTHER
            self.index: int = spec["place"]
        self.table: dict[Any, int] = {None: self.missing}
        self.table.update(zip(markers_of(spec), repeat(self.missing)))
        self.table.update((level, first + i) for i, level in enumerate(levels))
        self.known = frozenset(levels)
        self.markers = markers_of(spec) - self.known

    def one(self, value: Any, numbers: array[float], categories: array[int]) -> None:
        """One raw value: a text, a number that stands for one, or None."""
        try:
            place = self.table.get(value, _UNSEEN)
        except TypeError:  # a list or an object
            raise wrong_type(self.name, value, self.expected) from None
        if place == _UNSEEN:
            place = self._slow(value)
        if not self.one_hot:
            categories[self.index] = place
        elif place >= 0:
            numbers[place] = 1.0

    def column(self, values: Column, numbers: Numbers, categories: Categories) -> None:
        """N raw values, as a list or an object array."""
        places = self._places(values.tolist() if isinstance(values, np.ndarray) else values)
        if self.one_hot:
            rows = np.flatnonzero(places >= 0)
            numbers[rows, places[rows]] = 1.0
        else:
            categories[:, self.index] = places

    def describe(self) -> dict[str, Any]:
        """Name, kind, example and the levels kept in training."""
        return described(self.spec, levels=list(self.spec["levels"]))

    def _places(self, values: Any) -> NDArray[np.int64]:
        try:
            places = np.fromiter(map(self.table.get, values, repeat(_UNSEEN)), np.int64, len(values))
        except TypeError:
            bad = next(value for value in values if isinstance(value, (list, dict, set)))
            raise wrong_type(self.name, bad, self.expected) from None
        for row in np.flatnonzero(places == _UNSEEN).tolist():
            places[row] = self._slow(values[row])
        return places

    def _slow(self, value: Any) -> int:
        if isinstance(value, str):
            text = value.strip()
        elif isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise wrong_type(self.name, value, self.expected)
        elif not -LIMIT <= value <= LIMIT:
            return self.missing
        else:
            text = level_text(value)
        if text not in self.known and text.lower() in self.markers:
            return self.missing
        return self.table.get(text, self.other)


def _place(at: int | None) -> int:
    return _NOWHERE if at is None else at
