"""The rule of `TaskPlan`: puts target, task, metric, split and inputs together and says why in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agents.decisions.task_plan import Split, TaskPlan
from agents.reasoners.rules import features, metric, split, target
from agents.reasoners.rules.recipe import earlier_plan, with_recipe
from agents.reasoners.rules.table import Table
from agents.reasoners.rules.target import Target, Task
from agents.reasoners.rules.wording import listed, one_line, quoted
from memory.errors import UsageError

MOST_LEFT_OUT = 4


def decide(context: Mapping[str, Any]) -> TaskPlan:
    """The plan of the task.

    Args:
        context: `request`, `snapshot`, `profile`, and for `--from` the earlier plan as `recipe`. When the
            profile has not looked at the chosen target (it was proposed here), the plan is provisional:
            profile again with the target that the person confirms.

    Raises:
        InputError: An unknown column, nothing usable, or nothing that looks like a target.
        UsageError: An unknown metric, task or positive label, a threshold out of range, contradicting flags.
    """
    table = Table.of(context)
    name, proposed, target_evidence = target.choose(table)
    table, recipe_notes = with_recipe(table, earlier_plan(context), name)
    facts = target.facts(table, name)
    task, task_why = target.task_of(facts, table.request)
    stated = metric.requirements(table.request, task)
    steering, metric_why, metric_evidence = metric.choose(task, facts, table.request, stated)
    parts, split_why, split_evidence = split.choose(table, name)
    inputs = features.choose(table, name, parts)
    transform, transform_why = metric.transform(task, facts)
    labels, positive, positive_why = _labels(task, facts, table.request.get("positive"))
    found = {"target": target_evidence, "metric": metric_evidence, "split": split_evidence, "positive": positive_why}
    why = [
        f"proposed target {quoted(name)}: {proposed}" if proposed else "",
        f"{task} {task_why}" if task_why.startswith("as asked") else f"{task} because {task_why}",
        f"judged by {steering}: {metric_why}",
        f"{parts.method} split: {split_why}",
        f"{len(inputs.features)} inputs" + _left_out(inputs.dropped),
        transform_why,
    ]
    return TaskPlan(
        reason=one_line(why),
        evidence={"rows": table.rows, "distinct": facts.distinct, "type": facts.type, **found},
        task=task,
        target=name,
        positive=positive,
        labels=labels,
        metric=steering,
        requirements=stated,
        features=inputs.features,
        dropped=inputs.dropped,
        split=parts,
        target_transform=transform,
        class_weights=metric.class_weights(task, facts, steering),
        proposed=bool(proposed),
        notes=(*recipe_notes, *inputs.notes, *_scarce(task, facts), *_duplicates(table)),
    )


def split_for(context: Mapping[str, Any], name: str) -> Split:
    """The split that `decide` will choose for this target, from `request`, `snapshot` and `recipe` alone.

    Raises:
        InputError: An unknown column, or one that cannot split.
        UsageError: Contradicting flags.
    """
    table = Table.of(context)
    table.known(name, "target")
    table, _ = with_recipe(table, earlier_plan(context), name)
    return split.choose(table, name)[0]


def _labels(task: Task, facts: Target, asked: str | None) -> tuple[tuple[str, ...] | None, str | None, str | None]:
    if asked is not None and task != "binary":
        raise UsageError(
            f"--positive {asked!r} is for a target with two labels, and this is a {task} task",
            code="usage.positive",
            field="positive",
            fix="leave --positive out",
        )
    if task == "regression":
        return None, None, None
    if task == "multiclass":
        return facts.labels, None, None
    positive, why = target.positive_of(facts, asked)
    return (*(label for label in facts.labels if label != positive), positive), positive, why


def _left_out(dropped: tuple[Any, ...]) -> str:
    shown = [f"{quoted(entry.name)} ({_in_short(entry.reason)})" for entry in dropped[:MOST_LEFT_OUT]]
    more = f" and {len(dropped) - MOST_LEFT_OUT} more" if len(dropped) > MOST_LEFT_OUT else ""
    return f", left out {', '.join(shown)}{more}" if shown else ""


def _in_short(reason: str) -> str:
    """A reason without what follows its first clause."""
    return re.split(r"[;,]| \(", reason, maxsplit=1)[0] if not reason.startswith("you asked") else reason


def _scarce(task: Task, facts: Target) -> list[str]:
    few = metric.hard_to_judge(task, facts)
    told = "have too few rows to be learned or judged well; merge them, or add rows"
    return [f"labels {listed(few)} {told}"] if few else []


def _duplicates(table: Table) -> list[str]:
    found = table.profile.get("duplicates") or {}
    if not found.get("rows"):
        return []
    told = "1 row repeats" if found["rows"] == 1 else f"{found['rows']} rows repeat"
    return [f"{told} another row: equal rows stay in the same part of the split"]
