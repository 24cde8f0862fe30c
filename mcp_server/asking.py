"""Asking the person through the client, where it can: the question of a waiting run, and what a change would override.

A client that cannot ask gets the question in the answer; any door may answer it then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context, Elicit
from pydantic import BaseModel, Field

from mcp_server.principal import Scope
from mcp_server.session import DOOR, Session, session_of

if TYPE_CHECKING:
    from mcp.server.elicitation import ElicitationResult

    from phases.views import QuestionView, RunView


class TargetAnswer(BaseModel):
    """What a form for a missing target takes."""

    target: str = Field(description="Name of the column to predict", max_length=200)


class Approval(BaseModel):
    """What a form for an approval takes."""

    approve: bool = Field(description="Yes or no")
    why: str = Field(default="", description="The reason; it is recorded", max_length=500)


class Choice(BaseModel):
    """What a form for a question with several answers takes."""

    choice: str = Field(description="One of the answers in the question", max_length=100)


CHANGES_WHAT_IS_SERVED = frozenset({"deploy", "champion"})


def scope_of(question: QuestionView | None) -> Scope:
    """What a caller must be allowed to do to answer: a question about a deployment is more than one about training."""
    return "deploy" if question is not None and question.kind in CHANGES_WHAT_IS_SERVED else "train"


def can_ask(ctx: Context[Any, Any]) -> bool:
    """Whether this client shows forms."""
    found = ctx.client_capabilities
    asked = found.elicitation if found is not None else None
    return asked is not None and (asked.form is not None or asked.url is None)


def form(question: QuestionView, text: str) -> Elicit[Any]:
    """The question as a form; the same question makes the same form."""
    if question.kind == "target":
        return Elicit(text, TargetAnswer)
    if question.choices:
        return Elicit(f"{text}\nAnswers: {', '.join(question.choices)}", Choice)
    return Elicit(text, Approval)


async def question_words(session: Session, view: RunView) -> str:
    """The question of a run with its proposal, as it may be shown."""
    from mcp_server.briefs import question

    shown = (await session.shown(view))["question"]
    return f"{question(shown)} (run {view.run_id}, question {shown['id']})"


def given(question: QuestionView, outcome: ElicitationResult[Any]) -> dict[str, Any] | None:
    """The answer that a form brought back; None where the person closed it."""
    if outcome.action != "accept":
        return None
    data = outcome.data
    if isinstance(data, TargetAnswer):
        return {"target": data.target} if question.kind == "target" else None
    if isinstance(data, Choice):
        return {"choice": data.choice}
    return {"approve": data.approve, "why": data.why or None} if isinstance(data, Approval) else None


async def answered(session: Session, view: RunView, answer: dict[str, Any]) -> RunView:
    """Answer the question that the run waits with, from this door."""
    if view.question is None:
        return view
    services = await session.services()
    found = await services.runs.answer(view.run_id, view.question.id, answer, DOOR)
    session.forget(view.run_id)
    return found


async def override_agreed(action: str, override: bool, run: str | None, ctx: Context[Any, Any]) -> Elicit[Any] | None:
    """A form that confirms an override, where the client can show one."""
    if action != "start" or not override or not can_ask(ctx):
        return None
    session = session_of(ctx)
    view = await session.look(run or "latest")
    if view.status != "rejected":
        return None
    return Elicit(f"A gate rejected the model of run {view.run_id}. Serve it all the same?", Approval)
