"""Parquet to a frame whose columns are strings, numbers, booleans or times. Fields of structures become columns."""

from __future__ import annotations

import io
from typing import Any

import polars as pl

from .delimited import MOST_COLUMNS, column_names, header_only, too_many_columns
from .errors import DataError


def read_columnar(content: bytes, name: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    """All rows; what is neither number, boolean nor time becomes a string.

    Raises:
        DataError: `input.unreadable`, `input.header_only`, `input.too_many_columns`, `input.duplicate_columns`.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{name!r} is a damaged Parquet file: {error}", "input.unreadable", fix="write it again"
        ) from None
    if frame.is_empty():
        raise header_only(name)
    frame, names, lost = _flat(frame)
    if frame.width >= MOST_COLUMNS:
        raise too_many_columns(name, frame.width)
    if lost and not frame.width:
        raise DataError(
            f"{name!r} has only columns that hold lists or bytes: {', '.join(map(repr, lost[:5]))}",
            "input.unreadable",
            field=lost[0],
            fix="keep one value per cell",
        )
    frame.columns = column_names(names, name)
    dialect = {"format": "parquet", "delimiter": None, "quote": None, "header": True, "nested": lost}
    return frame.select([_plain(frame[column]) for column in frame.columns]), dialect


def _flat(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str], list[str]]:
    """The cells, the columns' names (`a.b` for the field b of a structure a), and those of lists or bytes, left out."""
    found: list[pl.Series] = []
    lost = []
    waiting = list(frame.iter_columns())
    while waiting:
        series = waiting.pop(0)
        if series.dtype == pl.Struct:
            waiting = [part.alias(f"{series.name}.{part.name}") for part in series.struct.unnest()] + waiting
        elif series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
            lost.append(series.name)
        else:
            found.append(series)
    cells = pl.DataFrame([series.alias(str(i)) for i, series in enumerate(found)])
    return cells, [series.name for series in found], lost


def _plain(series: pl.Series) -> pl.Series:
    kind = series.dtype
    if kind.is_integer() or kind.is_float() or kind.is_decimal():
        return series.cast(pl.Float64)
    if kind in (pl.Boolean, pl.Date) or isinstance(kind, pl.Datetime):
        return series
    if kind == pl.Duration:
        return series.dt.total_microseconds().cast(pl.Float64) / 1e6  # seconds
    return series.cast(pl.String)
