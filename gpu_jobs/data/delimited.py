"""Delimited text to a frame of strings: every row as wide as the header, or a refusal that names the line."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import polars as pl

from .dialect import Dialect, guess, has_header, parser, records
from .encoding import Text
from .errors import DataError
from .structure import Structure, without_blank_lines

MOST_COLUMNS = 10_000
_SHOWN = 200
_PREAMBLE = re.compile(rb'(?:"?sep=[^\n]"?\n)?(?:#[^\n]*\n)*', re.IGNORECASE)


def read_delimited(text: Text, name: str, tabs: bool) -> tuple[pl.DataFrame, dict[str, Any]]:
    """All rows as strings (empty = null), and the dialect found.

    Raises:
        DataError: `input.header_only`, `input.ragged`, `input.too_many_columns`, `input.duplicate_columns`.
    """
    raw, preamble = _without_preamble(text.raw, tabs)
    dialect, structure = guess(raw, tabs)
    if _ends_with_delimiters(raw, structure, dialect):
        raw = _with_last_name(raw, dialect)
        dialect, structure = guess(raw, tabs)
    sample = records(raw, dialect, _SHOWN)
    width = structure.usual()[0]
    if max(width, len(sample[0]) if sample else 0) >= MOST_COLUMNS:
        raise too_many_columns(name, max(width, len(sample[0])))
    if len(sample) < 2:
        raise header_only(name)
    header = has_header(sample)
    names = column_names(sample[0], name) if header else [f"column_{i + 1}" for i in range(len(sample[0]))]
    frame = _rows(raw, structure, dialect, name)
    frame.columns = names
    found = {
        "format": "tsv" if dialect.delimiter == "\t" else "csv",
        "delimiter": dialect.delimiter,
        "quote": dialect.quote or ("none" if b'"' in raw else '"'),
        "header": header,
        "preamble": preamble,
    }
    return (frame[1:] if header else frame), found


def _without_preamble(raw: bytes, tabs: bool) -> tuple[bytes, int]:
    """The text with blank lines for the comments above the table and Excel's `sep=;`, and how many those were.

    A last comment as wide as the rows below it is the header, such as `#chrom,start,end`.
    """
    lines = _PREAMBLE.match(raw)
    if lines is None or not lines[0]:
        return raw, 0
    count = lines[0].count(b"\n")
    rest = raw[lines.end() :]
    last = lines[0].rstrip(b"\n").rsplit(b"\n", 1)[-1]
    dialect, structure = guess(rest, tabs)
    if last.startswith(b"#") and last.count(dialect.delimiter.encode()) + 1 == structure.usual()[0]:
        count, rest = count - 1, last + b"\n" + rest
    return b"\n" * count + rest, count


def _ends_with_delimiters(raw: bytes, structure: Structure, dialect: Dialect) -> bool:
    """Whether every row, but not the header, ends with a delimiter: an empty field without a name."""
    filled = structure.filled
    if len(filled) < 2 or filled[0] < 2 or (filled[1:] != filled[0] + 1).any():
        return False
    rows = raw.strip(b"\n").split(b"\n")[1:]
    return all(not row or row.endswith(dialect.delimiter.encode()) for row in rows)


def _with_last_name(raw: bytes, dialect: Dialect) -> bytes:
    blank = len(raw) - len(raw.lstrip(b"\n"))
    end = raw.index(b"\n", blank)
    return raw[:end] + dialect.delimiter.encode() + raw[end:]


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
