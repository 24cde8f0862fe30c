"""Asking the person through the client, where it can: the question of a waiting run, and what a change would override.

A client that cannot ask gets the question in the answer; any door may answer it then.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation, DeclinedElicitation
from mcp.server.mcpserver import Context, Elicit
from mcp.types.version import is_version_at_least
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


ASKS_BY_RETURNING = "2026-07-28"
FORM_SECONDS = 45.0
CHANGES_WHAT_IS_SERVED = frozenset({"deploy", "champion"})


async def scope_of(session: Session, view: RunView) -> Scope:
    """What a caller must be allowed to do to let this run go on: more for one that is to be served."""
    if view.question is not None and view.question.kind in CHANGES_WHAT_IS_SERVED:
        return "deploy"
    services = await session.services()
    request = await services.notes.get(view.run_id, "request")
    return "deploy" if request.get("deploy") or request.get("retrain") else "train"


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


async def shown(form: Elicit[Any], deadline: float, ctx: Context[Any, Any]) -> Any:
    """The form for the SDK to show; in the older revision it is shown here, for as long as the call may last.

    Returns:
        The form (the newer revision returns it and the call is repeated), its outcome, or None when time was over: the
        question stays open, and any door answers it.
    """
    if is_version_at_least(ctx.protocol_version or "", ASKS_BY_RETURNING):
        return form
    try:
        async with asyncio.timeout(max(1.0, deadline - time.monotonic())):
            return await ctx.elicit(form.message, form.schema)
    except TimeoutError:
        return None


def settled(outcome: ElicitationResult[Any]) -> ElicitationResult[Any]:
    """The outcome of a form, however it was shown."""
    inner = outcome.data if outcome.action == "accept" else None
    return inner if isinstance(inner, AcceptedElicitation | DeclinedElicitation | CancelledElicitation) else outcome


def given(question: QuestionView, outcome: ElicitationResult[Any]) -> dict[str, Any] | None:
    """The answer that the form of this question brought back; None where the person closed it, or there was none."""
    data = outcome.data if outcome.action == "accept" else None
    if question.kind == "target":
        return {"target": data.target} if isinstance(data, TargetAnswer) else None
    if question.choices:
        return {"choice": data.choice} if isinstance(data, Choice) else None
    return {"approve": data.approve, "why": data.why or None} if isinstance(data, Approval) else None


async def answered(session: Session, view: RunView, answer: dict[str, Any]) -> RunView:
    """Answer the question that the run waits with, from this door."""
    if view.question is None:
        return view
    services = await session.services()
    found = await services.runs.answer(view.run_id, view.question.id, answer, DOOR)
    session.forget(view.run_id)
    return found


async def override_agreed(action: str, override: bool, run: str | None, ctx: Context[Any, Any]) -> Any:
    """A form that confirms an override, where the client can show one; None else."""
    if action != "start" or not override or not can_ask(ctx):
        return None
    view = await session_of(ctx).look(run or "latest")
    if view.status != "rejected":
        return None
    form = Elicit(f"A gate rejected the model of run {view.run_id}. Serve it all the same?", Approval)
    return await shown(form, time.monotonic() + FORM_SECONDS, ctx) or CancelledElicitation()
