"""Arguments: what models are known to make up is put right, everything else unknown is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation

from mcp_server import asking
from mcp_server.details import retraining
from mcp_server.refusal import CallRefused
from mcp_server.toolset import TOOLS, names
from memory.errors import UsageError
from phases.views import QuestionView

NAMES = names({name: tool.registered() for name, tool in TOOLS.items()})


def named(tool: str, **given: Any) -> dict[str, Any]:
    return NAMES[tool].named(tool, given)


@pytest.mark.parametrize(
    ("tool", "given", "right"),
    [
        ("run_start", {"dataset": "churn", "target_column": "churned"}, {"data": "churn", "target": "churned"}),
        ("run_get", {"run_id": "latest"}, {"run": "latest"}),
        ("run_wait", {"id": "r-1", "timeout": 20}, {"run": "r-1", "seconds": 20}),
        ("model_predict", {"inputs": [{"a": 1}], "model_id": "m"}, {"rows": [{"a": 1}], "model": "m"}),
        ("run_steer", {"learning_rate": 0.5}, {"rate": 0.5}),
        ("run_start", {"min_f1": 0.8, "min_auc": 0.9}, {"at_least": {"f1": 0.8, "auc": 0.9}}),
        ("run_start", {"budgetSeconds": 9}, {"budget_seconds": 9}),
        ("run_start", {"at-least": {"f1": 0.8}}, {"at_least": {"f1": 0.8}}),
    ],
)
def test_common_misnamings_are_put_right(tool: str, given: dict[str, Any], right: dict[str, Any]) -> None:
    assert named(tool, **given) == right


def test_an_unknown_argument_is_refused_with_the_nearest_and_all_known_names() -> None:
    with pytest.raises(CallRefused) as refused:
        named("run_start", data="x.csv", epoks=3)
    assert refused.value.code == "usage.unknown_argument"
    assert "'epochs'" in refused.value.message
    assert "at_least" in refused.value.valid


def test_the_same_argument_under_two_names_is_refused() -> None:
    with pytest.raises(CallRefused, match="twice"):
        named("run_get", run="r-1", run_id="r-2")


def test_every_alias_leads_to_an_argument_and_hides_none() -> None:
    for name, tool in TOOLS.items():
        for alias, right in tool.aliases.items():
            assert right in NAMES[name].arguments, (name, alias)
            assert alias not in NAMES[name].arguments, (name, alias)


def test_a_retraining_takes_what_it_can_and_refuses_the_rest_by_name() -> None:
    given = {"epochs": 7, "seed": 3, "from_run": "pen", "target": None}
    found = retraining(given, ({"accuracy": 0.9}, None), None)
    assert (found["epochs"], found["seed"]) == (7, 3)
    assert [(one.metric, one.comparison, one.value) for one in found["requirements"]] == [("accuracy", ">=", 0.9)]
    with pytest.raises(UsageError, match="target"):
        retraining({**given, "target": "y"}, (None, None), None)
    with pytest.raises(UsageError, match="deploy=false"):
        retraining(given, (None, None), False)


def test_a_form_answers_only_the_kind_of_question_that_it_is_for() -> None:
    target = QuestionView(id="q1", kind="target", text="which?")
    budget = QuestionView(id="q2", kind="budget", text="go on?", choices=("cut", "continue", "cancel"))
    deploy = QuestionView(id="q3", kind="deploy", text="deploy?")
    said: AcceptedElicitation[asking.Approval] = AcceptedElicitation(data=asking.Approval(approve=True))
    assert asking.given(deploy, said) == {"approve": True, "why": None}
    assert asking.given(budget, said) is None and asking.given(target, said) is None
    chosen: AcceptedElicitation[asking.Choice] = AcceptedElicitation(data=asking.Choice(choice="cut"))
    assert asking.given(budget, chosen) == {"choice": "cut"}
    assert asking.given(deploy, CancelledElicitation()) is None
