"""The cicd-engineer's rules: name and version of a deployment, and whether a new version takes the traffic."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.decisions import DeploymentPlan
from agents.reasoners.rules import deployment, rollout


def plan(name: str | None = None, dataset: str = "churn", **context: Any) -> DeploymentPlan:
    known = {"inputs": ["age", "plan"], "deployments": [], "policy": {"ask_before_deploy": False}}
    return deployment.decide({"request": {"name": name}, "dataset": {"name": dataset}, **known, **context})


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("churn", "churn"),
        ("Kunden 2026 (neu).csv.gz", "kunden-2026-neu"),
        ("/tmp/Größe_und-Preis.parquet", "groe-und-preis"),
        ("日本", "model"),
        ("---", "model"),
        ("x" * 200, "x" * 63),
    ],
)
def test_a_deployment_is_named_after_the_data_in_letters_that_an_address_takes(dataset: str, name: str) -> None:
    assert plan(dataset=dataset).name == name


@given(st.text(max_size=300))
def test_any_dataset_name_gives_an_allowed_deployment_name(dataset: str) -> None:
    assert DeploymentPlan.model_validate(plan(dataset=dataset).model_dump()).name


def test_an_asked_name_wins() -> None:
    assert plan("my-model").name == "my-model" and "--name" in plan("my-model").reason


def served(version: str, **more: Any) -> list[dict[str, Any]]:
    found = {"name": "churn", "version": version, "previous": None, "example_request": {"age": 1, "plan": "a"}}
    return [{**found, **more}]


@pytest.mark.parametrize(
    ("deployments", "version", "keep"),
    [
        ([], "1.0.0", False),
        ([{"name": "other", "version": "3.1.0"}], "1.0.0", False),
        (served("1.0.0"), "1.1.0", True),
        (served("1.9.0"), "1.10.0", True),
        (served("1.0.0", previous="1.4.0"), "1.5.0", True),
        (served("2.3.1", example_request={"age": 1}), "3.0.0", True),
        (served("1.0.0", example_request=None), "1.1.0", True),
    ],
)
def test_the_version_grows_by_a_minor_step_and_by_a_major_one_when_the_inputs_differ(
    deployments: list[dict[str, Any]], version: str, keep: bool
) -> None:
    found = plan(deployments=deployments)
    assert (found.version, found.keep_previous) == (version, keep)


@pytest.mark.parametrize("ask", [True, False])
def test_a_person_is_asked_where_policy_says_so(ask: bool) -> None:
    assert plan(policy={"ask_before_deploy": ask}).needs_approval is ask


def check(name: str, passed: bool, blocking: bool = True) -> dict[str, Any]:
    return {"name": name, "passed": passed, "blocking": blocking}


@pytest.mark.parametrize(
    ("checks", "promote", "failed"),
    [
        ([check("health", True), check("answers", True)], True, ()),
        ([check("health", True), check("answers", False)], False, ("answers",)),
        ([check("health", True), check("memory", False, blocking=False)], True, ()),
        ([], False, ()),
    ],
)
def test_a_version_is_promoted_only_when_every_blocking_check_was_made_and_held(
    checks: list[dict[str, Any]], promote: bool, failed: tuple[str, ...]
) -> None:
    found = rollout.decide({"checks": checks, "previous": "1.0.0"})
    assert (found.promote, found.failed) == (promote, failed)
    assert promote or "1.0.0 goes on serving" in found.reason


@pytest.mark.parametrize("absent", ["request", "dataset", "inputs", "deployments", "policy"])
def test_no_deployment_is_planned_without_what_the_plan_depends_on(absent: str) -> None:
    context = {
        "request": {"name": None},
        "dataset": {"name": "churn"},
        "inputs": ["age"],
        "deployments": [],
        "policy": {"ask_before_deploy": True},
    }
    assert deployment.decide(context).needs_approval
    del context[absent]
    with pytest.raises(KeyError, match=absent):
        deployment.decide(context)


@pytest.mark.parametrize("absent", ["checks", "previous"])
def test_nothing_is_promoted_without_what_the_verdict_depends_on(absent: str) -> None:
    context = {"checks": [check("health", True)], "previous": None}
    del context[absent]
    with pytest.raises(KeyError, match=absent):
        rollout.decide(context)
