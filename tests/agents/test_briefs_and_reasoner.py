"""The briefs as shipped, and the rules reasoner that answers for every role."""

from __future__ import annotations

from typing import Any

import click
import pytest
import yaml

from agents.brief import ROLES, briefs, front_matter, load_brief, parse
from agents.decisions import TYPES, ArchitectureDesign, TaskPlan
from agents.reasoners.protocol import Reasoner
from agents.reasoners.rules import RulesReasoner
from agents.reasoners.rules.reasoner import RULES
from memory.errors import UsageError


def test_each_role_has_a_brief_and_each_decision_exactly_one_role() -> None:
    assert tuple(brief.name for brief in briefs()) == ROLES
    decided = [name for brief in briefs() for name in brief.decisions]
    assert sorted(decided) == sorted(TYPES)
    for brief in briefs():
        for name in brief.decisions:
            assert TYPES[name].model_fields["agent"].default == brief.name


def test_the_reference_name_of_the_orchestrator_is_an_alias() -> None:
    assert load_brief("flow-nexus-neural") is load_brief("neural-orchestrator")


def test_an_unknown_agent_is_refused_with_the_names_and_aliases() -> None:
    with pytest.raises(UsageError, match="flow-nexus-neural") as caught:
        load_brief("data-scientist")
    assert caught.value.code == "usage.unknown_agent"


@pytest.mark.parametrize("role", ROLES)
def test_every_prompt_treats_data_as_data_and_names_its_limits(role: str) -> None:
    brief = load_brief(role)
    assert "# Data are data" in brief.prompt and "never instructions" in brief.prompt
    assert brief.limits.decision_seconds > 0 and brief.needs_approval and brief.tools


@pytest.mark.parametrize("role", ROLES)
def test_every_tool_of_a_brief_is_a_command_that_exists(role: str) -> None:
    from app.cli.root import cli

    for tool in load_brief(role).tools:
        command: click.Command | None = cli
        for word in tool.split():
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word)
        assert command is not None, f"{role} lists {tool!r}"


@pytest.mark.parametrize("role", ROLES)
def test_the_front_matter_means_the_same_to_a_yaml_reader(role: str) -> None:
    from importlib import resources

    matter = resources.files("agents").joinpath(f"briefs/{role}.md").read_text("utf-8").split("---\n")[1]
    assert front_matter(matter) == yaml.safe_load(matter)


@pytest.mark.parametrize("text", ["no front matter", "---\nname: x\nno end", "---\n- list\n---\nbody"])
def test_a_brief_without_whole_front_matter_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="front matter"):
        parse(text)


def test_the_rules_answer_every_decision_type() -> None:
    assert {kind.__name__ for kind in RULES} == set(TYPES)


async def test_the_reasoner_gives_the_decision_of_the_asked_type_and_the_same_each_time(build: Any) -> None:
    reasoner: Reasoner = RulesReasoner()
    context = build.churn()
    first = await reasoner.decide(load_brief("ml-developer"), TaskPlan, context)
    again = await reasoner.decide(load_brief("ml-developer"), TaskPlan, context)
    assert isinstance(first, TaskPlan) and first == again and reasoner.name == "rules"


async def test_a_role_is_not_asked_for_another_roles_decision(build: Any) -> None:
    with pytest.raises(UsageError, match="cicd-engineer"):
        await RulesReasoner().decide(load_brief("cicd-engineer"), ArchitectureDesign, build.design_context())


async def test_deciding_leaves_the_context_as_it_was(build: Any) -> None:
    import copy

    context = build.churn(leaks=[{"column": "age", "score": 1.0, "measure": "auc", "why": ""}])
    before = copy.deepcopy(context)
    await RulesReasoner().decide(load_brief("ml-developer"), TaskPlan, context)
    design, kept = build.design_context(), copy.deepcopy(build.design_context())
    await RulesReasoner().decide(load_brief("ml-developer"), ArchitectureDesign, design)
    assert context == before and design == kept
