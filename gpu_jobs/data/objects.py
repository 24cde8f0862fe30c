"""JSON lines (or one JSON list) to a frame of strings: the same values a CSV would hold.

The field b of an object a becomes the column `a.b`; columns that hold lists are left out and named.
"""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from .delimited import MOST_COLUMNS, header_only, too_many_columns
from .errors import DataError


def read_objects(raw: bytes, name: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    """All rows as strings (null = missing), columns in order of appearance.

    Raises:
        DataError: `input.unreadable` naming the line, `input.header_only`, `input.too_many_columns`.
    """
    rows = _list(raw, name) if raw.lstrip()[:1] == b"[" else _lines(raw, name)
    if not rows:
        raise header_only(name)
    columns: dict[str, None] = {}
    nested: dict[str, int] = {}
    flat = []
    for line, row in rows:
        if not isinstance(row, dict):
            raise _unreadable(name, line, f"holds {type(row).__name__}, not an object with fields")
        flat.append((line, _flat(row, name, line)))
        columns.update(dict.fromkeys(flat[-1][1]))
        lists = (key for key, value in flat[-1][1].items() if isinstance(value, list))
        nested = {**dict.fromkeys(lists, line), **nested}
    columns = {column: None for column in columns if column not in nested}
    if nested and not columns:
        column, line = min(nested.items(), key=lambda entry: entry[1])
        raise _unreadable(name, line, f"has a list in {column!r}, and no column without lists is left", column)
    if len(columns) >= MOST_COLUMNS:
        raise too_many_columns(name, len(columns))
    series = [pl.Series(column, [_text(row.get(column)) for _, row in flat], dtype=pl.String) for column in columns]
    dialect = {"format": "jsonl", "delimiter": None, "quote": None, "header": True, "nested": list(nested)}
    return pl.DataFrame(series), dialect


def _lines(raw: bytes, name: str) -> list[tuple[int, Any]]:
    rows = []
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.strip():
            try:
                rows.append((number, orjson.loads(line)))
            except orjson.JSONDecodeError as error:
                raise _unreadable(name, number, f"is not JSON: {error}") from None
    return rows


def _list(raw: bytes, name: str) -> list[tuple[int, Any]]:
    try:
        return list(enumerate(orjson.loads(raw), 1))
    except orjson.JSONDecodeError as error:
        raise _unreadable(name, error.lineno, f"is not JSON: {error}") from None


def _flat(row: dict[str, Any], name: str, line: int) -> dict[str, Any]:
    """The row with `a.b` for the field b of an object a."""
    if not any(isinstance(value, dict) for value in row.values()):
        return row
    found: dict[str, Any] = {}
    waiting = list(row.items())
    while waiting:
        key, value = waiting.pop(0)
        if isinstance(value, dict):
            waiting = [(f"{key}.{part}", inner) for part, inner in value.items()] + waiting
        elif key in found:
            raise _unreadable(name, line, f"has two values for {key!r}", key)
        else:
            found[key] = value
    return found


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def _unreadable(name: str, line: int, why: str, field: str | None = None) -> DataError:
    return DataError(
        f"{name!r} line {line} {why}",
        "input.unreadable",
        field=field,
        fix='write one object per line, such as {"age": 39, "sex": "Male"}',
    )
