"""Raw rows to the arrays that the network and its ONNX export take. It fits nothing and reads no file."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .categories import CategoryField
from .dates import DateField
from .decoder import Decoder
from .errors import RowError, json_kind, listed, short
from .fields import Column, Field
from .numbers import BooleanField, NumberField
from .text import TextField

KINDS: dict[str, Callable[[Mapping[str, Any]], Field]] = {
    "number": NumberField,
    "boolean": BooleanField,
    "category": CategoryField,
    "date": DateField,
    "text": TextField,
}
Arrays = dict[str, NDArray[Any]]
_FEW = 8  # up to so many rows, one at a time is faster than by columns


def load(preprocessing: Mapping[str, Any]) -> RowEncoder:
    """The encoder and decoder that a preprocessing.json describes."""
    return RowEncoder(preprocessing)


class RowEncoder:
    """Encodes one row, many rows or whole columns, to the same bits, and decodes the network's outputs."""

    def __init__(self, preprocessing: Mapping[str, Any]) -> None:
        self.preprocessing = preprocessing
        self.width = len(preprocessing["inputs"]["numbers"])
        self.categories = [int(column["levels"]) for column in preprocessing["inputs"]["categories"]]
        self._fields: list[Field] = [KINDS[spec["kind"]](spec) for spec in preprocessing["fields"]]
        self._steps = [(field.name, field.one) for field in self._fields]
        self.names = [field.name for field in self._fields]
        self._known = frozenset(self.names)
        self._blank_numbers = array("f", bytes(4 * self.width))
        self._blank_categories = array("q", bytes(8 * len(self.categories)))
        self.decode = Decoder(preprocessing).decode

    @property
    def fields(self) -> list[dict[str, Any]]:
        """The schema: name, kind, required, example and what the kind adds (levels, formats)."""
        return [field.describe() for field in self._fields]

    def encode_one(self, row: Mapping[str, Any]) -> Arrays:
        """One row: numbers float32 (1, d), categories int64 (1, k); absent fields are missing.

        An input without columns is left out.

        Raises:
            RowError: A field is unknown or holds a value of the wrong type.
        """
        numbers, categories = self._fill(row)
        return self._shaped(np.frombuffer(numbers, np.float32), np.frombuffer(categories, np.int64), 1)

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Arrays:
        """N rows; as `encode_one`. A RowError carries the position of its row."""
        if len(rows) <= _FEW:
            return self._stack(rows)
        try:
            known = self._known
            for row in rows:
                if not row.keys() <= known:
                    raise self._unknown(row)
            return self.encode_columns({name: [row.get(name) for row in rows] for name in self.names})
        except (RowError, AttributeError):
            return self._stack(rows)  # finds and names the row

    def encode_columns(self, columns: Mapping[str, Column]) -> Arrays:
        """Whole columns of n raw values, {field: list or array}; absent columns are missing throughout.

        Raises:
            RowError: A column is unknown, columns differ in length, or a value has the wrong type.
        """
        if not columns.keys() <= self._known:
            raise self._unknown(columns)
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1:
            found = f"columns of {sorted(lengths)} values" if lengths else "no column"
            raise RowError(None, f"{found}; all must be equally long", "equally long columns", "wrong_length")
        count = lengths.pop()
        numbers = np.zeros((count, self.width), np.float32)
        categories = np.zeros((count, len(self.categories)), np.int64)
        for field in self._fields:
            values = columns.get(field.name)
            field.column([None] * count if values is None else values, numbers, categories)
        return self._shaped(numbers, categories, count)

    def check(self, row: Mapping[str, Any]) -> None:
        """Raises RowError where `encode_one` would."""
        self._fill(row)

    def from_list(self, values: Sequence[Any]) -> dict[str, Any]:
        """A row from its values in schema order."""
        if len(values) != len(self.names):
            expected = f"{len(self.names)} values in the order {listed(self.names)}"
            raise RowError(None, f"{len(values)} values; expected {expected}", expected, "wrong_length")
        return dict(zip(self.names, values, strict=True))

    def _fill(self, row: Mapping[str, Any]) -> tuple[array[float], array[int]]:
        numbers, categories = self._blank_numbers[:], self._blank_categories[:]
        try:
            get = row.get
            if not row.keys() <= self._known:
                raise self._unknown(row)
        except AttributeError:
            expected = "an object with fields, or a list of such"
            raise RowError(None, f"a row is {json_kind(row)}; expected {expected}", expected, "wrong_type") from None
        for name, one in self._steps:
            one(get(name), numbers, categories)
        return numbers, categories

    def _stack(self, rows: Sequence[Mapping[str, Any]]) -> Arrays:
        numbers, categories = array("f"), array("q")
        for i, row in enumerate(rows):
            try:
                one = self._fill(row)
            except RowError as error:
                error.row = i
                raise
            numbers.extend(one[0])
            categories.extend(one[1])
        return self._shaped(np.frombuffer(numbers, np.float32), np.frombuffer(categories, np.int64), len(rows))

    def _shaped(self, numbers: NDArray[Any], categories: NDArray[Any], count: int) -> Arrays:
        """The inputs that the network has: one without columns is left out."""
        arrays: Arrays = {}
        if self.width:
            arrays["numbers"] = numbers.reshape(count, self.width)
        if self.categories:
            arrays["categories"] = categories.reshape(count, len(self.categories))
        return arrays

    def _unknown(self, row: Mapping[str, Any]) -> RowError:
        field = short(str(next(name for name in row if name not in self._known)))
        known = [short(name) for name in self.names]
        near = get_close_matches(field, known, n=1, cutoff=0.5)
        lower = [name for name in known if name.lower() == field.lower()]
        hint = f"; did you mean {(lower or near)[0]!r}?" if lower or near else ""
        return RowError(field, f"unknown field {field!r}{hint}", f"one of {listed(self.names)}", "unknown_field")
