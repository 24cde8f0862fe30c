"""What every kind of field has in common: one row in place, a whole column in place, and missing markers."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
Categories = NDArray[np.int64]
Column = Sequence[Any] | NDArray[Any]


class Field(Protocol):
    """One raw column and its places in the arrays.

    Both paths give the same bits: only operations that IEEE 754 rounds correctly, and look-up tables.
    """

    name: str

    def one(self, value: Any, numbers: array[float], categories: array[int], /) -> None:
        """Writes one raw value into one row of zeros; raises RowError on a wrong type."""
        ...

    def column(self, values: Column, numbers: Numbers, categories: Categories, /) -> None:
        """Writes n raw values into zeroed arrays (n, d) and (n, k); raises RowError on a wrong type."""
        ...

    def describe(self) -> dict[str, Any]:
        """What a schema says about the field: name, kind, example and what its kind adds."""
        ...


def markers_of(spec: Mapping[str, Any]) -> frozenset[str]:
    """The texts that mean missing in this field, lower case; the empty text always does."""
    return frozenset([*(str(marker).strip().lower() for marker in spec.get("markers", ())), ""])


def described(spec: Mapping[str, Any], **extra: Any) -> dict[str, Any]:
    """The schema entry of a field."""
    return {
        "name": spec["name"],
        "kind": spec["kind"],
        "required": False,
        "example": spec.get("example"),
        **extra,
    }
