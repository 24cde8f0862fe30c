"""The question about a training that does not fit: when it is asked, what it offers, and what each answer changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from memory.errors import InputError
from memory.store import Memory
from phases import configure
from phases.active_run import ActiveRun
from phases.budget import Need, agree, agreed, asks_over_budget
from phases.measure import measurement
from phases.questions import check_answer, ends_the_run
from phases.request import RunRequest
from phases.services.runs import Runs
from phases.settings import Policy
from phases.workspace import write_json

DESIGNED = {"epochs": 100, "rate": 3e-3, "threads": 1, "budget_seconds": 60.0}
Held = Callable[..., Awaitable[ActiveRun]]


@pytest.fixture
async def held(runs: Runs, request_of: RunRequest, memory: Memory, active: Callable[..., Any]) -> Held:
    """A run after its first preflight (0.5 s per epoch, 300 MB), asked for with these fields and this policy."""

    async def make(policy: Policy | None = None, fits: bool = True, **asked: Any) -> ActiveRun:
        run = (await runs.start(request_of)).run_id
        found: ActiveRun = await active(run, policy or Policy(ask_over_budget=True), **asked)
        preflight = {"seconds_per_epoch": {"value": 0.5}, "memory_mb": {"value": 300.0}}
        write_json(found.root / "jobs" / "preflight-1" / "result.json", preflight)
        gate = [{"name": "memory_fits", "passed": fits, "threshold": 200.0}]
        await found.put("phase2-complete-1", {"gate": gate}, by="test")
        epochs = int(0.8 * found.request.budget_seconds / 0.5) if found.request.budget_seconds else None
        await found.measured("measured-1", "neural-orchestrator", {"epochs_for_budget": epochs}, "measured")
        return found

    return make


class Person:
    """Answers every question alike, and remembers them."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def __call__(self, question: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(question)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "epochs", "guard"),
    [({"choice": "cut"}, 16, 60.0), ({"approve": True}, 16, 60.0), ({"choice": "continue"}, 100, None)],
)
async def test_the_answer_decides_how_long_is_trained_and_is_asked_for_once(
    held: Held, answer: dict[str, Any], epochs: int, guard: float | None
) -> None:
    run = await held(budget_seconds=10.0)
    run.ask = person = Person(answer)
    await agree(run, 1, DESIGNED)
    await agree(run, 1, DESIGNED)
    [question] = person.asked
    assert (question["kind"], question["proposal"]) == ("budget", "cut")
    assert question["choices"] == ["cut", "continue", "cancel"]
    assert "100 epochs take about 50 s, and there are 10 s" in question["text"]
    training = await agreed(run, 1, DESIGNED)
    assert (training["epochs"], training["budget_seconds"]) == (epochs, guard)
    record = await run.recorded("budget")
    assert record is not None and record.evidence["epoch_seconds"] == 0.5


async def test_the_time_limit_of_a_job_is_a_budget_too_and_is_moved_by_who_goes_on(held: Held) -> None:
    run = await held()
    hours = run.request.terms.model_copy(update={"job_hours": 20 / 3600})
    run.request = run.request.model_copy(update={"terms": hours})
    run.ask = Person({"choice": "continue"})
    await agree(run, 1, DESIGNED)
    assert (await agreed(run, 1, DESIGNED))["epochs"] == 100
    assert run.request.terms.job_hours * 3600 > 50
    assert run.spec("train", {}, "train-1", 1, "cpu").limits.seconds > 50


async def test_too_little_memory_is_asked_about_instead_of_refused(held: Held) -> None:
    run = await held(fits=False)
    run.ask = person = Person({"approve": True})
    await agree(run, 1, DESIGNED)
    [question] = person.asked
    assert question["choices"] == ["continue", "cancel"]
    assert "needs about 300 MB of memory, and there are 200" in question["text"]


async def test_memory_that_does_not_fit_blocks_only_where_nobody_is_asked(held: Held) -> None:
    for asks in (True, False):
        run = await held(Policy(ask_over_budget=asks))
        needed = measurement(run, 1e12, "MB", job="preflight-1")
        preflight = {"memory_mb": needed, "parameters": 10, "finite": True, "overfit": {"passed": True}}
        checks = configure._gate(run, 1, preflight, [], 1e9)
        [memory] = [check for check in checks if check.name == "memory_fits"]
        assert (memory.passed, memory.blocking) == (False, not asks)


async def test_nobody_is_asked_when_it_fits_or_the_policy_or_a_yes_says_so(held: Held) -> None:
    person = Person({"choice": "continue"})
    for run in (
        await held(budget_seconds=1000.0),
        await held(Policy(ask_over_budget=False), budget_seconds=10.0),
        await held(Policy(), budget_seconds=10.0),
        await held(budget_seconds=10.0, yes=True),
    ):
        run.ask = person
        await agree(run, 1, DESIGNED)
        assert (await agreed(run, 1, DESIGNED))["epochs"] == (100 if run.request.budget_seconds == 1000.0 else 16)
    assert person.asked == []


def test_unless_the_policy_says_otherwise_a_chat_is_asked_and_the_command_line_is_not(request_of: RunRequest) -> None:
    assert not asks_over_budget(request_of)
    assert asks_over_budget(request_of.model_copy(update={"door": "mcp"}))


def test_an_answer_that_is_no_choice_is_refused_with_the_choices() -> None:
    asked = Need(100, 0.5, 10.0, 300.0, None).question()
    assert asked is not None
    for answer in ({"choice": "contniue"}, {"why": "x"}, {"approve": "yes"}):
        with pytest.raises(InputError) as refused:
            check_answer(asked, answer)
        assert refused.value.field == "choice" and "cut, continue, cancel" in (refused.value.fix or "")
    with pytest.raises(InputError, match="is no answer to 'Deploy it"):
        check_answer({"kind": "deploy", "text": "Deploy it?"}, {"choice": "cut"})
    assert ends_the_run(asked, {"choice": "cancel"}) and ends_the_run(asked, {"approve": False})
    assert not ends_the_run({"kind": "deploy"}, {"approve": False})


@pytest.mark.parametrize("answer", [{"choice": "cancel"}, {"approve": False, "why": "too dear"}])
async def test_the_choice_to_cancel_ends_the_run_and_it_asks_again_when_resumed(
    runs: Runs, memory: Memory, request_of: RunRequest, answer: dict[str, Any]
) -> None:
    run = (await runs.start(request_of)).run_id
    state = await memory.get(run, "state")
    asked = Need(100, 0.5, 10.0, 300.0, None).question()
    assert state is not None
    waiting = {**state.value, "state": "waiting", "question": {"id": "q1", **(asked or {})}}
    await memory.put(run, "state", waiting, by="test")
    shown = (await runs.get(run)).document()["error"]
    assert shown["code"] == "run.waiting_budget" and "--choose cut|continue|cancel" in shown["fix"]
    assert (await runs.answer(run, "q1", answer, "mcp")).status == "cancelled"
    assert await memory.get(run, "answer") is None
