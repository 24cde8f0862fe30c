"""Parquet to a frame whose columns are strings, numbers, booleans or times. Nested columns are refused."""

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
    if frame.width >= MOST_COLUMNS:
        raise too_many_columns(name, frame.width)
    if frame.is_empty():
        raise header_only(name)
    frame.columns = column_names(frame.columns, name)
    nested = [column for column, kind in frame.schema.items() if kind.is_nested() or kind == pl.Binary]
    if nested:
        raise DataError(
            f"{name!r} has columns that hold lists or bytes: {', '.join(map(repr, nested[:5]))}",
            "input.unreadable",
            field=nested[0],
            fix="keep one value per cell",
        )
    dialect = {"format": "parquet", "delimiter": None, "quote": None, "header": True}
    return frame.select([_plain(frame[column]) for column in frame.columns]), dialect


def _plain(series: pl.Series) -> pl.Series:
    kind = series.dtype
    if kind.is_integer() or kind.is_float() or kind.is_decimal():
        return series.cast(pl.Float64)
    if kind in (pl.Boolean, pl.Date) or isinstance(kind, pl.Datetime):
        return series
    return series.cast(pl.String)
