"""The rules for the split into train, validation and test. They move no rows.

The split is chosen from the request, the target and what kind of columns there are, before anything is found out about
the rows: so the test rows can be drawn first, and everything else is chosen without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.decisions.task_plan import Split
from agents.reasoners.rules.table import Table
from agents.reasoners.rules.target import FEW_NUMBERS
from agents.reasoners.rules.wording import quoted
from memory.errors import InputError, UsageError

USUAL = (0.64, 0.16, 0.2)
TINY = (0.6, 0.2, 0.2)
TINY_ROWS = 500
"""Below so many rows a validation share of 16 % is too few rows to choose by."""


NAMES_ROWS = 0.8
"""From this score on a column only names rows; two rows that differ in it alone are the same."""


def choose(table: Table, target: str) -> tuple[Split, str, dict[str, Any]]:
    """The split, why, and the evidence.

    Files of the person's own first, then groups, then time, then the target's values in equal shares, then chance.

    Raises:
        InputError: `input.no_such_column`, or a column that cannot split (`input.group`, `input.time`).
        UsageError: `usage.split` when flags contradict each other.
    """
    request = table.request
    _contradiction(request)
    common: dict[str, Any] = {
        "fractions": TINY if table.rows < TINY_ROWS else USUAL,
        "seed": int(request.get("seed") or 0),
        "stratify": _has_labels(table, target),
        "apart": _apart(table, target),
    }
    if request.get("validation") or request.get("test"):
        return _files(request, common)
    if group := request.get("group"):
        groups = _group(table, str(group), target)
        why = f"rows with the same {quoted(group)} stay together"
        return Split(method="group", group=group, **common), why, {"groups": groups}
    if (time := _time(table, target)) is not None:
        column, why = time
        return Split(method="time", time=column, **common), why, {"time": column}
    if not common["stratify"]:
        return Split(method="random", **common), "nothing says that rows belong together", {}
    return Split(method="stratified", **common), f"each part has the values of {quoted(target)} in equal shares", {}


def _has_labels(table: Table, target: str) -> bool:
    """Whether the target's values are labels or so few that each can have its share of every part."""
    column, asked = table.columns[target], table.request.get("task")
    if asked:
        return bool(asked != "regression")
    return column["type"] != "number" or int(column["distinct"]) <= FEW_NUMBERS


def _apart(table: Table, target: str) -> tuple[str, ...]:
    """Columns that are no inputs whatever the rows hold: left out by the person, or naming rows or groups."""
    request, wanted = table.request, table.asked("features")
    out = {*table.asked("drop"), *(set(table.columns) - set(wanted) if wanted else ())}
    for name, column in table.columns.items():
        if name not in wanted and (name == request.get("group") or _names_rows(column)):
            out.add(name)
    return tuple(name for name in table.columns if name in out and name != target)


def _names_rows(column: Mapping[str, Any]) -> bool:
    return float((column.get("identifier") or {"score": 0})["score"]) >= NAMES_ROWS


def _contradiction(request: Mapping[str, Any]) -> None:
    ways = [flag for flag in ("group", "time") if request.get(flag)]
    if request.get("validation") or request.get("test"):
        ways.append("validation/--test")
    if len(ways) > 1:
        raise UsageError(
            f"--{' and --'.join(ways)} each say how to split, and only one can",
            code="usage.split",
            field=ways[0],
            fix=f"keep one of: {', '.join('--' + way for way in ways)}",
        )


def _files(request: Mapping[str, Any], common: dict[str, Any]) -> tuple[Split, str, dict[str, Any]]:
    validation, test = bool(request.get("validation")), bool(request.get("test"))
    shares = {(True, True): (1.0, 0.0, 0.0), (False, True): (0.8, 0.2, 0.0), (True, False): (0.8, 0.0, 0.2)}
    brought = " and ".join(name for name, given in (("validation", validation), ("test", test)) if given)
    split = Split(method="files", **{**common, "fractions": shares[validation, test]})
    return split, f"your {brought} rows are used as given", {}


def _group(table: Table, group: str, target: str) -> int:
    column = table.columns[table.known(group, "group")]
    distinct = int(column["distinct"])
    if group == target or distinct < 3:
        what = (
            "is the target" if group == target else f"has {distinct} different values and three parts need at least 3"
        )
        raise InputError(
            f"--group {group!r} cannot split the rows: it {what}",
            code="input.group",
            field="group",
            fix="name a column that says which rows share a source",
        )
    return distinct


def _time(table: Table, target: str) -> tuple[str, str] | None:
    asked = table.request.get("time")
    if asked:
        column = table.columns[table.known(str(asked), "time")]
        if asked == target or column["type"] not in ("date", "number"):
            what = "the target" if asked == target else f"a {column['type']} column"
            raise InputError(
                f"--time {asked!r} cannot order the rows: it is {what}",
                code="input.time",
                field="time",
                fix="name a column of dates or numbers that grows with time",
            )
        return str(asked), f"the latest rows by {quoted(asked)} are held out (--time)"
    for name, column in table.columns.items():
        if name != target and column["type"] == "date" and column["sorted"]:
            return name, f"rows are in the order of {quoted(name)}, so the latest are held out"
    return None
