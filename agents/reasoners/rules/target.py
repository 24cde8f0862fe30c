"""The rules for the target: which column, which task, which labels, which label is positive. They read no rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agents.metrics import nearest
from agents.reasoners.rules.table import Table
from agents.reasoners.rules.vocabulary import NEGATIVE, POSITIVE, asks_kind, asks_quantity, named_in
from agents.reasoners.rules.wording import listed, quoted
from memory.errors import InputError, UsageError

Task = Literal["binary", "multiclass", "regression"]

FEW_NUMBERS = 20
"""Up to so many different whole numbers can be grades or classes; more are a quantity."""


@dataclass(frozen=True)
class Target:
    """Facts about the chosen target column. `classes` are (label, rows), most frequent first; None for a
    quantity.
    """

    name: str
    type: str
    distinct: int
    classes: tuple[tuple[str, int], ...] | None
    whole: bool
    skew: float | None
    low: float | None
    high: float | None
    mean: float | None
    suggested: Task | None
    why: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in a stable order: numbers by value, text by alphabet."""
        return tuple(sorted((label for label, _ in self.classes or ()), key=_label_order))


def choose(table: Table) -> tuple[str, str, dict[str, Any]]:
    """The target column, the reason when it is proposed (empty when it was given), and the evidence.

    Raises:
        InputError: `input.no_such_target`, or `input.no_target` when nothing in the table looks like one.
    """
    if given := table.request.get("target"):
        return table.known(str(given), "target"), "", {}
    left_out = set(table.request.get("drop") or ())
    candidates = [c for c in table.profile.get("target_candidates") or () if c["column"] not in left_out]
    goal = str(table.request.get("goal") or "")
    ranked = sorted(candidates, key=lambda c: (-named_in(goal, c["column"]), -float(c["score"])))
    if not ranked:
        raise InputError(
            "no target was given and no column looks like one",
            code="input.no_target",
            field="target",
            fix=f"give --target one of: {listed(table.columns, most=12)}",
        )
    best = ranked[0]
    matched, why = named_in(goal, best["column"]), str(best["reason"])
    if matched and "goal" not in why:
        why = f"the goal speaks of it; {why}"
    evidence = {
        "candidates": [{"column": c["column"], "score": c["score"]} for c in ranked[:3]],
        "goal_match": matched,
    }
    return best["column"], why, evidence


def facts(table: Table, name: str) -> Target:
    """What is known about the target: from the profile when it looked at this column, else from the
    snapshot.
    """
    column = table.columns[name]
    profiled: Mapping[str, Any] = table.profile.get("target") or {}
    if profiled.get("name") != name:
        profiled = {}
    classes = profiled.get("classes") or (column.get("top") if _few(column) else None)
    return Target(
        name=name,
        type=str(profiled.get("type") or column["type"]),
        distinct=int(profiled.get("distinct") or column["distinct"]),
        classes=tuple((label_text(label), int(count)) for label, count in classes) if classes else None,
        whole=bool(column.get("integer")),
        skew=profiled.get("skew"),
        low=profiled.get("min", column.get("min")),
        high=profiled.get("max", column.get("max")),
        mean=profiled.get("mean", column.get("mean")),
        suggested=profiled.get("suggested_task"),
        why=str(profiled.get("why") or ""),
    )


def task_of(target: Target, request: Mapping[str, Any]) -> tuple[Task, str]:
    """The task and why: as asked, else as the profile found (it counted the labels), else by the snapshot's facts.

    Raises:
        UsageError: `usage.task` when `--task` does not fit the target.
        InputError: `input.target_type` when it is neither labels nor numbers.
    """
    asked = request.get("task")
    if asked:
        return _asked(str(asked), target), "as asked (--task)"
    if target.suggested is not None:
        return target.suggested, target.why or f"{quoted(target.name)} has {target.distinct} different values"
    if target.distinct == 2:
        _check_labels(target)
        return "binary", f"{quoted(target.name)} has two values"
    if target.type not in ("number", "boolean"):
        _check_labels(target)
        return "multiclass", f"{quoted(target.name)} has {target.distinct} labels"
    if not target.whole or target.distinct > FEW_NUMBERS or not target.classes:
        return "regression", f"{quoted(target.name)} is a quantity with {target.distinct} different values"
    return _grades(target, str(request.get("goal") or ""))


def _check_labels(target: Target) -> None:
    if target.type != "date" and target.classes:
        return
    what = "is a date" if target.type == "date" else f"has {target.distinct} labels and none was counted"
    raise InputError(
        f"the target {target.name!r} {what}: neither a label nor a number to predict",
        code="input.target_type",
        field="target",
        fix="choose a column of labels or numbers, or turn the date into a number (days until it, for example)",
    )


def _grades(target: Target, goal: str) -> tuple[Task, str]:
    quantity, kind = asks_quantity(goal), asks_kind(goal)
    say = f"{quoted(target.name)} has {target.distinct} different whole numbers"
    if quantity != kind:
        return ("regression" if quantity else "multiclass"), f"{say} and the goal asks for {_sought(quantity)}"
    return ("multiclass" if target.distinct <= 10 else "regression"), f"{say} (--task changes this)"


def _sought(quantity: bool) -> str:
    return "a quantity" if quantity else "a kind"


def _asked(task: str, target: Target) -> Task:
    say = f"{quoted(target.name)} ({target.type}) has {target.distinct} different values"
    fits = {
        "binary": target.distinct == 2,
        "multiclass": target.distinct > 2 and bool(target.classes),
        "regression": target.type == "number",
    }
    if task not in fits:
        raise UsageError(
            f"unknown task {task!r}{nearest(task, fits)}; valid: {', '.join(fits)}",
            code="usage.unknown_task",
            field="task",
            fix=f"choose one of: {', '.join(fits)}",
        )
    if not fits[task]:
        valid = [name for name, fit in fits.items() if fit]
        raise UsageError(
            f"--task {task!r} does not fit the target: {say}; valid: {', '.join(valid) or 'none'}",
            code="usage.task",
            field="task",
            fix="leave --task out" if valid else "choose another target",
        )
    return "binary" if task == "binary" else "multiclass" if task == "multiclass" else "regression"


def positive_of(target: Target, asked: str | None) -> tuple[str, str]:
    """The positive label of a binary target, and why.

    Raises:
        UsageError: `usage.positive` when `--positive` is not among the labels.
    """
    labels = target.labels
    if asked is not None:
        if (text := label_text(asked)) in labels:
            return text, "as asked (--positive)"
        raise UsageError(
            f"--positive {asked!r} is not a label of {target.name!r}{nearest(asked, labels)}; "
            f"the labels are {listed(labels, most=10)}",
            code="usage.positive",
            field="positive",
            fix=f"choose one of: {listed(labels, most=10)}",
        )
    for words in POSITIVE:
        named = [label for label in labels if label.strip().lower() in words]
        if len(named) == 1:
            return named[0], f"{quoted(named[0])} reads as the positive answer"
    others = [label for label in labels if label.strip().lower() not in NEGATIVE]
    if len(others) == 1:
        return others[0], f"{quoted(others[0])} is the opposite of a plain no"
    counts = dict(target.classes or ())
    rare = min(labels, key=lambda label: (counts[label], labels.index(label) * -1))
    return rare, f"{quoted(rare)} is the rarer label"


def label_text(label: object) -> str:
    """A label as text: whole numbers without a decimal point."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def _few(column: Mapping[str, Any]) -> bool:
    return column["type"] != "number" or int(column["distinct"]) <= FEW_NUMBERS


def _label_order(label: str) -> tuple[int, float, str]:
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label
