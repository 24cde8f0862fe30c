"""The ml-developer's review of a deployment plan: what it agrees to and what it objects to."""

from __future__ import annotations

from typing import Any

import pytest

from agents.decisions import DeploymentReview
from agents.reasoners.rules import deployment, review

SERVED = {"name": "churn", "version": "1.2.0", "previous": None, "example_request": {"age": 1, "plan": "a"}}


def reviewed(plan: dict[str, Any] | None = None, **context: Any) -> DeploymentReview:
    known = {"inputs": ["age", "plan"], "deployments": [SERVED], "failed": [], "override": False}
    fine = {"name": "churn", "version": "1.3.0", "keep_previous": True}
    return review.decide({"plan": {**fine, **(plan or {})}, **known, **context})


def test_a_plan_that_fits_is_agreed_to() -> None:
    assert reviewed().approves and reviewed().objections == ()
    assert reviewed({"name": "fresh", "version": "1.0.0", "keep_previous": False}).approves


@pytest.mark.parametrize(
    ("plan", "context", "told"),
    [
        ({"version": "1.2.0"}, {}, "does not follow 1.2.0"),
        ({"version": "0.9.0"}, {}, "does not follow 1.2.0"),
        ({"keep_previous": False}, {}, "would not be kept"),
        ({}, {"inputs": ["age"]}, "major version must be higher"),
        ({}, {"failed": ["min_accuracy"]}, "min_accuracy failed and nobody overrode it"),
    ],
)
def test_what_does_not_fit_is_an_objection_in_words(plan: dict[str, Any], context: dict[str, Any], told: str) -> None:
    found = reviewed(plan, **context)
    assert not found.approves and told in found.reason and told in "; ".join(found.objections)


def test_a_person_s_override_stands_against_a_failed_check() -> None:
    found = reviewed(failed=["min_accuracy"], override=True)
    assert found.approves and "overrode" in found.reason


def test_the_rule_s_own_plans_are_never_objected_to() -> None:
    for inputs in (["age", "plan"], ["age"]):
        context = {"request": {"name": "churn"}, "dataset": {"name": "churn"}, "inputs": inputs,
                   "deployments": [SERVED], "policy": {"ask_before_deploy": False}}  # fmt: skip
        plan = deployment.decide(context).model_dump(include={"name", "version", "keep_previous"})
        assert reviewed(plan, inputs=inputs).approves
