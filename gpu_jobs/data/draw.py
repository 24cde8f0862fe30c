"""Draws the rows of train, validation and test, before anything is planned and again for the arrays: the same rows.

It is all that looks at test rows before the test: their targets (a row without one takes no part; each side gets its
share of every value), the column that groups or orders rows, and which rows are equal. The profile leaves the rows
drawn for the test out, so that nothing that steers a choice has seen them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .arrays import times
from .errors import DataError
from .splits import SPLITS, Plan, Rows, Split

ROLES = ("data", "validation", "test")
USUAL = (0.64, 0.16, 0.2)


def compared(columns: list[str], target: str, wanted: dict[str, Any], features: list[str]) -> list[str]:
    """The columns by which rows are equal: all but the target and those set apart; the inputs in older decisions."""
    apart = wanted.get("apart")
    if apart is None:
        return features
    out = {target, *apart}
    return [name for name in columns if name not in out] or [name for name in columns if name != target]


def plan_of(frame: pl.DataFrame, sources: list[dict[str, Any]], target: str, wanted: dict[str, Any]) -> Plan:
    """The plan of a split.

    Args:
        frame: Snapshot columns: the target, the compared ones, and the one that groups or orders rows.
        sources: The snapshot's files.
        target: Name of the target.
        wanted: The decision: ``method``, ``fractions``, ``seed``, ``group``, ``time``, ``stratify``, ``same``.
    """
    rows = np.flatnonzero(frame[target].is_not_null().to_numpy())
    kept, method = frame[rows], wanted["method"]
    values = kept[target].rank("dense").to_numpy() if len(rows) else np.zeros(0)
    return Plan(
        method=method,
        fractions=tuple(wanted.get("fractions") or USUAL),
        seed=int(wanted.get("seed") or 0),
        rows=rows,
        same=numbered(kept.select(wanted["same"])),
        classes=values.astype(np.int64) if method == "stratified" or wanted.get("stratify") else None,
        group=_groups(kept, wanted) if method == "group" else None,
        time=_times(kept, wanted) if method == "time" else None,
        role=roles(sources)[rows] if method == "files" else None,
    )


def roles(sources: list[dict[str, Any]]) -> Rows:
    """0 data, 1 validation, 2 test file for every row; files follow one another in the snapshot."""
    return np.repeat([ROLES.index(source["role"]) for source in sources], [s["rows"] for s in sources])


def refuse_empty(found: Split, method: str, rows: int) -> None:
    """Refuse a split that leaves a side without rows.

    Raises:
        DataError: `input.too_few_rows`, or `input.seen_rows` for a file that only repeats the training data.
    """
    empty = [name for name in SPLITS if not len(found.rows[name])]
    if empty and found.dropped and method == "files":
        raise DataError(
            f"every row of the {' and '.join(empty)} file equals a row to train on: it would test what was learned",
            "input.seen_rows",
            field="test" if "test" in empty else "validation",
            fix="give rows that the training data does not hold",
        )
    if empty:
        raise DataError(
            f"{rows:,} rows split by {method!r} leave no row for {' and '.join(empty)}",
            "input.too_few_rows",
            fix="give more rows, or another split",
        )


def numbered(frame: pl.DataFrame) -> Rows:
    """The number of each row's set of equal rows, in order of appearance: what the cells hold moves no row."""
    first, number = np.unique(frame.hash_rows(seed=0).to_numpy(), return_index=True, return_inverse=True)[1:]
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    found: Rows = place[number]
    return found


def _groups(frame: pl.DataFrame, wanted: dict[str, Any]) -> Rows:
    """Numbers of groups; a row without a group is one by itself."""
    number = numbered(frame.select(wanted["group"]))
    alone = np.flatnonzero(frame[wanted["group"]].is_null().to_numpy())
    number[alone] = number.max(initial=0) + 1 + np.arange(len(alone))
    return number


def _times(frame: pl.DataFrame, wanted: dict[str, Any]) -> NDArray[np.float64]:
    series = frame[wanted["time"]]
    if series.dtype != pl.String:
        numbers: NDArray[np.float64] = series.cast(pl.Float64).to_numpy()
        return numbers
    moments = times(series)
    seconds = moments.astype(np.int64).astype(np.float64)
    seconds[np.isnat(moments)] = np.nan
    return seconds
