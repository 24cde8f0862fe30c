"""The rules for the metric, the class weights and the target transform. They compute no metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agents import metrics
from agents.metrics import Requirement
from agents.reasoners.rules.target import Target, Task
from agents.reasoners.rules.wording import percent, quoted

RARE = 0.4
"""A class is rare below this share of an even share: 20 % of the rows with two classes, 4 % with ten."""
VERY_RARE = 0.2
"""Below this share of an even share the loss is weighted too: 10 % of the rows with two classes."""
TOO_FEW = 25
"""A class with fewer rows cannot be judged (a test split holds five of them), so it does not choose the metric."""
WEIGHTED = ("macro_f1", "balanced_accuracy", "f1", "recall")
"""Metrics for which a missed rare class costs as much as, or more than, a false alarm."""
SKEWED = 1.0
LONG_TAIL = 3.0
"""A logarithm pays off when the largest value is at least this many times the mean, and well above 1."""


def requirements(request: Mapping[str, Any], task: Task) -> tuple[Requirement, ...]:
    """The stated thresholds (`requirements` of the request), each checked for range and task.

    Raises:
        UsageError: `usage.threshold`, `usage.metric_task` or `usage.unknown_requirement`.
    """
    found = []
    for stated in request.get("requirements") or ():
        side = "min" if stated["comparison"] == ">=" else "max"
        found.append(metrics.requirement(f"{side}_{stated['metric']}", stated["value"], task=task))
    return tuple(found)


def choose(
    task: Task, target: Target, request: Mapping[str, Any], stated: Sequence[Requirement]
) -> tuple[str, str, dict[str, Any]]:
    """The metric that steers the run, why, and the evidence.

    Asked beats required beats the rules: RMSE for numbers; accuracy, but macro F1 when a class is rare,
    because always naming the frequent class already scores high on accuracy. Macro F1 rather than AUC: it
    judges the label that the endpoint answers with; rather than balanced accuracy: it also counts false
    alarms.

    Raises:
        UsageError: `usage.unknown_metric` or `usage.metric_task`.
    """
    if asked := request.get("metric"):
        return metrics.named(str(asked), task=task).name, "as asked (--metric)", {}
    required = [r for r in stated if metrics.BY_NAME[r.metric].chooses]
    if required:
        return required[0].metric, "the stated requirement is on it", {"requirement": required[0].key}
    if task == "regression":
        return "rmse", "errors count in the target's own unit, large ones more", {}
    share, label = _smallest(target)
    evidence = {"rarest_label": label, "rarest_share": round(share, 6), "classes": len(target.labels)}
    if share * len(target.labels) < RARE:
        why = f"{quoted(label)} is {percent(share)} of the rows, so never naming it scores high on accuracy"
        return "macro_f1", why, evidence
    return "accuracy", f"no class is rare (the smallest has {percent(share)})", evidence


def class_weights(task: Task, target: Target, metric: str) -> bool:
    """Whether rare classes weigh more in the loss: only when one is very rare and the metric asks for it."""
    if task == "regression" or metric not in WEIGHTED:
        return False
    share, _ = _smallest(target)
    return share * len(target.labels) < VERY_RARE


def transform(task: Task, target: Target) -> tuple[Literal["none", "log1p"], str]:
    """The target transform and why: a logarithm for amounts with a long upper tail (skew above 1, none
    negative).
    """
    skew, low, high, mean = target.skew, target.low, target.high, target.mean
    if task != "regression" or skew is None or low is None or high is None or not mean:
        return "none", ""
    if skew > SKEWED and low >= 0 and high >= 10 and high / mean >= LONG_TAIL:
        told = f"the target is skewed ({skew:.1f}, up to {high / mean:.0f} times its mean)"
        return "log1p", f"{told}, so its logarithm is learned"
    return "none", ""


def hard_to_judge(task: Task, target: Target) -> tuple[str, ...]:
    """Labels with too few rows to judge, where at least two others have enough."""
    if task == "regression":
        return ()
    few = tuple(label for label, rows in target.classes or () if rows < TOO_FEW)
    return few if len(target.labels) - len(few) >= 2 else ()


def _smallest(target: Target) -> tuple[float, str]:
    """Share and name of the rarest label that can be judged."""
    left_out = hard_to_judge("multiclass", target)
    counts = dict(target.classes or ())
    label = min((name for name in counts if name not in left_out), key=lambda name: (counts[name], name))
    return counts[label] / max(sum(counts.values()), 1), label
