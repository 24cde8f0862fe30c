"""The rule of `ValidationPlan`: the two gate profiles as data, and the person's requirements. It judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from agents.decisions.check import CheckDefinition
from agents.decisions.validation_plan import ValidationPlan
from agents.metrics import BY_NAME, CLASSIFICATION, TASKS, Requirement, nearest
from agents.reasoners.rules import metric
from agents.reasoners.rules.wording import one_line
from memory.errors import UsageError

NUMBERS = ("regression",)
REFERENCE_NODES = 4
MODELS = {
    "majority": "always the most frequent class",
    "mean": "always the mean",
    "linear": "a linear model",
    "trees": "gradient-boosted trees",
}


def _beats(baseline: str, tasks: tuple[str, ...], *, blocking: bool) -> CheckDefinition:
    return CheckDefinition(
        name=f"better_than_{baseline}",
        path=f"scores.versus.{baseline}.difference",
        statistic="low",
        comparison=">",
        threshold=0.0,
        blocking=blocking,
        tasks=tasks,
        says=f"better than {MODELS[baseline]}, beyond chance",
    )


def _keeps_up(baseline: str, *, blocking: bool) -> CheckDefinition:
    return CheckDefinition(
        name=f"not_worse_than_{baseline}",
        path=f"scores.versus.{baseline}.difference",
        comparison=">=",
        threshold_path=f"scores.versus.{baseline}.standard_error",
        threshold_scale=-1.0,
        blocking=blocking,
        tasks=TASKS,
        says=f"difference to {MODELS[baseline]}: not worse by more than one standard error",
    )


def _at_least(
    name: str, tasks: tuple[str, ...], threshold: float, *, blocking: bool, target: bool = False
) -> CheckDefinition:
    return CheckDefinition(
        name=f"{name}_target" if target else name,
        path=BY_NAME[name].path,
        comparison=">=",
        threshold=threshold,
        blocking=blocking,
        tasks=tasks,
        says=f"{name} {'at the target of' if target else 'of at least'} {threshold:g}",
    )


def _latency(
    threshold: float, comparison: Literal["<", "<="], *, blocking: bool, target: bool = False
) -> CheckDefinition:
    return CheckDefinition(
        name="latency_p95_ms_target" if target else "latency_p95_ms",
        path=BY_NAME["latency_p95_ms"].path,
        comparison=comparison,
        threshold=threshold,
        blocking=blocking,
        tasks=TASKS,
        stages=("final",),
        says=f"95 of 100 answers of POST /predict on loopback within {threshold:g} ms",
    )


def _gap(*, blocking: bool) -> CheckDefinition:
    return CheckDefinition(
        name="gap",
        path=BY_NAME["gap"].path,
        comparison="<",
        threshold=0.05,
        blocking=blocking,
        tasks=TASKS,
        says="score on training rows less the score on validation rows: under 5 points",
    )


_SCORES = (("accuracy", CLASSIFICATION), ("r2", NUMBERS))

PROFILES: Mapping[str, tuple[CheckDefinition, ...]] = {
    "default": (
        _beats("majority", CLASSIFICATION, blocking=True),
        _beats("mean", NUMBERS, blocking=True),
        _keeps_up("linear", blocking=True),
        _latency(100.0, "<", blocking=True),
        *(_at_least(name, tasks, 0.85, blocking=False) for name, tasks in _SCORES),
        *(_at_least(name, tasks, 0.94, blocking=False, target=True) for name, tasks in _SCORES),
        _gap(blocking=False),
        _latency(67.0, "<=", blocking=False, target=True),
        _keeps_up("trees", blocking=False),
    ),
    "reference": (
        *(_at_least(name, tasks, 0.85, blocking=True) for name, tasks in _SCORES),
        _beats("mean", NUMBERS, blocking=True),
        _latency(100.0, "<", blocking=True),
        _gap(blocking=True),
        CheckDefinition(
            name="nodes",
            path="train.workers",
            comparison=">=",
            threshold=REFERENCE_NODES,
            blocking=True,
            tasks=TASKS,
            counted=True,
            says=f"at least {REFERENCE_NODES} nodes trained together",
        ),
        CheckDefinition(
            name="converged",
            path="train.converged",
            comparison="is",
            threshold=True,
            blocking=True,
            tasks=TASKS,
            says="training stopped early or finished its schedule, without divergence",
        ),
        *(_at_least(name, tasks, 0.94, blocking=False, target=True) for name, tasks in _SCORES),
        _latency(67.0, "<=", blocking=False, target=True),
        _beats("majority", CLASSIFICATION, blocking=False),
        _keeps_up("linear", blocking=False),
        _keeps_up("trees", blocking=False),
    ),
}


def decide(context: Mapping[str, Any]) -> ValidationPlan:
    """The checks of a run.

    Args:
        context: `request` (`gates`, `requirements`) and `dataset` (`task`).

    Raises:
        UsageError: `usage.gates` for an unknown profile; `usage.threshold`, `usage.metric_task` for a
            requirement.
    """
    request, task = context["request"], context["dataset"]["task"]
    profile = _profile(str(request.get("gates") or "default"))
    stated = _strictest(metric.requirements(request, task))
    checks = [check for check in PROFILES[profile] if task in check.tasks]
    checks += [_required(requirement, task) for requirement in stated]
    blocking = [check.name for check in checks if check.blocking]
    reason = one_line(
        [
            f"the {profile} gate blocks on {', '.join(blocking)}",
            f"{len(stated)} of them stated by you" if stated else "no requirement was stated",
        ]
    )
    return ValidationPlan(
        reason=reason, evidence={"task": task, "blocking": blocking}, profile=profile, checks=tuple(checks)
    )


def _profile(name: str) -> Literal["default", "reference"]:
    if name in ("default", "reference"):
        return "default" if name == "default" else "reference"
    raise UsageError(
        f"unknown gate profile {name!r}{nearest(name, PROFILES)}; valid: {', '.join(PROFILES)}",
        code="usage.gates",
        field="gates",
        fix=f"choose one of: {', '.join(PROFILES)}",
    )


def _strictest(stated: tuple[Requirement, ...]) -> tuple[Requirement, ...]:
    """One requirement per metric: the strictest, where an alias states it twice."""
    kept: dict[str, Requirement] = {}
    for requirement in stated:
        other = kept.get(requirement.metric)
        stricter = max if requirement.comparison == ">=" else min
        if other is None or stricter(requirement.threshold, other.threshold) == requirement.threshold:
            kept[requirement.metric] = requirement
    return tuple(kept.values())


def _required(requirement: Requirement, task: str) -> CheckDefinition:
    found = BY_NAME[requirement.metric]
    comparison: Literal[">=", "<="] = ">=" if found.higher_is_better else "<="
    return CheckDefinition(
        name=requirement.key,
        path=found.path,
        comparison=comparison,
        threshold=requirement.threshold,
        blocking=True,
        tasks=(task,),
        stages=("candidate", "final") if found.source == "scores" else ("final",),
        requirement=True,
        says=f"you asked for {found.name} {comparison} {requirement.threshold:g}",
    )
