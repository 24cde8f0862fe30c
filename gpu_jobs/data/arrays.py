"""Snapshot columns as the row encoder takes them, and targets as arrays. It reads no file and fits nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .errors import DataError, named
from .rows.categories import level_text


def kind_of(feature: dict[str, Any], column: dict[str, Any]) -> str:
    """How a feature is encoded: booleans of the file as such, everything else as the feature says."""
    return "boolean" if column["type"] == "boolean" else str(feature["kind"])


def raw_column(series: pl.Series, kind: str) -> list[Any] | NDArray[Any]:
    """A snapshot column in the form that is fast to encode as `kind`."""
    if kind in ("number", "boolean"):
        return series.cast(pl.Float64, strict=False).to_numpy()
    if kind == "date":
        return times(series)
    return texts(series)


def times(series: pl.Series) -> NDArray[np.datetime64]:
    """ISO texts as datetime64[s], NaT where missing."""
    moments = series.cast(pl.String).str.to_datetime(strict=False, time_unit="us", format=_iso(series))
    found: NDArray[np.datetime64] = moments.to_numpy().astype("datetime64[s]")
    return found


def _iso(series: pl.Series) -> str:
    first = series.drop_nulls().head(1).cast(pl.String).to_list()
    return "%Y-%m-%dT%H:%M:%S" if first and "T" in first[0] else "%Y-%m-%d"


def texts(series: pl.Series) -> list[str | None]:
    """Texts; whole numbers without a decimal point."""
    values = series.to_list()
    if series.dtype == pl.String:
        return values
    return [None if value is None else level_text(value) for value in values]


def label_text(value: object) -> str:
    """A class label as its text: ``1`` for 1 and 1.0, ``true`` for True."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return level_text(value) if isinstance(value, (int, float)) else str(value)


def target_labels(series: pl.Series, column: dict[str, Any]) -> list[str | None]:
    """The class label of every row, None where missing."""
    if column["type"] == "boolean":
        false, true = column["levels"]
        return [None if value is None else (true if value else false) for value in series.to_list()]
    return texts(series)


def class_indices(labels: list[str | None], known: list[str], target: str) -> NDArray[np.int64]:
    """Place of every label in `known`, -1 where missing.

    Raises:
        DataError: `input.unknown_class` when the table holds a label that is not known.
    """
    table: dict[str | None, int] = {label: i for i, label in enumerate(known)}
    table[None] = -1
    indices = np.fromiter((table.get(label, -2) for label in labels), np.int64, len(labels))
    strange = sorted({str(labels[i]) for i in np.flatnonzero(indices == -2)})
    if strange:
        raise DataError(
            f"the target {named([target])} has classes that are not among its labels: {named(strange[:5])}",
            "input.unknown_class",
            field=target,
            fix=f"the labels are {named(known[:10])}; every class needs rows in the data, not only in a test file",
        )
    return indices
