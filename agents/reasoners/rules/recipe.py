"""How an earlier task plan (`--from`) enters a new one: as flags where the person gave none. It decides
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.reasoners.rules.table import Table
from agents.reasoners.rules.target import facts
from agents.reasoners.rules.wording import listed, quoted

FLAGS = ("task", "metric", "positive")


def earlier_plan(context: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The earlier plan in a context: `recipe` holds it, or a decision record around it."""
    found: Mapping[str, Any] | None = context.get("recipe")
    if not found:
        return None
    inner: Mapping[str, Any] = found["value"] if "value" in found and "features" not in found else found
    return inner


def with_recipe(table: Table, plan: Mapping[str, Any] | None, target: str) -> tuple[Table, tuple[str, ...]]:
    """The table with the recipe's choices as flags where they fit, and what did not fit, each with its
    reason.
    """
    if plan is None:
        return table, ()
    request, notes = dict(table.request), []
    if plan["target"] != target:
        told = f"the recipe predicts {quoted(plan['target'])}: its task, metric and label are not used"
        notes.append(told)
    else:
        for flag in FLAGS:
            request[flag] = request.get(flag) or plan.get(flag)
        notes += _drop_unfit(request, table, target)
    if not (request.get("group") or request.get("time") or request.get("validation") or request.get("test")):
        notes += _split(request, plan["split"], table)
    if not request.get("features"):
        notes += _columns(request, plan, table, target)
    return Table(request, table.columns, table.profile, table.rows), tuple(notes)


def _drop_unfit(request: dict[str, Any], table: Table, target: str) -> list[str]:
    """Take back the recipe's flags that the target no longer allows."""
    distinct, kind = int(table.columns[target]["distinct"]), table.columns[target]["type"]
    fits = {"binary": distinct == 2, "multiclass": distinct > 2, "regression": kind == "number"}
    if fits.get(str(request.get("task")), True):
        return _drop_unknown_label(request, table, target)
    task = request["task"]
    for flag in FLAGS:
        request[flag] = table.request.get(flag)
    return [f"the recipe's task {task!r} does not fit {quoted(target)} with {distinct} values: planned anew"]


def _drop_unknown_label(request: dict[str, Any], table: Table, target: str) -> list[str]:
    positive, labels = request.get("positive"), facts(table, target).labels
    if positive is None or positive in labels or table.request.get("positive"):
        return []
    request["positive"] = None
    return [f"the recipe's positive label {quoted(positive)} is not in these data: chosen anew"]


def _split(request: dict[str, Any], split: Mapping[str, Any], table: Table) -> list[str]:
    for flag in ("group", "time"):
        column = split.get(flag)
        if column and column in table.columns:
            request[flag] = column
        elif column:
            return [f"the recipe splits by {quoted(column)}, which is not in these data: split anew"]
    return []


def _columns(request: dict[str, Any], plan: Mapping[str, Any], table: Table, target: str) -> list[str]:
    before = [feature["name"] for feature in plan["features"]]
    unwanted = set(request.get("drop") or ())
    kept = [name for name in before if name in table.columns and name != target and name not in unwanted]
    if not kept:
        return ["none of the recipe's columns is in these data: chosen anew"]
    request["features"], request["features_from"] = kept, "recipe"
    known = {*before, *(entry["name"] for entry in plan["dropped"]), target}
    missing = [name for name in before if name not in table.columns]
    new = [name for name in table.columns if name not in known]
    notes = []
    if missing:
        notes.append(f"columns of the recipe that these data lack: {listed(missing)}")
    if new:
        notes.append(f"new columns that the recipe does not use: {listed(new)} (name inputs with --features)")
    return notes
