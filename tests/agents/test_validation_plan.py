"""The gate profiles as data and the person's requirements."""

from __future__ import annotations

from typing import Any

import pytest

from agents.decisions import ValidationPlan
from agents.reasoners.rules.validation import decide
from memory.errors import UsageError


def plan(task: str = "binary", *stated: tuple[str, str, float], gates: str = "default") -> ValidationPlan:
    requirements = [{"metric": m, "comparison": c, "value": v} for m, c, v in stated]
    return decide({"request": {"gates": gates, "requirements": requirements}, "dataset": {"task": task}})


def rows(found: ValidationPlan, *, blocking: bool) -> dict[str, Any]:
    return {check.name: check for check in found.checks if check.blocking is blocking}


def test_the_default_gate_blocks_on_what_the_design_names_and_shows_the_rest() -> None:
    found = plan()
    assert set(rows(found, blocking=True)) == {"better_than_majority", "not_worse_than_linear", "latency_p95_ms"}
    shown = rows(found, blocking=False)
    assert set(shown) == {"accuracy", "accuracy_target", "gap", "latency_p95_ms_target", "not_worse_than_trees"}
    assert (shown["accuracy"].threshold, shown["accuracy_target"].threshold) == (0.85, 0.94)
    assert (shown["gap"].threshold, shown["latency_p95_ms_target"].threshold) == (0.05, 67.0)
    latency = rows(found, blocking=True)["latency_p95_ms"]
    assert (latency.threshold, latency.comparison, latency.stages) == (100.0, "<", ("final",))


def test_the_reference_gate_blocks_on_accuracy_latency_gap_nodes_and_convergence() -> None:
    blocking = rows(plan(gates="reference"), blocking=True)
    assert set(blocking) == {"accuracy", "latency_p95_ms", "gap", "nodes", "converged"}
    assert (blocking["accuracy"].threshold, blocking["accuracy"].comparison) == (0.85, ">=")
    assert (blocking["nodes"].threshold, blocking["gap"].threshold) == (4, 0.05)


def test_a_regression_has_the_same_gates_in_its_own_metrics() -> None:
    assert set(rows(plan("regression"), blocking=True)) == {
        "better_than_mean", "not_worse_than_linear", "latency_p95_ms",
    }  # fmt: skip
    reference = rows(plan("regression", gates="reference"), blocking=True)
    assert {"r2", "better_than_mean"} <= set(reference) and "accuracy" not in reference


def test_each_stated_requirement_blocks_and_a_served_one_only_at_the_end() -> None:
    found = plan("binary", ("accuracy", ">=", 0.9), ("latency_p95_ms", "<=", 20))
    accuracy, latency = (rows(found, blocking=True)[name] for name in ("min_accuracy", "max_latency_p95_ms"))
    assert accuracy.requirement and accuracy.threshold == 0.9 and "candidate" in accuracy.stages
    assert latency.threshold == 20 and latency.stages == ("final",)
    assert "min_accuracy" in found.reason
    assert "max_latency_p95_ms" not in {check.name for check in found.at("candidate")}


@pytest.mark.parametrize("order", [(20.0, 50.0), (50.0, 20.0)])
def test_of_two_requirements_on_one_metric_the_stricter_holds(order: tuple[float, float]) -> None:
    found = plan("binary", *(("latency_p95_ms", "<=", value) for value in order))
    assert rows(found, blocking=True)["max_latency_p95_ms"].threshold == 20.0


def test_an_unknown_gate_profile_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="did you mean 'reference'") as caught:
        plan(gates="referense")
    assert caught.value.field == "gates"


def test_a_requirement_on_another_tasks_metric_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        plan("regression", ("accuracy", ">=", 0.9))
    assert caught.value.code == "usage.metric_task"


@pytest.mark.parametrize(
    ("network", "linear", "trees", "failed"),
    [
        (0.86, 0.85, 0.86, set()),
        (0.76, 0.75, 0.75, set()),
        (0.755, 0.75, 0.75, {"better_than_majority"}),
        (0.75, 0.75, 0.75, {"better_than_majority"}),
        (0.84, 0.85, 0.85, {"not_worse_than_linear"}),
        (0.846, 0.85, 0.85, set()),
        (0.86, 0.86, 0.90, set()),
    ],
)
def test_the_default_gate_judges_a_candidate_against_its_baselines_and_their_noise(
    build: Any, network: float, linear: float, trees: float, failed: set[str]
) -> None:
    results = {"scores": build.scores(network=network, linear=linear, trees=trees, naive=0.75, error=0.005)}
    judged = [check.judge(results) for check in plan().at("candidate", results)]
    assert {row.name for row in judged if row.blocking and not row.passed} == failed


def test_an_interval_that_touches_zero_is_not_better_than_the_majority(build: Any) -> None:
    results = {"scores": build.scores(network=0.75, naive=0.75, error=0.0)}
    beats = next(check for check in plan().checks if check.name == "better_than_majority")
    assert not beats.judge(results).passed


def test_better_than_the_majority_tells_that_it_shows_the_lower_end_of_the_difference(build: Any) -> None:
    results = {"scores": build.scores(network=0.95, naive=0.5, error=0.068)}
    judged = {row.name: row for row in (check.judge(results) for check in plan().at("candidate", results))}
    row = judged["better_than_majority"]
    assert row.measured == pytest.approx(0.45 - 1.96 * 0.068)
    assert "better than always the most frequent class" in row.says
    assert "lower end of the 95 % interval of the difference" in row.says
    assert "interval" not in judged["not_worse_than_linear"].says


def test_checks_that_are_only_measured_at_the_end_are_absent_from_the_candidate_check() -> None:
    names = {check.name for check in plan(gates="reference").at("candidate")}
    assert "latency_p95_ms" not in names and {"accuracy", "gap", "converged"} <= names
