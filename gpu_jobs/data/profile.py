"""What a task planner needs to know about a snapshot: target, leaks, identifiers, order in time, duplicates.

Rows of a test file are not looked at: what is found here steers choices. Where no test file was given, the test rows
are drawn after the plan that this profile informs, so classes, skew and leaks are found on all rows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .arrays import class_indices, target_labels
from .candidates import candidates, suggest_task
from .errors import DataError, named, nearest
from .identifiers import COUNTER, SURE
from .leaks import find_leaks
from .rows.errors import short
from .target import refuse_range

TASKS = ("binary", "multiclass", "regression")
REALLY_NEAR = 0.75  # likeness from which a wrong name is taken for a slip of another
_HIGH_CARDINALITY = 50
_MOST_CLASSES = 1000


def profile(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Profiles ``<root>/data/snapshot.*``.

    Args:
        root: Sandbox root.
        args: ``target``, ``task``, ``goal``, ``group``, ``time``, ``drop``, ``features``; each may be None.

    Raises:
        DataError: `input.no_such_target`, `input.no_such_column`, `input.constant_target`, `input.target_missing`,
            `input.single_class_example`, `input.unusable_target`, `input.no_usable_column`.
    """
    facts = json.loads((root / "data" / "snapshot.json").read_text())
    columns: dict[str, dict[str, Any]] = {column["name"]: column for column in facts["columns"]}
    _check_names(columns, args)
    frame, unread = _without_test_file(pl.read_parquet(root / "data" / "snapshot.parquet"), facts)
    target, leaks, answers = None, [], np.zeros(0)
    if args.get("target"):
        target, answers = _target(frame, _as_read(frame, columns[args["target"]]), args)
    usable, counters = _usable(columns, args)
    if target is not None:
        known = np.flatnonzero(np.isfinite(answers) if target["suggested_task"] == "regression" else answers >= 0)
        classes = 0 if target["suggested_task"] == "regression" else target["distinct"]
        kinds = {name: columns[name]["type"] for name in usable}
        leaks = find_leaks(frame.select(usable)[known], answers[known], classes, kinds)
    by_kind = {kind: [n for n, c in columns.items() if c["type"] == kind] for kind in ("text", "date")}
    return {
        "target_candidates": candidates(list(columns.values()), args.get("goal")),
        "target": target,
        "leaks": leaks,
        "duplicates": _duplicates(frame),
        "identifiers": [n for n, c in columns.items() if _names_rows(c) and n not in counters],
        "constant": [n for n, c in columns.items() if c["constant"]],
        "all_missing": [n for n, c in columns.items() if c["all_missing"]],
        "time": _time(columns, args),
        "high_cardinality": [
            {"column": n, "distinct": c["distinct"]}
            for n, c in columns.items()
            if c["type"] == "category" and c["distinct"] > _HIGH_CARDINALITY and not _names_rows(c)
        ],
        "text": by_kind["text"],
        "dates": by_kind["date"],
        "notes": _unread(unread),
    }


def _without_test_file(frame: pl.DataFrame, facts: dict[str, Any]) -> tuple[pl.DataFrame, int]:
    """The rows that are not from a test file, and how many were left out; files follow one another in the snapshot."""
    parts, at = [], 0
    for source in facts["source"]:
        if source["role"] != "test":
            parts.append(frame[at : at + source["rows"]])
        at += source["rows"]
    kept = pl.concat(parts)
    return kept, frame.height - kept.height


def _unread(rows: int) -> list[dict[str, Any]]:
    message = f"{rows:,} rows of the test file were not looked at"
    return [{"code": "test_file_unread", "message": message, "column": None, "count": rows}] if rows else []


def _as_read(frame: pl.DataFrame, column: dict[str, Any]) -> dict[str, Any]:
    """The facts of a column on these rows, where the snapshot's speak of more rows."""
    if column["rows"] == frame.height:
        return column
    known = frame[column["name"]].drop_nulls()
    found = {"rows": frame.height, "missing": frame.height - len(known), "distinct": known.n_unique()}
    found["top"] = [[label, len(known)] for label in target_labels(known.head(1), column)]
    if column["type"] in ("number", "boolean"):
        found |= {"min": known.min(), "max": known.max(), "integer": bool((known == known.floor()).all())}
    return {**column, **found}


def _check_names(columns: dict[str, Any], args: dict[str, Any]) -> None:
    asked = [("target", args.get("target")), ("group", args.get("group")), ("time", args.get("time"))]
    asked += [(key, name) for key in ("drop", "features") for name in args.get(key) or ()]
    for key, name in asked:
        if name and name not in columns:
            near = nearest(name, columns, cutoff=REALLY_NEAR)
            shown = named(near or list(columns)[:8])
            raise DataError(
                f"there is no column {named([name])} for {key!r}; {'nearest names' if near else 'columns'}: {shown}",
                "input.no_such_target" if key == "target" else "input.no_such_column",
                field=key,
                fix=f"use one of {shown}",
            )
    if args.get("task") and args["task"] not in TASKS:
        raise DataError(f"task {named([args['task']])} is not one of {', '.join(TASKS)}", "input.task", field="task")


def _names_rows(column: dict[str, Any]) -> bool:
    return column["identifier"] is not None and column["identifier"]["score"] >= SURE


