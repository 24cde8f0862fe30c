"""The rules for the split into train, validation and test. They move no rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.decisions.task_plan import Split
from agents.reasoners.rules.table import Table
from agents.reasoners.rules.target import Task
from agents.reasoners.rules.wording import quoted
from memory.errors import InputError, UsageError

USUAL = (0.64, 0.16, 0.2)
TINY = (0.6, 0.2, 0.2)
TINY_ROWS = 500
"""Below so many rows a validation share of 16 % is too few rows to choose by."""


def choose(table: Table, task: Task, target: str) -> tuple[Split, str, dict[str, Any]]:
    """The split, why, and the evidence.

    Files of the person's own first, then groups, then time, then classes in equal shares, then chance.

    Raises:
        InputError: `input.no_such_column`, or a column that cannot split (`input.group`, `input.time`).
        UsageError: `usage.split` when flags contradict each other.
    """
    request = table.request
    _contradiction(request)
    seed = int(request.get("seed") or 0)
    fractions = TINY if table.rows < TINY_ROWS else USUAL
    if request.get("validation") or request.get("test"):
        return _files(request, seed)
    if group := request.get("group"):
        groups = _group(table, str(group), target)
        why = f"rows with the same {quoted(group)} stay together"
        return Split(method="group", fractions=fractions, group=group, seed=seed), why, {"groups": groups}
    if (time := _time(table, target)) is not None:
        column, why = time
        return Split(method="time", fractions=fractions, time=column, seed=seed), why, {"time": column}
    if task == "regression":
        return Split(method="random", fractions=fractions, seed=seed), "nothing says that rows belong together", {}
    return (
        Split(method="stratified", fractions=fractions, seed=seed),
        "each part has the classes in equal shares",
        {},
    )


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


def _files(request: Mapping[str, Any], seed: int) -> tuple[Split, str, dict[str, Any]]:
    validation, test = bool(request.get("validation")), bool(request.get("test"))
    shares = {(True, True): (1.0, 0.0, 0.0), (False, True): (0.8, 0.2, 0.0), (True, False): (0.8, 0.0, 0.2)}
    brought = " and ".join(name for name, given in (("validation", validation), ("test", test)) if given)
    return (
        Split(method="files", fractions=shares[validation, test], seed=seed),
        f"your {brought} rows are used as given",
        {},
    )


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
    found: Mapping[str, Any] = table.profile.get("time") or {}
    name = found.get("column")
    if name and found.get("ordered") and name != target and table.columns[name]["type"] == "date":
        return str(name), f"rows are in the order of {quoted(name)}, so the latest are held out"
    return None
