"""What a person is told about each column of a table: spread of numbers, frequent categories.

Figures are exact here and rounded by whoever tells them; a category stands only where several rows share it, and a
column with personal data has neither.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from .values import tally

SHARED = 5  # rows that must share a category before it is named
MOST = 20
_QUANTILES = {"low": 0.01, "q25": 0.25, "median": 0.5, "q75": 0.75, "high": 0.99}


def describe(frame: pl.DataFrame, columns: list[dict[str, Any]], hidden: dict[str, str]) -> list[dict[str, Any]]:
    """One entry per column: ``name``, ``kind``, ``missing_share``, ``distinct``, ``personal``, ``numbers``,
    ``categories`` (``[value, rows]``) and ``others``, the rows of the categories that are not named.

    Args:
        frame: The snapshot's rows.
        columns: The facts of its columns.
        hidden: The kind of personal data per column that holds some, as `personal` found it.
    """
    return [_column(frame[column["name"]], column, hidden.get(column["name"])) for column in columns]


def _column(values: pl.Series, column: dict[str, Any], hidden: str | None) -> dict[str, Any]:
    named = [] if hidden else _categories(values, column)
    known = column["rows"] - column["missing"]
    return {
        "name": column["name"],
        "kind": column["type"],
        "missing_share": column["missing"] / column["rows"] if column["rows"] else 0.0,
        "distinct": column["distinct"],
        "personal": hidden,
        "numbers": _numbers(values, column) if column["type"] == "number" and not hidden else None,
        "categories": named,
        "others": known - sum(rows for _, rows in named) if column["type"] in {"category", "boolean"} else 0,
    }


def _numbers(values: pl.Series, column: dict[str, Any]) -> dict[str, float | None]:
    known = values.drop_nulls()
    if known.n_unique() < SHARED:
        return {}
    return {
        "mean": column["mean"],
        "std": column["std"],
        **{name: known.quantile(share, "linear") for name, share in _QUANTILES.items()},
    }


def _categories(values: pl.Series, column: dict[str, Any]) -> list[list[Any]]:
    """The most frequent categories that enough rows share, each with its rows."""
    if column["type"] not in {"category", "boolean"} or column["identifier"]:
        return []
    found = tally(values.drop_nulls()).filter(pl.col("n") >= SHARED).head(MOST)
    levels = column["levels"]
    names = found["value"].to_list() if levels is None else [levels[int(value)] for value in found["value"]]
    return [[str(name)[:200], rows] for name, rows in zip(names, found["n"].to_list(), strict=True)]
