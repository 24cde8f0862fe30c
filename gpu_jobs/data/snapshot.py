"""All files of a run to one columnar file with types, and the facts about it. Nobody else reads the person's files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from .columns import facts, stored, typed
from .errors import DataError
from .identifiers import SURE
from .reading import RawTable, note, read_table
from .values import uses_decimal_comma

_DIALECT = ("format", "compression", "encoding", "delimiter", "decimal", "header", "quote")


def snapshot(files: dict[str, Path], folder: Path, missing: Sequence[str] | None) -> dict[str, Any]:
    """Reads, types and stores the files; the result is also written as snapshot.json.

    Args:
        files: Role (``data``, then maybe ``validation`` and ``test``) to path.
        folder: Where snapshot.parquet and snapshot.json go.
        missing: Texts that mean missing, besides the usual ones.

    Raises:
        DataError: A file or the table cannot be used; see the codes in `reading`.
    """
    tables = {role: read_table(path) for role, path in files.items()}
    notes = [entry for table in tables.values() for entry in table.notes]
    frame = _together(tables, notes)
    dialect = {key: None for key in _DIALECT} | tables["data"].dialect
    columns = []
    extra = frozenset(text.strip() for text in missing or ())
    frame = frame.with_columns(pl.col(pl.String).str.strip_chars().replace("", None))
    comma = any(uses_decimal_comma(series) for series in frame.iter_columns() if series.dtype == pl.String)
    for name in frame.columns:
        found = typed(frame[name], extra, comma)
        values = stored(found)
        frame = frame.with_columns(values)
        columns.append(facts(found, values))
    dialect["decimal"] = "," if comma else "."
    notes += [entry for column in columns for entry in _notes(column)]
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / "snapshot.parquet", compression="zstd", compression_level=1)
    result = {
        "sha256": hashlib.sha256((folder / "snapshot.parquet").read_bytes()).hexdigest(),
        "source": [table.facts | {"role": role} for role, table in tables.items()],
        "rows": frame.height,
        "dialect": dialect,
        "columns": columns,
        "notes": notes,
    }
    (folder / "snapshot.json").write_text(json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False))
    return result


def _together(tables: dict[str, RawTable], notes: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows of all files one after another, with the columns of the first."""
    main = tables["data"].frame
    parts = [main]
    for role, table in list(tables.items())[1:]:
        other = table.frame
        lost = [name for name in main.columns if name not in other.columns]
        if lost:
            raise DataError(
                f"the {role} file lacks the columns {', '.join(map(repr, lost[:8]))} of the data",
                "input.columns_differ",
                field=lost[0],
                fix="give it the same header as the data",
            )
        more = [name for name in other.columns if name not in main.columns]
        if more:
            names = ", ".join(map(repr, more[:8]))
            notes.append(note("extra_columns", f"the {role} file's own columns {names} are not used", count=len(more)))
        parts.append(other.select(main.columns))
    if len(parts) == 1:
        return main
    return pl.concat([part.select(_alike(parts, name) for name in main.columns) for part in parts])


def _alike(parts: list[pl.DataFrame], name: str) -> pl.Expr:
    kinds = {part.schema[name] for part in parts}
    return pl.col(name) if len(kinds) == 1 else pl.col(name).cast(pl.String)


def _notes(column: dict[str, Any]) -> list[dict[str, Any]]:
    """What was handled in one column, in words."""
    name = column["name"]
    markers, mixed, infinite = column["missing_markers"], column["mixed"], column["infinite"]
    shown = ", ".join(f"{text!r} ({count:,})" for text, count in markers.items())
    odd = ", ".join(map(repr, mixed["examples"])) if mixed else ""
    odds = mixed["count"] if mixed else 0
    identifier = column["identifier"] or {"score": 0.0, "why": ""}
    said = (
        ("missing_markers", markers, f"read as missing: {shown}", sum(markers.values())),
        ("mixed", mixed, f"values that are no {column['type']}, read as missing: {odds:,}, such as {odd}", odds),
        ("unit", column["unit"], f"was read as numbers without the {column['unit']!r} beside them", None),
        ("infinite", infinite, f"infinite values, read as missing: {infinite:,}", infinite),
        ("all_missing", column["all_missing"], "has no value at all", None),
        ("constant", column["constant"], "has one value in every row", None),
        ("date", column["type"] == "date", f"holds dates, read as {column['date_format']}", None),
        ("text", column["type"] == "text", "holds free text", None),
        ("identifier", identifier["score"] >= SURE, f"names rows: {identifier['why']}", None),
    )
    return [note(code, f"{name!r} {text}", name, count) for code, holds, text, count in said if holds]
