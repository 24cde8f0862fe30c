"""Whether a column only names rows. The finding is a score and a reason; what to do with it is decided elsewhere."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

_NAME = re.compile(r"(^|[_\W])(id|ids|uuid|guid|key|index|idx|rownum|row|nr|no|number|identifier)$", re.IGNORECASE)
_CAMEL = re.compile(r"[a-z](Id|ID)$")
_UUID = r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"
_FEW = 20
COUNTER = 0.9  # a number that counts rows without being named as an identifier
SURE = 0.8  # from this score on a column is listed as an identifier


def identifier(values: pl.Series, column: dict[str, Any]) -> dict[str, Any] | None:
    """Score (0 to 1) and reason, or None when nothing speaks for an identifier.

    Args:
        values: The typed column.
        column: Its facts so far (`type`, `rows`, `missing`, `distinct`, `integer`, `words_mean`).
    """
    known = column["rows"] - column["missing"]
    if known < _FEW or column["type"] not in ("number", "category", "text"):
        return None
    share = column["distinct"] / known
    named = bool(_NAME.search(column["name"]) or _CAMEL.search(column["name"]))
    if column["type"] == "number":
        return _numbers(values.drop_nulls(), column, share, named)
    return _texts(values.drop_nulls(), column, share, named)


def _numbers(values: pl.Series, column: dict[str, Any], share: float, named: bool) -> dict[str, Any] | None:
    if not column["integer"] or share < 0.95:
        return None
    steps = values.diff().drop_nulls()
    if share == 1.0 and ((steps == 1).all() or (steps == -1).all()):
        return _found(0.99 if named else COUNTER, "counts the rows one by one")
    if named:
        return _found(0.95, f"is named as an identifier and {share:.0%} of its values are distinct")
    if share == 1.0 and ((steps > 0).all() or (steps < 0).all()):
        return _found(0.6, "whole numbers, all distinct, in order")
    return None


def _texts(values: pl.Series, column: dict[str, Any], share: float, named: bool) -> dict[str, Any] | None:
    if values.head(1000).str.contains(_UUID).all() and share > 0.5:
        return _found(0.99, "UUIDs")
    if share < 0.95:
        return None
    if named:
        return _found(0.97, f"is named as an identifier and {share:.0%} of its values are distinct")
    if share >= 0.99 and column["words_mean"] <= 1.5:
        return _found(0.9, "single words, (nearly) every row has its own")
    return None


def _found(score: float, why: str) -> dict[str, Any]:
    return {"score": score, "why": why}
