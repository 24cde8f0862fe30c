"""One run in front of a person: started, followed, asked about, summed up. Shared by run, resume, retrain and watch."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.cli import failures
from app.cli.door import Door
from app.cli.failures import ShownFailure
from app.cli.following import Detached, Follower, Interrupts, View, read_line, view_for

if TYPE_CHECKING:
    from app.services import Services
    from app.settings import Settings
    from phases.views import QuestionView, RunView

Start = Awaitable["RunView"]
BY_STATUS = {"rejected": failures.REJECTED, "failed": failures.FAILED, "cancelled": failures.CANCELLED,
             "waiting": failures.WAITS}  # fmt: skip
YES, NO = frozenset({"y", "yes"}), frozenset({"n", "no"})
CANCEL_SECONDS = 20.0


def exit_code(run: RunView) -> int:
    """The exit code of a run's state: bad input is 4, whatever state it left the run in."""
    if run.error is not None and run.status in {"failed", "cancelled"}:
        told = failures.exit_code(run.error.code)
        if told == failures.BAD_INPUT:
            return told
    return BY_STATUS.get(run.status, failures.OK)


@dataclass
class Session:
    """The pieces that every way of following a run needs."""

    door: Door
    services: Services
    view: View
    interrupts: Interrupts
    only_watching: bool = False

    @classmethod
    def run(
        cls,
        door: Door,
        settings: Settings,
        start: Callable[[Session], Start],
        *,
        detach: bool = False,
        only_watching: bool = False,
    ) -> int:
        """Open the services, start or find the run, stay with it (unless detached), and tell its end."""

        async def whole() -> int:
            async with door.open(settings) as services:
                with Interrupts() as interrupts:
                    session = cls(door, services, view_for(door), interrupts, only_watching)
                    found = await start(session)
                    return session.queued(found) if detach else await session.stay(found)

        return asyncio.run(whole())

    def queued(self, run: RunView) -> int:
        """Tell that the run goes on without us."""
        self.door.say(run.document(), lambda: _queued_words(run))
        return failures.OK

    async def stay(self, run: RunView) -> int:
        """Follow to the end, answering questions where somebody can be asked."""
        if not self.only_watching or self.door.live:
            self.view.note(run.run_id)
        if run.status == "queued" and run.reason:
            self.view.take({"type": "queued", "reason": run.reason})
        follower = Follower(self.services.runs, run.run_id, self.view, self.interrupts)
        try:
            final = await follower.until_it_stops(cancel_on_interrupt=not self.only_watching)
            while final.status == "waiting" and final.question is not None:
                answered = await self._answered(final, final.question)
                if answered is None:
                    break
                final = await follower.until_it_stops(cancel_on_interrupt=not self.only_watching)
            return await self._told(final)
        except Detached:
            self.view.note(f"detached; {run.run_id} goes on: neuroloom watch {run.run_id}")
            self.door.say((await self._now(run)).document())
            return failures.SIGTERM_CODE if self.interrupts.terminated else failures.OK
        except KeyboardInterrupt:
            error = {"code": "run.cancelled", "message": f"{run.run_id} was told to stop at once", "field": None,
                     "fix": f"neuroloom show {run.run_id}"}  # fmt: skip
            raise ShownFailure(error, (await self._now(run)).document(), failures.CANCELLED) from None

    async def _now(self, run: RunView) -> RunView:
        """The run as it is now, or as it was seen before when that cannot be read within a second."""
        from memory.errors import NeuroloomError

        with contextlib.suppress(TimeoutError, NeuroloomError):
            return await asyncio.wait_for(self.services.runs.get(run.run_id), 1.0)
        return run

    async def _answered(self, run: RunView, question: QuestionView) -> RunView | None:
        """Ask the person; None when nobody can or wants to answer now."""
        if not self.door.interactive or self.only_watching:
            return None
        self.view.note(question.text + (f" ({question.reason})" if question.reason else ""))
        asking = asyncio.create_task(_ask(question))
        hit = asyncio.create_task(self.interrupts.next())
        await asyncio.wait({asking, hit}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            asking.cancel()
            await asyncio.wait({asking})
            if self.interrupts.terminated:
                raise Detached
            return await self.services.runs.cancel(run.run_id)
        hit.cancel()
        answer = await asking
        if answer is None:
            return None
        return await self.services.runs.answer(run.run_id, question.id, answer, "cli")

    async def _told(self, run: RunView) -> int:
        from app.cli.summary import summary

        question = run.question
        if run.status == "waiting" and question is not None and question.kind == "target" and not self._may_wait():
            await self._refuse_without_target(run, question)
        self.door.say(run.document(), lambda: "\n" + summary(run))
        return exit_code(run)

    def _may_wait(self) -> bool:
        return self.only_watching or self.door.interactive

    async def _refuse_without_target(self, run: RunView, question: QuestionView) -> None:
        """Nobody can be asked: end the run, and fail with the proposal."""
        ended = await self.services.runs.cancel(run.run_id)
        follower = Follower(self.services.runs, run.run_id, _quiet(), self.interrupts)
        if not ended.ended:
            ended = await asyncio.wait_for(follower.until_it_stops(cancel_on_interrupt=True), CANCEL_SECONDS)
        why = f" ({question.reason})" if question.reason else ""
        error = {
            "code": "input.no_target",
            "message": f"no --target was given; proposed: {question.proposal!r}{why}",
            "field": "target",
            "fix": f"run it again with --target {question.proposal!r}, or with --detach and answer later",
        }
        raise ShownFailure(error, ended.document(), failures.BAD_INPUT)


def _quiet() -> View:
    from app.cli.plain import SilentView

    return SilentView()


def _queued_words(run: RunView) -> str:
    words = f"{run.run_id} {run.status}"
    if run.status == "queued" and run.reason:
        words += f": {run.reason}"
    return f"{words}\nfollow it: neuroloom watch {run.run_id}"


async def _ask(question: QuestionView) -> dict[str, Any] | None:
    """The person's answer, asked again until it is one; None when they left the question open."""
    while True:
        target, budget = question.kind == "target", question.kind == "budget"
        typed = await read_line(_prompt(question))
        if typed is None:
            return None
        if budget and typed in question.choices:
            return {"choice": typed}
        answer = _target_answer(question, typed) if target else None if budget else _approval_answer(typed)
        if answer is not None:
            return answer
        if not target and typed == "":
            return None


def _prompt(question: QuestionView) -> str:
    if question.kind == "target":
        return f"target{f' [{question.proposal}]' if question.proposal else ''}: "
    return f"{', '.join(question.choices) if question.kind == 'budget' else 'yes or no'} (empty: later): "


def _target_answer(question: QuestionView, typed: str) -> dict[str, Any] | None:
    from agents.metrics import nearest
    from app.cli.figures import clean

    name = typed or question.proposal
    if name is None:
        return None
    if question.choices and name not in question.choices:
        sys.stderr.write(clean(f"there is no column {name!r}{nearest(name, list(question.choices))}") + "\n")
        return None
    return {"target": name}


def _approval_answer(typed: str) -> dict[str, Any] | None:
    if typed.lower() in YES:
        return {"approve": True, "why": None}
    return {"approve": False, "why": None} if typed.lower() in NO else None
