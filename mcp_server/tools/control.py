"""Tools that change the course of a run: answers, cancel, resume, steering."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from mcp_server import asking, scopes
from mcp_server.replies import reply
from mcp_server.session import DOOR, Session, session_of
from mcp_server.tool import ToolInfo
from mcp_server.tools.runs import ALIASES, FOLLOWED, followed
from mcp_server.words import Run, Short
from phases.views import QuestionView, RunView

MOST_WAITING = 20


async def run_approve(
    ctx: Context[Any, Any],
    run: Run = "latest",
    question: Annotated[
        Short | None, Field(description="Its id, as run_get tells it; needed unless one run waits")
    ] = None,
    approve: Annotated[bool | None, Field(description="Yes or no; for a target: the proposal is taken")] = None,
    target: Annotated[Short | None, Field(description="The column, when the run asks for its target")] = None,
    choice: Annotated[Short | None, Field(description="One of the question's choices")] = None,
    why: Annotated[str | None, Field(max_length=500)] = None,
) -> CallToolResult:
    """Give the person's answer to the question that a run waits with. Only what the person said counts."""
    session = session_of(ctx)
    session.forget(run)
    view = await _meant(session, run, question)
    asked = _question(view, question)
    scopes.require(await asking.scope_of(session, view), f"answering a question about {asked.kind}")
    answer = _answer(asked, approve, target, choice, why)
    if answer is None:
        services = await session.services()
        found = await services.runs.cancel(view.run_id)
    else:
        found = await asking.answered(session, view, answer)
    session.forget(view.run_id)
    return await followed(session, found)


async def _meant(session: Session, run: str, question: str | None) -> RunView:
    """The run that is answered; where none is named, the one that waits, if it is the only one."""
    from memory.errors import RunError

    if run != "latest":
        return await session.look(run)
    services = await session.services()
    waiting = await services.runs.list(MOST_WAITING, status="waiting")
    found = [view for view in waiting if view.question and question in (None, view.question.id)]
    if len(found) > 1:
        told = ", ".join(f"{view.run_id} ({view.question.kind if view.question else ''})" for view in found)
        raise RunError(f"{len(found)} runs wait: {told}", code="run.ambiguous_question", field="run",
                       fix="run_approve(run=…, question=…), as run_get tells them")  # fmt: skip
    return found[0] if found else await session.look(run)


def _question(view: RunView, question: str | None) -> QuestionView:
    from memory.errors import RunError

    if view.question is None:
        told = f"run {view.run_id!r} is {view.status} and asks nothing"
        raise RunError(told, code="run.no_question", field="run", fix=f"neuroloom show {view.run_id}")
    if question is not None and question != view.question.id:
        told = f"run {view.run_id!r} no longer waits with question {question!r}"
        raise RunError(told, code="run.no_question", field="question", fix=f"neuroloom show {view.run_id}")
    return view.question


def _answer(
    asked: QuestionView, approve: bool | None, target: str | None, choice: str | None, why: str | None
) -> dict[str, Any] | None:
    """The answer in the question's own terms; None where a missing target is refused, which ends the run."""
    from memory.errors import UsageError

    if asked.kind == "target":
        if approve is False and target is None:
            return None
        chosen = target or (asked.proposal if approve else None)
        if chosen is None:
            raise UsageError("the column is missing", code="usage.missing", field="target",
                             fix="run_approve(target=…), or approve=true for the proposal")  # fmt: skip
        return {"target": chosen}
    if target is not None:
        raise UsageError("the run does not ask for a target", code="usage.no_question", field="target",
                         fix=f"it asks for {asked.kind}: answer with approve or choice")  # fmt: skip
    if choice is None and approve is None:
        fix = f"choice: one of {', '.join(asked.choices)}" if asked.choices else "approve=true or false"
        raise UsageError("the answer is missing", code="usage.missing", field="approve", fix=fix)
    return {"choice": choice} if choice is not None else {"approve": approve, "why": why}


async def run_cancel(ctx: Context[Any, Any], run: Run, at_once: bool = False) -> CallToolResult:
    """Stop a run at its next safe point; run_resume goes on with it."""
    session = session_of(ctx)
    services = await session.services()
    view = await services.runs.cancel(run, at_once)
    session.forget(run)
    session.forget(view.run_id)
    return await followed(session, view)


async def run_resume(ctx: Context[Any, Any], run: Run) -> CallToolResult:
    """Go on with a failed or cancelled run from its last checkpoint."""
    session = session_of(ctx)
    services = await session.services()
    scopes.require(await asking.scope_of(session, await session.look(run)), "resuming this run")
    view = await services.runs.resume(run)
    session.forget(run)
    session.forget(view.run_id)
    return await followed(session, view)


async def run_steer(
    ctx: Context[Any, Any],
    run: Run = "latest",
    stop_early: bool = False,
    rate: Annotated[float | None, Field(gt=0, le=100, description="Factor on the learning rate")] = None,
    epochs: Annotated[int | None, Field(ge=1, le=100_000, description="New most")] = None,
    metric: Annotated[Short | None, Field(description="Chooses the best epoch from now on")] = None,
    note: Annotated[str | None, Field(max_length=1000)] = None,
) -> CallToolResult:
    """Change a training that is going, at its next epoch: stop early, rate, epochs, metric; or keep a note."""
    from phases.steering import SteerOrder

    session = session_of(ctx)
    services = await session.services()
    view = await session.look(run)
    order = SteerOrder.said(stop_early=stop_early, rate=rate, epochs=epochs, metric=metric, note=note)
    found = await services.steering.steer(view.run_id, order, DOOR)
    again = f'run_get(run="{view.run_id}", detail="events") shows the event "steered" with the epoch that obeyed'
    return reply({"run": view.run_id, "order": found["order"], "told": found["told"]}, found["told"], next=again)


ANSWERS = {**ALIASES, "question_id": "question", "answer": "choice", "reason": "why", "column": "target"}
STEERS = {**ALIASES, "learning_rate": "rate", "lr": "rate", "max_epochs": "epochs", "stop": "stop_early"}
TOOLS = (
    ToolInfo(run_approve, "Answer a run's question", FOLLOWED, aliases=ANSWERS),
    ToolInfo(run_cancel, "Stop a run", FOLLOWED, destroys=True, repeats=True, aliases={**ALIASES, "now": "at_once"}),
    ToolInfo(run_resume, "Resume a run", FOLLOWED, repeats=True, aliases=ALIASES),
    ToolInfo(run_steer, "Steer a training", {"run": "string", "order": "object"}, aliases=STEERS),
)
