"""One data file of any format to a frame and its dialect. Types are found later, over all files of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from .columnar import read_columnar
from .delimited import read_delimited
from .encoding import decode
from .objects import read_objects
from .source import open_source


@dataclass(frozen=True)
class RawTable:
    """A file as read: strings where the format has no types.

    Attributes:
        frame: The rows.
        dialect: ``format``, ``compression``, ``encoding``, ``delimiter``, ``header``, ``quote``.
        facts: ``path``, ``bytes``, ``sha256``, ``mtime_ns``, ``rows``.
        notes: What was handled on the way: ``{"code", "message", "column", "count"}``.
    """

    frame: pl.DataFrame
    dialect: dict[str, Any]
    facts: dict[str, Any]
    notes: list[dict[str, Any]] = field(default_factory=list)


def note(code: str, message: str, column: str | None = None, count: int | None = None) -> dict[str, Any]:
    """One thing that was handled and is named in the report."""
    return {"code": code, "message": message, "column": column, "count": count}


def read_table(path: Path) -> RawTable:
    """Reads a file; every refusal is a DataError with an `input.*` code that names the place and the fix."""
    source = open_source(path)
    notes: list[dict[str, Any]] = []
    if source.kind == "parquet":
        frame, dialect = read_columnar(source.content, path.name)
        dialect["encoding"] = None
    else:
        text = decode(source.content, path.name)
        if text.bom:
            notes.append(note("bom", "a byte order mark at the start of the file was removed"))
        if text.crlf:
            notes.append(note("crlf", "line ends of Windows or old Mac were read as plain ones"))
        if source.kind == "jsonl":
            frame, dialect = read_objects(text.raw, path.name)
        else:
            tabs = {".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes}
            frame, dialect = read_delimited(text, path.name, bool(tabs))
        dialect["encoding"] = text.encoding
    notes += _left_out(dialect.pop("nested", []), dialect.pop("preamble", 0))
    if not dialect["header"]:
        message = f"no header line; the columns are named {frame.columns[0]} to {frame.columns[-1]}"
        notes.append(note("no_header", message, count=frame.width))
    dialect["compression"] = source.compression
    return RawTable(frame, dialect, {**source.facts, "rows": frame.height}, notes)


def _left_out(nested: list[str], preamble: int) -> list[dict[str, Any]]:
    """What stands in the file and is no part of the table."""
    found = []
    if nested:
        names = ", ".join(map(repr, nested[:8])) + (f" and {len(nested) - 8} more" if len(nested) > 8 else "")
        found.append(note("nested", f"columns that hold lists or bytes were left out: {names}", count=len(nested)))
    if preamble:
        message = f"{preamble:,} lines above the header, comments or the mark of a delimiter, were left out"
        found.append(note("preamble", message, count=preamble))
    return found
