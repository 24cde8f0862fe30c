"""Reads what `prepare` wrote: encoded arrays, splits, raw feature values of rows. It computes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prepared:
    """The encoded table; row i is row i of the snapshot, and only rows named in `splits` are to be used.

    Attributes:
        numbers: float32 (n, d), copy-on-write memory map.
        categories: int64 (n, k); k may be 0.
        target: int64 class indices (n,), -1 where missing; for regression float64 in the target's own units,
            NaN where missing.
        splits: Row numbers, int64, of ``train``, ``validation`` and ``test``.
        preprocessing: The content of preprocessing.json.
    """

    numbers: NDArray[np.float32]
    categories: NDArray[np.int64]
    target: NDArray[Any]
    splits: dict[str, NDArray[np.int64]]
    preprocessing: dict[str, Any]

    @property
    def continuous(self) -> int:
        """How many leading columns of `numbers` are continuous; the rest are indicators and text."""
        return int(self.preprocessing["inputs"]["continuous"])

    def places(self, field: str) -> tuple[list[int], list[int]]:
        """Columns of `numbers` and of `categories` that come from one feature."""
        inputs = self.preprocessing["inputs"]
        return (
            [i for i, column in enumerate(inputs["numbers"]) if column["field"] == field],
            [i for i, column in enumerate(inputs["categories"]) if column["field"] == field],
        )


def load_prepared(root: Path) -> Prepared:
    """The arrays of ``<root>/data/encoded``, the splits and the preprocessing."""
    data = root / "data"
    numbers = _array(data / "encoded" / "numbers.npy")
    path = data / "encoded" / "categories.npy"
    categories = _array(path) if path.exists() else np.zeros((len(numbers), 0), np.int64)
    splits = json.loads((data / "splits.json").read_text())
    return Prepared(
        numbers=numbers,
        categories=categories,
        target=np.load(data / "encoded" / "target.npy"),
        splits={name: np.asarray(splits[name], np.int64) for name in ("train", "validation", "test")},
        preprocessing=json.loads((data / "preprocessing.json").read_text()),
    )


def load_rows(root: Path, indices: Sequence[int] | NDArray[np.int64]) -> dict[str, list[Any]]:
    """Raw feature values of these snapshot rows as a client would send them, None where missing."""
    import polars as pl

    data = root / "data"
    preprocessing = json.loads((data / "preprocessing.json").read_text())
    types = {c["name"]: c for c in json.loads((data / "snapshot.json").read_text())["columns"]}
    names = [field["name"] for field in preprocessing["fields"]]
    frame = pl.read_parquet(data / "snapshot.parquet", columns=names)[np.asarray(indices, np.int64)]
    return {name: raw_values(frame[name].to_list(), types[name]) for name in names}


def raw_values(values: list[Any], column: dict[str, Any]) -> list[Any]:
    """Stored values as they stood in the file: whole numbers as int, booleans as their text."""
    if column["type"] == "boolean":
        false, true = column["levels"]
        return [None if v is None else (true if v else false) for v in values]
    if column["type"] == "number" and column["integer"]:
        return [None if v is None else int(v) for v in values]
    return values


def _array(path: Path) -> NDArray[Any]:
    mapped: NDArray[Any]
    try:
        mapped = np.load(path, mmap_mode="c")
    except ValueError:  # an array without elements cannot be mapped
        mapped = np.load(path)
    return mapped
