"""The data's own numbers again: hashes, facts of each column, class balance, and what the splits hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tests.acceptance.reevaluation.artifacts import Run, read, sha256, text
from tests.acceptance.reevaluation.checks import Check

SPLITS = ("train", "validation", "test")


def check_data(run: Run, check: Check) -> None:
    """Snapshot, profile and prepare, as their jobs reported them."""
    snapshot = read(run.folder / "jobs" / "snapshot" / "result.json")
    check.true("the snapshot's hash", snapshot["sha256"] == sha256(run.folder / "data" / "snapshot.parquet"))
    check.true("the configuration's data hash", run.dataset["sha256"] == snapshot["sha256"])
    check.same("snapshot rows", snapshot["rows"], run.frame.height)
    check.same("rows of the files", sum(one["rows"] for one in snapshot["source"]), run.frame.height)
    for one in snapshot["source"]:
        path = Path(one["path"])
        if path.exists() and path.stat().st_mtime_ns == one["mtime_ns"]:  # else it is another file by now
            check.same("source bytes", one["bytes"], path.stat().st_size)
            check.true("source hash", one["sha256"] == sha256(path))
    for column in snapshot["columns"]:
        expected = _facts(run, column)
        check.same(f"column {column['name']}", {name: column[name] for name in expected}, expected)
    _check_target(run, check)
    _check_prepared(run, check)


def _facts(run: Run, column: dict[str, Any]) -> dict[str, Any]:
    """A column's counts, and of numbers their range, mean and deviation over the finite ones."""
    values = run.frame[column["name"]]
    known = values.drop_nulls()
    counts = sorted(Counter(known.to_list()).values(), reverse=True)
    facts: dict[str, Any] = {
        "rows": run.frame.height,
        "missing": values.null_count(),
        "distinct": len(counts),
        "constant": len(counts) == 1,
        "all_missing": not len(known),
    }
    if column["type"] == "number" and len(known):
        numbers = known.to_numpy().astype(np.float64)
        numbers = numbers[np.isfinite(numbers)]
        facts |= {"min": numbers.min(), "max": numbers.max(), "mean": numbers.mean()}
        facts |= {"std": numbers.std(ddof=1) if len(numbers) > 1 else column["std"]}
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in facts.items()}


def _check_target(run: Run, check: Check) -> None:
    """Class balance and missing values of the target, over the rows that are not tested on."""
    name = run.dataset["target"]
    reports = [read(path)["target"] for path in sorted(run.folder.glob("jobs/profile-*/result.json"))]
    tested = set(run.splits["test"])
    values = run.column(name, [row for row in range(run.frame.height) if row not in tested])
    known = Counter(text(value) for value in values if value is not None)
    for found in [one for one in reports if one is not None and one["name"] == name]:
        check.same("target distinct", found["distinct"], len(known))
        check.same("target missing", found["missing"], values.count(None))
        if run.labels is not None:
            check.same("class balance", {text(label): count for label, count in found["classes"]}, dict(known))


def _check_prepared(run: Run, check: Check) -> None:
    """No row is in two splits; each split's rows and classes are counted right; encoded widths are the arrays'."""
    found = read(run.folder / "jobs" / "prepare" / "result.json")
    rows = [row for name in SPLITS for row in run.splits[name]]
    check.true("a row is in two splits", len(rows) == len(set(rows)))
    check.true("a split holds rows that there are not", not rows or max(rows) < run.frame.height)
    check.same("prepared rows", found["rows"], {name: len(run.splits[name]) for name in SPLITS})
    if run.labels is not None:
        counts = [np.bincount(run.truth(name), minlength=len(run.labels)).tolist() for name in SPLITS]
        expected = [[label, *(count[place] for count in counts)] for place, label in enumerate(run.labels)]
        check.same("prepared classes", found["classes"], expected)
    encoded = {"numbers": np.zeros((1, 0)), "categories": np.zeros((1, 0))} | run.encoder.encode_columns(
        run.raw(rows[:1])
    )
    check.same("encoded numbers", found["inputs"]["numbers"], encoded["numbers"].shape[1])
    check.same("encoded categories", len(found["inputs"]["categories"]), encoded["categories"].shape[1])
    left_out = run.frame.height - len(rows)
    known = run.frame.filter(pl.col(run.dataset["target"]).is_not_null()).height
    dropped = run.frame.height - known + found["duplicates"]["dropped"]
    check.same("rows in no split", left_out, dropped)
