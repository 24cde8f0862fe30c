"""What a task planner needs to know about a snapshot: target, leaks, identifiers, duplicates.

The test rows are drawn first and left out, like those of a test file: what is found here steers choices. All rows are
read only for what a column is (its type, whether it names rows or people, is constant; the target's labels), for the
refusals of a target that nothing can be learned from, while no target is named for proposing one, and for telling a
person what the table holds.
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
from .describe import describe
from .draw import ROLES, compared, plan_of, refuse_empty, roles
from .errors import DataError, named, nearest
from .identifiers import COUNTER, SURE
from .leaks import find_leaks
from .personal import personal
from .rows.errors import short
from .splits import split
from .target import refuse_range

TASKS = ("binary", "multiclass", "regression")
REALLY_NEAR = 0.75  # likeness from which a wrong name is taken for a slip of another
_HIGH_CARDINALITY = 50
_MOST_CLASSES = 1000


def profile(root: Path, args: dict[str, Any]) -> dict[str, Any]:
    """Profiles ``<root>/data/snapshot.*``.

    Args:
        root: Sandbox root.
        args: ``target``, ``task``, ``goal``, ``group``, ``time``, ``drop``, ``features``; each may be None. ``split``
            is how rows will be divided, as in the dataset decision; without it only a test file's rows are left out.
            ``describe`` asks for a description of every column over all rows, which no plan is made from.

    Raises:
        DataError: `input.no_such_target`, `input.no_such_column`, `input.constant_target`, `input.target_missing`,
            `input.single_class_example`, `input.unusable_target`, `input.no_usable_column`.
    """
    facts = json.loads((root / "data" / "snapshot.json").read_text())
    columns: dict[str, dict[str, Any]] = {column["name"]: column for column in facts["columns"]}
    _check_names(columns, args)
    frame = pl.read_parquet(root / "data" / "snapshot.parquet")
    hidden = personal(frame, facts["columns"])
    described = describe(frame, facts["columns"], hidden) if args.get("describe") else None
    ours = roles(facts["source"]) != ROLES.index("test")
    target, leaks, answers, seen = None, [], np.zeros(0), ours
    if args.get("target"):
        column = columns[args["target"]]
        _refuse_unusable(_as_read(frame.filter(ours), column))
        seen = ours & ~_held(frame, facts, args)
        target, answers = _target(frame.filter(ours), seen[ours], _as_read(frame.filter(seen), column), args)
    frame = frame.filter(seen)
    usable, counters = _usable(columns, args)
    if target is not None:
        known = np.flatnonzero(np.isfinite(answers) if target["suggested_task"] == "regression" else answers >= 0)
        classes = len(target["classes"] or ())
        kinds = {name: columns[name]["type"] for name in usable}
        leaks = find_leaks(frame.select(usable)[known], answers[known], classes, kinds)
    return {
        "target_candidates": candidates(list(columns.values()), args.get("goal")),
        "target": target,
        "leaks": leaks,
        "duplicates": _duplicates(frame),
        **_sorted_out(columns, counters),
        "personal": hidden,
        "described": described,
        "notes": _unread(int((~seen).sum())),
    }


def _sorted_out(columns: dict[str, dict[str, Any]], counters: list[str]) -> dict[str, Any]:
    """The columns that something is to be known of, by what it is."""
    return {
        "identifiers": [n for n, c in columns.items() if _names_rows(c) and n not in counters],
        "constant": [n for n, c in columns.items() if c["constant"]],
        "all_missing": [n for n, c in columns.items() if c["all_missing"]],
        "high_cardinality": [
            {"column": n, "distinct": c["distinct"]}
            for n, c in columns.items()
            if c["type"] == "category" and c["distinct"] > _HIGH_CARDINALITY and not _names_rows(c)
        ],
        "text": [n for n, c in columns.items() if c["type"] == "text"],
        "dates": [n for n, c in columns.items() if c["type"] == "date"],
    }


def _held(frame: pl.DataFrame, facts: dict[str, Any], args: dict[str, Any]) -> NDArray[np.bool_]:
    """Which rows the split draws for the test."""
    held, wanted = np.zeros(frame.height, np.bool_), args.get("split")
    if wanted:
        same = compared(frame.columns, args["target"], wanted, [])
        found = split(plan_of(frame, facts["source"], args["target"], {**wanted, "same": same}))
        refuse_empty(found, wanted["method"], frame.height)
        held[found.held] = True
    return held


def _unread(rows: int) -> list[dict[str, Any]]:
    message = f"test rows that were not looked at for the plan: {rows:,}"
    return [{"code": "test_rows_unread", "message": message, "column": None, "count": rows}] if rows else []


def _as_read(frame: pl.DataFrame, column: dict[str, Any]) -> dict[str, Any]:
    """The facts of a column on these rows, where the snapshot's speak of more rows."""
    if column["rows"] == frame.height:
        return column
    known = frame[column["name"]].drop_nulls()
    found = {"rows": frame.height, "missing": frame.height - len(known), "distinct": known.n_unique()}
    found["top"] = [[label, len(known)] for label in target_labels(known.head(1), column)]
    if column["type"] in ("number", "boolean"):
        found |= {"min": known.min(), "max": known.max(), "mean": known.mean()}
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


def _target(
    frame: pl.DataFrame, seen: NDArray[np.bool_], column: dict[str, Any], args: dict[str, Any]
) -> tuple[dict[str, Any], NDArray[Any]]:
    """The target's part of the result, and its class indices (-1 = missing) or numbers (NaN = missing) where `seen`.

    Args:
        frame: All rows but those of a test file; they say which labels there are.
        seen: Those of them that choices may be made from (n,).
        column: The target's facts on the rows seen.
        args: As in `profile`.
    """
    name = column["name"]
    table = _labels(frame[name], seen, column)
    suggested, why = suggest_task(column, table["n"].to_list(), args.get("goal"))
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
        "mean": column["mean"],
        "suggested_task": task,
        "why": why,
    }
    if task == "regression":
        return _regression(frame[name], seen, column, found)
    _refuse_classes(name, table, task)
    found["classes"] = [list(pair) for pair in table.select("label", "n").rows()]
    labels = target_labels(frame[name].filter(seen), column)
    return found, class_indices(labels, table["label"].to_list(), name)


def _labels(values: pl.Series, seen: NDArray[np.bool_], column: dict[str, Any]) -> pl.DataFrame:
    """Every ``label``, its rows among those seen (``n``) and among ``all``; the most frequent of those seen first."""
    labels = pl.DataFrame(
        {"label": pl.Series(target_labels(values, column), dtype=pl.String), "seen": seen}
    ).drop_nulls()
    table = labels.group_by("label").agg(pl.col("seen").sum().cast(pl.Int64).alias("n"), pl.len().alias("all"))
    return table.sort("n", "label", descending=[True, False])


def _regression(
    values: pl.Series, seen: NDArray[np.bool_], column: dict[str, Any], found: dict[str, Any]
) -> tuple[dict[str, Any], NDArray[Any]]:
    if column["type"] != "number":
        raise DataError(
            f"the target {named([column['name']])} is {column['type']}, not a number: it cannot be a regression",
            "input.unusable_target",
            field="task",
            fix="use task 'binary' or 'multiclass', or another target",
        )
    refuse_range(values.drop_nulls().to_numpy(), column["name"])
    values = values.filter(seen)
    skew = values.skew()
    found |= {"distinct": column["distinct"], "skew": float(skew) if skew is not None and np.isfinite(skew) else None}
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
    name, single = short(name), table.filter(pl.col("all") == 1)["label"].to_list()
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
