"""Waiting for a run inside one call: progress while it goes, the question as soon as it asks. Never over 50 s."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server.mcpserver import Context, Resolve
from pydantic import Field

from mcp_server import asking
from mcp_server.principal import current
from mcp_server.session import Session, session_of
from phases.views import RunView

MOST_SECONDS = 50.0
BLOCK_MS = 1000
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]


@dataclass(frozen=True)
class Waited:
    """What a wait came to: the run as it was then, with its question, and when the call has to be answered."""

    view: RunView
    deadline: float


async def wait(session: Session, run: str, seconds: float, ctx: Context[Any, Any]) -> RunView:
    """Look until the run ends, asks, or the time is over; each epoch and each phase is a step of progress."""
    view = await session.look(run)
    deadline = time.monotonic() + seconds
    services = await session.services()
    after, step = f"{int((time.time() - 1.0) * 1000)}", 0.0
    while not (view.ended or view.status == "waiting") and time.monotonic() < deadline:
        left = deadline - time.monotonic()
        found = await services.runs.events(view.run_id, after, int(min(BLOCK_MS, max(1.0, left * 1000))))
        after = found[-1][0] if found else after
        words = [told for _, event in found if (told := await _told(session, view, event))]
        if words:
            step += 1
            await ctx.report_progress(step, None, words[-1])
        await asyncio.sleep(0)
        session.forget(view.run_id)
        view = await session.look(view.run_id)
    return view


async def waited(run: str, seconds: float, ctx: Context[Any, Any]) -> Waited:
    """Wait for the run; what follows is about exactly the run and the question that are found here."""
    began = time.monotonic()
    return Waited(await wait(session_of(ctx), run, seconds, ctx), began + MOST_SECONDS)


async def asked(found: Annotated[Waited, Resolve(waited)], ctx: Context[Any, Any]) -> Any:
    """The question of that run as a form, where this client shows forms and may answer; None else."""
    session, view = session_of(ctx), found.view
    if view.status != "waiting" or view.question is None or not asking.can_ask(ctx):
        return None
    if not current().may(await asking.scope_of(session, view)):
        return None
    form = asking.form(view.question, await asking.question_words(session, view))
    return await asking.shown(form, found.deadline, ctx)


async def _told(session: Session, view: RunView, event: dict[str, Any]) -> str | None:
    """One event in words; None for what people need not follow."""
    privacy = await session.privacy(view)
    shown = privacy.event(event)
    if shown is None:
        return None
    kind = shown.get("type")
    if kind == "epoch":
        of = f" of at most {shown['epochs']}" if shown.get("epochs") else ""
        loss = shown.get("validation_loss")
        return f"epoch {shown.get('epoch')}{of}" + (f", validation loss {loss:.4g}" if loss is not None else "")
    if kind == "phase_started":
        return f"phase {shown.get('phase')} begins"
    if kind == "phase_finished":
        return f"phase {shown.get('phase')}: {shown.get('status')}"
    if kind == "decision":
        return f"{shown.get('agent')} decided {shown.get('decision')}"
    return f"the run is {shown.get('state')}" if kind == "state" else None
