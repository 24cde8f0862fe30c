"""Commands that steer runs: approve, resume, cancel, rm."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.names import run_ids

if TYPE_CHECKING:
    from app.cli.session import Session, Start
    from app.services import Services
    from phases.views import QuestionView, RunView

CANCEL_SECONDS = 30.0
LOOK_SECONDS = 0.1


@click.command(short_help="Answer the question a run waits for.")
@click.argument("run", shell_complete=run_ids, default="latest")
@click.option("--reject", is_flag=True, help="Say no.")
@click.option("--why", help="The reason, kept with the answer.")
@click.option("--target", help="Name a column when the run asks for its target; without it the proposal is taken.")
@click.option("--choose", "choice", help="One of the choices when the run asks what to do about its budget.")
@command_options
def approve(door: Door, run: str, **said: Any) -> int:
    """Answer the question that RUN waits for: yes, or no with --reject. The run then goes on by itself.

    Example:
      neuroloom approve latest
      neuroloom approve latest --choose continue
      neuroloom approve latest --reject --why "not before the audit"
    """

    async def work(services: Services) -> RunView:
        from memory.errors import UsageError

        found = await services.runs.get(run)
        if found.question is None:
            fix = f"neuroloom show {found.run_id}"
            raise UsageError(
                f"run {found.run_id!r} is {found.status} and asks nothing", code="usage.no_question", fix=fix
            )
        if found.question.kind == "target" and said["reject"]:
            return await services.runs.cancel(found.run_id)
        answer = _answer(found.question, **said)
        return await services.runs.answer(found.run_id, found.question.id, answer, "cli")

    found = door.call(work)
    word = "rejected" if said["reject"] else "answered"
    door.say(found.document(), f"{word}; follow it: neuroloom watch {found.run_id}")
    return failures.OK


def _answer(
    question: QuestionView, *, reject: bool, why: str | None, target: str | None, choice: str | None
) -> dict[str, Any]:
    from memory.errors import UsageError

    if choice is not None:
        if not question.choices or question.kind == "target" or reject:
            told = "--choose and --reject contradict each other" if reject else "the run does not ask for a choice"
            raise UsageError(told, code="usage.no_question", field="choose", fix=f"it asks: {question.text}")
        return {"choice": choice}
    if question.kind != "target":
        if target is not None:
            raise UsageError("the run does not ask for a target", code="usage.no_question", field="target",
                             fix=f"it asks: {question.text}")  # fmt: skip
        return {"approve": not reject, "why": why}
    chosen = target or question.proposal
    if chosen is None:
        raise UsageError("the run has no proposal to approve", code="usage.no_proposal", field="target",
                         fix="name a column: --target COLUMN")  # fmt: skip
    return {"target": chosen}


@click.command(short_help="Go on with a failed or cancelled run.")
@click.argument("run", shell_complete=run_ids, default="latest")
@click.option("--detach", is_flag=True, help="Queue it and return.")
@command_options
def resume(door: Door, run: str, detach: bool) -> int:
    """Go on with RUN from its last checkpoint, and follow it.

    Example:
      neuroloom resume latest
    """
    from app.cli.session import Session

    def start(session: Session) -> Start:
        return session.services.runs.resume(run)

    return Session.run(door, door.settings(), start, detach=detach)


@click.command(short_help="Stop a run; it can be resumed.")
@click.argument("run", shell_complete=run_ids, default="latest")
@click.option("--now", is_flag=True, help="Do not wait for a safe point.")
@command_options
def cancel(door: Door, run: str, now: bool) -> int:
    """Stop RUN at its next safe point. Its state stays whole; `neuroloom resume` goes on with it.

    Example:
      neuroloom cancel latest
    """

    async def work(services: Services) -> RunView:
        found = await services.runs.cancel(run, now)
        deadline = asyncio.get_running_loop().time() + CANCEL_SECONDS
        while not found.ended and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            found = await services.runs.get(found.run_id)
        return found

    found = door.call(work)
    words = f"{found.run_id} {found.status}" if found.ended else f"{found.run_id} stops at its next safe point"
    door.say(found.document(), words)
    return failures.OK


@click.command(short_help="Delete an ended run and its files.")
@click.argument("run", shell_complete=run_ids)
@click.option("--yes", is_flag=True, help="Do not ask.")
@command_options
def rm(door: Door, run: str, yes: bool) -> int:
    """Delete RUN: its folder and its memory. A run that is going, or whose model is served, is refused.

    Example:
      neuroloom rm r-20261121 --yes
    """

    async def find(services: Services) -> RunView:
        return await services.runs.get(run, here=True)

    found = door.call(find)
    if not yes and not _sure(door, found):
        return failures.CANCELLED

    async def remove(services: Services) -> None:
        await services.runs.remove(found.run_id)

    door.call(remove)
    door.say({"removed": found.run_id}, f"removed {found.run_id}")
    return failures.OK


def _sure(door: Door, found: RunView) -> bool:
    from memory.errors import UsageError

    if not door.interactive:
        raise UsageError(f"deleting {found.run_id!r} needs a yes", code="usage.unconfirmed", field="yes",
                         fix=f"neuroloom rm {found.run_id} --yes")  # fmt: skip
    return click.confirm(f"delete {found.run_id} and all in {found.workspace}?", err=True)
