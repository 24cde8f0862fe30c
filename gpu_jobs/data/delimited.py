"""Delimited text to a frame of strings: every row as wide as the header, or a refusal that names the line."""

from __future__ import annotations

import csv
import io
from typing import Any

import polars as pl

from .dialect import Dialect, guess, has_header, parser, records
from .encoding import Text
from .errors import DataError
from .structure import Structure, without_blank_lines

MOST_COLUMNS = 10_000
_SHOWN = 200


def read_delimited(text: Text, name: str, tabs: bool) -> tuple[pl.DataFrame, dict[str, Any]]:
    """All rows as strings (empty = null), and the dialect found.

    Raises:
        DataError: `input.header_only`, `input.ragged`, `input.too_many_columns`, `input.duplicate_columns`.
    """
    dialect, structure = guess(text.raw, tabs)
    sample = records(text.raw, dialect, _SHOWN)
    width = structure.usual()[0]
    if max(width, len(sample[0]) if sample else 0) >= MOST_COLUMNS:
        raise too_many_columns(name, max(width, len(sample[0])))
    if len(sample) < 2:
        raise header_only(name)
    header = has_header(sample)
    names = column_names(sample[0], name) if header else [f"column_{i + 1}" for i in range(len(sample[0]))]
    frame = _rows(text.raw, structure, dialect, name)
    frame.columns = names
    found = {
        "format": "tsv" if dialect.delimiter == "\t" else "csv",
        "delimiter": dialect.delimiter,
        "quote": dialect.quote or ("none" if b'"' in text.raw else '"'),
        "header": header,
    }
    return (frame[1:] if header else frame), found


def header_only(name: str) -> DataError:
    """The refusal of a table without rows."""
    return DataError(
        f"{name!r} has one line and no rows below it", "input.header_only", fix="give a file with rows of data"
    )


def too_many_columns(name: str, count: int) -> DataError:
    """The refusal of a table that is too wide."""
    return DataError(
        f"{name!r} has {count:,} columns; fewer than {MOST_COLUMNS:,} can be handled",
        "input.too_many_columns",
        fix="keep the columns that matter, or write one row per measurement",
    )


def column_names(header: list[str], name: str) -> list[str]:
    """Names of the columns; empty ones get ``column_<place>``.

    Raises:
        DataError: `input.duplicate_columns`.
    """
    names = [text.strip() or f"column_{i + 1}" for i, text in enumerate(header)]
    places: dict[str, list[int]] = {}
    for i, text in enumerate(names):
        places.setdefault(text, []).append(i + 1)
    twice = {text: at for text, at in places.items() if len(at) > 1}
    if twice:
        shown = "; ".join(f"{text!r} (columns {', '.join(map(str, at))})" for text, at in list(twice.items())[:5])
        raise DataError(
            f"{name!r} has columns of the same name: {shown}",
            "input.duplicate_columns",
            field=next(iter(twice)),
            fix="rename them so that every column has its own name",
        )
    return names


def _rows(raw: bytes, structure: Structure, dialect: Dialect, name: str) -> pl.DataFrame:
    """The records, the header among them, as strings."""
    if structure.usual()[1] < 1.0 or structure.open_quote:
        return _one_by_one(raw, dialect, name)
    raw = without_blank_lines(raw, structure)
    width = structure.usual()[0]
    try:
        frame = pl.read_csv(
            raw,
            has_header=False,
            separator=dialect.delimiter,
            quote_char=dialect.quote,
            schema={f"column_{i}": pl.String for i in range(width)},
        )
    except pl.exceptions.PolarsError:
        return _one_by_one(raw, dialect, name)
    if frame.height != len(structure.filled):
        return _one_by_one(raw, dialect, name)
    return frame


def _one_by_one(raw: bytes, dialect: Dialect, name: str) -> pl.DataFrame:
    """The careful way, for text with quotes inside fields; it also finds the first line that does not fit."""
    csv.field_size_limit(max(len(raw), 131_072))
    lines = io.StringIO(raw.decode("utf-8", "replace"), newline="")
    reader = parser(lines, dialect)
    rows: list[list[str]] = []
    begins = 1
    for row in reader:
        if row and rows and len(row) != len(rows[0]):
            raise _ragged(name, len(rows), begins, len(row), len(rows[0]))
        if row:
            rows.append(row)
        begins = reader.line_num + 1
    columns = list(zip(*rows, strict=True))
    return pl.DataFrame({f"column_{i}": pl.Series(column, dtype=pl.String) for i, column in enumerate(columns)})


def _ragged(name: str, row: int, line: int, found: int, wanted: int) -> DataError:
    return DataError(
        f"{name!r} line {line} (row {row}) has {found} fields; the first line has {wanted}",
        "input.ragged",
        fix=f"make line {line} {wanted} fields wide; quote texts that hold the delimiter",
    )
