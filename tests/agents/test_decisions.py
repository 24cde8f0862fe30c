"""The decision types: limits, consistency, the record, and how a check is judged from measurements."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from agents.decisions import (
    TYPES,
    ArchitectureDesign,
    CheckDefinition,
    CheckResult,
    Decision,
    DeploymentPlan,
    Diagnosis,
    Split,
    TaskPlan,
)
from agents.reasoners.rules import architecture, task_plan
from memory.errors import AssertedOnly


def test_there_are_the_decisions_of_the_design() -> None:
    assert set(TYPES) == {
        "TaskPlan", "ArchitectureDesign", "ValidationPlan", "Diagnosis", "ClusterPlan", "TrainingRecovery",
        "DeploymentPlan", "DeploymentReview", "RolloutVerdict",
    }  # fmt: skip


def test_a_decision_cannot_be_changed_and_takes_no_unknown_field(build: Any) -> None:
    plan = task_plan.decide(build.churn())
    with pytest.raises(ValidationError):
        setattr(plan, "metric", "auc")  # noqa: B010 - a type checker would refuse the plain assignment, as it should
    with pytest.raises(ValidationError, match="accuracy_we_hope_for"):
        TaskPlan.model_validate({**plan.model_dump(), "accuracy_we_hope_for": 0.99})


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "rmse"},
        {"metric": "latency_p95_ms"},
        {"target": "age"},
        {"labels": ["yes"]},
        {"labels": ["yes", "yes"]},
        {"positive": "no"},
        {"task": "multiclass"},
        {"task": "regression"},
        {"target_transform": "log1p"},
        {"features": []},
        {"reason": "two\nlines"},
        {"reason": ""},
        {"agent": "cicd-engineer"},
    ],
)
def test_a_task_plan_that_contradicts_itself_is_refused(build: Any, change: dict[str, Any]) -> None:
    plan = task_plan.decide(build.churn()).model_dump(mode="json")
    with pytest.raises(ValidationError):
        TaskPlan.model_validate({**plan, **change})


@pytest.mark.parametrize("fractions", [(0.5, 0.2, 0.2), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_split_fractions_must_be_a_whole(fractions: Any) -> None:
    with pytest.raises(ValidationError):
        Split(method="random", fractions=fractions, seed=0)


LIMITS = [
    ("training", "epochs", 1, 1000),
    ("training", "batch", 1, 8192),
    ("training", "rate", 1e-6, 1.0),
    ("architecture", "width", 8, 2048),
    ("architecture", "depth", 1, 8),
]


@pytest.mark.parametrize(("part", "name", "low", "high"), LIMITS)
def test_designs_outside_the_limits_are_refused_and_at_the_limits_taken(
    build: Any, part: str, name: str, low: float, high: float
) -> None:
    design = architecture.decide(build.design_context()).model_dump(mode="json")
    for allowed in (low, high):
        taken = ArchitectureDesign.model_validate({**design, part: {**design[part], name: allowed}})
        assert getattr(taken, part)[name] == allowed
    outside: list[Any] = [low / 2 if name == "rate" else low - 1, high + 1, "many", True]
    for value in outside:
        with pytest.raises(ValidationError):
            ArchitectureDesign.model_validate({**design, part: {**design[part], name: value}})


@pytest.mark.parametrize("part", ["architecture", "training"])
def test_a_design_with_a_field_that_the_training_code_does_not_know_is_refused(build: Any, part: str) -> None:
    design = architecture.decide(build.design_context()).model_dump(mode="json")
    with pytest.raises(ValidationError, match="quantum_layers"):
        ArchitectureDesign.model_validate({**design, part: {**design[part], "quantum_layers": 3}})


@pytest.mark.parametrize(
    "fields",
    [
        {"change": {}, "stop": False},
        {"change": {"width": 64}, "stop": True},
        {"change": {"width": 4096}},
        {"change": {"seed": 3}},
        {"change": {"test_split": "train"}},
    ],
)
def test_a_diagnosis_changes_allowed_things_within_limits_or_stops(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Diagnosis(reason="because", kind="over_fit", **fields)
    assert Diagnosis(reason="because", kind="over_fit", change={"width": 64}).change == {"width": 64}


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("Churn", "1.0.0"),
        ("../x", "1.0.0"),
        ("x\n", "1.0.0"),
        ("-x", "1.0.0"),
        ("x", "1.0"),
        ("x", "01.0.0"),
        ("x", "1.0.0\n"),
    ],
)
def test_deployment_names_and_versions_that_a_path_or_url_could_trip_over_are_refused(name: str, version: str) -> None:
    with pytest.raises(ValidationError):
        DeploymentPlan(reason="because", name=name, version=version, keep_previous=False)


def test_a_record_gives_back_an_equal_decision(build: Any) -> None:
    plan = task_plan.decide(build.churn())
    record = Decision.record(plan, key="task-plan", reasoner="rules")
    assert (record.type, record.agent, record.reason) == ("TaskPlan", "ml-developer", plan.reason)
    assert Decision.model_validate_json(record.model_dump_json()).typed() == plan


def check(**changes: Any) -> CheckDefinition:
    fields = {
        "name": "accuracy", "path": "scores.metrics.accuracy", "comparison": ">=", "threshold": 0.85,
        "blocking": True, "tasks": ("binary",), "says": "accuracy of at least 0.85",
    }  # fmt: skip
    return CheckDefinition.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [(">=", False, True, True), (">", False, False, True), ("<=", True, True, False), ("<", True, False, False)],
)
def test_a_check_compares_as_it_says(build: Any, comparison: str, below: bool, at: bool, above: bool) -> None:
    definition = check(comparison=comparison, threshold=0.5)
    found = [
        definition.judge({"scores": {"metrics": {"accuracy": build.measure(value)}}}).passed
        for value in (0.4, 0.5, 0.6)
    ]
    assert found == [below, at, above]


def test_a_check_may_judge_an_end_of_the_interval_and_a_measured_threshold(build: Any) -> None:
    against = {"difference": build.measure(0.02, (-0.01, 0.05)), "standard_error": build.measure(0.015)}
    results = {"scores": {"versus": {"linear": against}}}
    path = "scores.versus.linear"
    low = check(path=f"{path}.difference", statistic="low", comparison=">", threshold=0.0).judge(results)
    assert low.measured == -0.01 and not low.passed
    relative = {"threshold": None, "threshold_path": f"{path}.standard_error", "threshold_scale": -1.0}
    keeps_up = check(path=f"{path}.difference", **relative).judge(results)
    assert keeps_up.threshold == -0.015 and keeps_up.passed


@pytest.mark.parametrize(
    "found",
    [
        0.93,
        "undefined",
        {"value": 0.93, "unit": "fraction"},
        {"value": 0.93, "unit": "fraction", "provenance": {"kind": "asserted", "by": "me", "at": "now"}},
    ],
)
def test_a_number_without_measured_provenance_is_never_judged(found: Any) -> None:
    with pytest.raises(AssertedOnly) as caught:
        check().judge({"scores": {"metrics": {"accuracy": found}}})
    assert caught.value.code == "gate.unmeasured" and "scores.metrics.accuracy" in caught.value.message


@pytest.mark.parametrize(
    ("results", "changes"),
    [
        ({"scores": {"metrics": {"accuracy": None}}}, {}),
        ({"scores": {"metrics": {}}}, {}),
        ({"scores": {"versus": {"linear": None}}}, {"path": "scores.versus.linear.difference"}),
        ({"train": {"converged": None}}, {"path": "train.converged", "comparison": "is", "threshold": True}),
        ({"train": {"workers": None}}, {"path": "train.workers", "counted": True}),
    ],
)
def test_a_blocking_check_on_an_undefined_value_fails_and_says_why(
    results: dict[str, Any], changes: dict[str, Any]
) -> None:
    judged = check(**changes).judge(results)
    assert (judged.passed, judged.measured) == (False, "undefined")
    assert "accuracy of at least 0.85; undefined on these rows" in judged.says
    assert CheckResult.model_validate_json(judged.model_dump_json()) == judged


def test_a_check_with_an_undefined_threshold_or_no_interval_fails_whatever_was_measured(build: Any) -> None:
    against = {"difference": build.measure(0.2), "standard_error": None}
    results, path = {"scores": {"versus": {"linear": against}}}, "scores.versus.linear"
    relative = check(path=f"{path}.difference", threshold=None, threshold_path=f"{path}.standard_error")
    judged = relative.judge(results)
    assert (judged.passed, judged.measured, judged.threshold) == (False, 0.2, "undefined")
    without = check(path=f"{path}.difference", statistic="low", comparison=">", threshold=0.0).judge(results)
    assert (without.passed, without.measured) == (False, "undefined")
    assert not relative.model_copy(update={"blocking": False}).applies(results)


def test_a_check_whose_job_has_not_run_is_never_judged() -> None:
    with pytest.raises(AssertedOnly, match="no results of 'scores'"):
        check().judge({"benchmark": {}})


@pytest.mark.parametrize(
    ("statistic", "said"),
    [
        ("low", "as asked (measured: lower end of the 95 % interval of the accuracy)"),
        ("high", "as asked (measured: upper end of the 95 % interval of the accuracy)"),
        ("value", "as asked"),
    ],
)
def test_a_judged_check_says_which_number_it_compared(build: Any, statistic: str, said: str) -> None:
    results = {"scores": {"metrics": {"accuracy": build.measure(0.9, (0.8, 0.95))}}}
    assert check(statistic=statistic, says="as asked").judge(results).says == said


def test_a_yes_or_no_and_a_count_are_judged_as_such() -> None:
    settled = check(path="train.converged", comparison="is", threshold=True)
    assert settled.judge({"train": {"converged": True}}).passed
    assert not settled.judge({"train": {"converged": False}}).passed
    nodes = check(path="train.workers", threshold=4, counted=True)
    assert nodes.judge({"train": {"workers": 4}}).passed and not nodes.judge({"train": {"workers": 3}}).passed


def test_an_undefined_value_hides_a_shown_check_and_never_a_blocking_one() -> None:
    results = {"scores": {"metrics": {"accuracy": None}}}
    assert not check(blocking=False).applies(results)
    assert check(blocking=True).applies(results)


@pytest.mark.parametrize(
    "change",
    [{"threshold": None}, {"threshold_path": "scores.gap"}, {"comparison": "is"}, {"threshold": True}],
)
def test_a_check_has_exactly_one_threshold_of_its_kind(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(**change)