def _usable(columns: dict[str, dict[str, Any]], args: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Columns that could be features, and those of them that merely count rows but are all there is.

    Features vary, do not merely name rows (unless asked for) and were not excluded.
    """
    out = {args.get("target"), args.get("group"), *(args.get("drop") or ())}
    asked = args.get("features") or list(columns)
    varying = [n for n in asked if n not in out and not columns[n]["constant"] and not columns[n]["all_missing"]]
    if args.get("features") and varying:
        return varying, []
    usable = [name for name in varying if not _names_rows(columns[name])]
    counters = [n for n in varying if (columns[n]["identifier"] or {"score": 0})["score"] == COUNTER]
    if usable:
        return usable, []
    if not counters:
        raise DataError(
            "no usable column besides the target: all others are constant, empty, identifiers or dropped",
            "input.no_usable_column",
            fix="give a table with at least one column that varies, or drop fewer",
        )
    return counters, counters


def _target(frame: pl.DataFrame, column: dict[str, Any], args: dict[str, Any]) -> tuple[dict[str, Any], NDArray[Any]]:
    """The target's part of the result, and its class indices (-1 = missing) or numbers (NaN = missing)."""
    name = column["name"]
    _refuse_unusable(column)
    labels = target_labels(frame[name], column)
    table = pl.Series("label", labels, dtype=pl.String).drop_nulls().value_counts(name="n")
    table = table.sort("n", "label", descending=[True, False])
    counts = table["n"].to_list()
    suggested, why = suggest_task(column, counts, args.get("goal"))
    task = args.get("task") or suggested
    if args.get("task") and args["task"] != suggested:
        why = f"asked for; {suggested} was suggested because {why}"
    found = {
        "name": name,
        "type": column["type"],
        "distinct": table.height,
        "missing": column["missing"],
        "classes": None,
        "skew": None,
        "min": column["min"],
        "max": column["max"],
        "suggested_task": task,
        "why": why,
    }
    if task == "regression":
        return _regression(frame, column, found)
    _refuse_classes(name, table, task)
    found["classes"] = [list(pair) for pair in table.rows()]
    return found, class_indices(labels, table["label"].to_list(), name)


def _regression(
    frame: pl.DataFrame, column: dict[str, Any], found: dict[str, Any]
) -> tuple[dict[str, Any], NDArray[Any]]:
    if column["type"] != "number":
        raise DataError(
            f"the target {named([column['name']])} is {column['type']}, not a number: it cannot be a regression",
            "input.unusable_target",
            field="task",
            fix="use task 'binary' or 'multiclass', or another target",
        )
    values = frame[column["name"]]
    refuse_range(values.drop_nulls().to_numpy(), column["name"])
    skew = values.skew()
    found["skew"] = float(skew) if skew is not None and np.isfinite(skew) else None
    return found, values.to_numpy()


def _refuse_unusable(column: dict[str, Any]) -> None:
    name, known = short(column["name"]), column["rows"] - column["missing"]
    if column["missing"] > column["rows"] / 2:
        raise DataError(
            f"the target {name!r} is missing in {column['missing']:,} of {column['rows']:,} rows, more than half",
            "input.target_missing",
            field="target",
            fix="choose another target or give rows that have one",
        )
    if column["distinct"] < 2:
        value = column["top"][0][0] if column["top"] else None
        raise DataError(
            f"the target {name!r} is {value!r} in every row: there is nothing to learn",
            "input.constant_target",
            field="target",
            fix="choose another target",
        )
    odd = column["type"] in ("date", "text")
    if odd or (column["type"] == "category" and column["distinct"] > max(known / 2, _MOST_CLASSES)):
        raise DataError(
            f"the target {name!r} holds {column['type']} values, {column['distinct']:,} different ones",
            "input.unusable_target",
            field="target",
            fix="choose a target with numbers or a limited number of classes",
        )


def _refuse_classes(name: str, table: pl.DataFrame, task: str) -> None:
    name, single = short(name), table.filter(pl.col("n") == 1)["label"].to_list()
    if single:
        shown = named(single[:5]) + (f" and {len(single) - 5} more" if len(single) > 5 else "")
        raise DataError(
            f"the target {name!r} has classes with a single example: {shown}",
            "input.single_class_example",
            field="target",
            fix="add rows of such classes, merge them, or remove them; three per class are needed to test on one",
        )
    if task == "binary" and table.height != 2:
        raise DataError(
            f"the target {name!r} has {table.height} classes: it cannot be binary",
            "input.unusable_target",
            field="task",
            fix="use task 'multiclass'",
        )


def _duplicates(frame: pl.DataFrame) -> dict[str, Any]:
    """Rows that repeat an earlier row in all columns."""
    repeated = frame.height - frame.hash_rows(seed=0).n_unique()
    return {"rows": repeated, "share": repeated / frame.height if frame.height else 0.0}


def _time(columns: dict[str, dict[str, Any]], args: dict[str, Any]) -> dict[str, Any] | None:
    """The column that orders the rows in time, if there is one, and whether the file is in its order."""
    asked = args.get("time")
    dates = [asked] if asked else [name for name, column in columns.items() if column["type"] == "date"]
    if not dates:
        return None
    name = next((name for name in dates if columns[name]["sorted"]), dates[0])
    return {"column": name, "ordered": columns[name]["sorted"]}
