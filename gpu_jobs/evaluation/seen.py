"""Which rows of a table another run has learnt from, told by their values: the two may have read different files.

Rows are compared on the columns that both tables have, each value in the coarser reading of the two: where one table
took a column for numbers and the other for texts, a text that is no number counts as missing in both. Every doubt makes
rows equal, so that too many rows are left out rather than too few.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.rows.dates import parse_date
from ..data.rows.numbers import parse_number
from ..data.table import raw_values
from .errors import EvaluationError

Canonical = Callable[[Any], str]
_READINGS = ("boolean", "date", "number")  # a column that either table reads so is compared so, the first of them
_TRUTH = {word: "0.0" for word in ("false", "no", "n", "f", "off")} | dict.fromkeys(
    ("true", "yes", "y", "t", "on"), "1.0"
)


@dataclass(frozen=True)
class Table:
    """Some rows of a run's snapshot.

    Attributes:
        kinds: the snapshot's facts of every column, by name.
        columns: raw values of the columns asked for, n each; those that the snapshot lacks are left out.
        rows: n.
    """

    kinds: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, Sequence[Any]]
    rows: int

    @classmethod
    def read(cls, root: Path, names: Sequence[str], rows: npt.NDArray[np.int64]) -> Table:
        """These columns of these rows of the snapshot under `root`, as they stood in the file."""
        import polars as pl

        kinds = {column["name"]: column for column in _json(root / "data" / "snapshot.json")["columns"]}
        known = [name for name in dict.fromkeys(names) if name in kinds]
        if not known:
            return cls(kinds, {}, len(rows))
        frame = pl.read_parquet(root / "data" / "snapshot.parquet", columns=known)[rows]
        values = {name: raw_values(frame[name].to_list(), kinds[name]) for name in known}
        return cls(kinds, values, len(rows))


def learnt(root: Path, names: Sequence[str]) -> Table:
    """The rows that a run trained or validated on.

    Raises:
        EvaluationError: `evaluation.champion` when the run's data is gone.
    """
    try:
        splits = _json(root / "data" / "splits.json")
        return Table.read(root, names, np.asarray([*splits["train"], *splits["validation"]], np.int64))
    except OSError as error:
        raise EvaluationError(
            f"the champion's run {str(root)!r} no longer has its data: {error}",
            code="evaluation.champion",
            fix="pass the hashes of its rows, or answer whether to compare on all rows",
        ) from error


def changed(one: Table, other: Table) -> list[str]:
    """Columns of both that were given different types."""
    shared = one.columns.keys() & other.columns.keys()
    return sorted(name for name in shared if one.kinds[name]["type"] != other.kinds[name]["type"])


def seen(new: Table, old: Table) -> npt.NDArray[np.bool_]:
    """For each of the new rows, whether an old row has the same values in the columns of both."""
    names = sorted(new.columns.keys() & old.columns.keys())
    if not names:
        return np.ones(new.rows, bool)
    readings = {name: reading(new.kinds[name], old.kinds[name]) for name in names}
    known = frozenset(row_hashes(old.columns, names, readings))
    return np.asarray([digest in known for digest in row_hashes(new.columns, names, readings)], bool)


def row_hashes(
    columns: Mapping[str, Sequence[Any]], names: Sequence[str], readings: Mapping[str, Canonical] | None = None
) -> list[str]:
    """One hash per row over the named columns, whatever their order; an absent column counts as missing.

    Values are compared as a person reads them: 3, 3.0 and "3" are equal, missing is empty.
    """
    count = len(next(iter(columns.values()))) if columns else 0
    cells = []
    for name in sorted(names):
        canonical = (readings or {}).get(name, plain)
        cells.append([canonical(value) for value in columns.get(name, [None] * count)])
    rows = zip(*cells, strict=True)
    return [hashlib.sha256("\x1f".join(row).encode("utf-8", "replace")).hexdigest()[:32] for row in rows]


def reading(one: Mapping[str, Any], other: Mapping[str, Any]) -> Canonical:
    """How values of a column are compared that two snapshots describe so; what either took for missing, is."""
    kinds = {one["type"], other["type"]}
    kind = next((kind for kind in _READINGS if kind in kinds), None)
    marks = tuple(dict.fromkeys(str(mark) for facts in (one, other) if (mark := facts.get("decimal")))) or (".",)
    forms = tuple(str(form) for facts in (one, other) if (form := facts.get("date_format")))
    readings: dict[str | None, Canonical] = {
        "number": lambda value: _number(value, marks),
        "date": lambda value: _date(value, forms),
        "boolean": _boolean,
        None: plain,
    }
    read = readings[kind]
    gone = {read(marker) for facts in (one, other) for marker in facts.get("missing_markers") or ()}
    return lambda value: "" if (text := read(value)) in gone else text


def plain(value: Any) -> str:
    """A value as text: numbers as such however they are written, booleans and texts without outer spaces."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else _number(value, (".",)) or str(value).strip()


def _number(value: Any, marks: tuple[str, ...]) -> str:
    if isinstance(value, str):
        for mark in marks:
            try:
                return _shown(parse_number(value.strip(), mark))
            except ValueError:
                continue
    return _shown(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _shown(value: float) -> str:
    return repr(value + 0.0) if isfinite(value) else ""


def _date(value: Any, forms: tuple[str, ...]) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value or "").strip()
    when = parse_date(text, forms) if text else None
    return "" if when is None else when.isoformat()


def _boolean(value: Any) -> str:
    """The same for yes, true, on and 1, in any case, and for their opposites."""
    text = "" if value is None else str(value).strip().lower()
    return _TRUTH.get(text) or _number(text, (".",)) or text


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
