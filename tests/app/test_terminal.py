"""Nothing that comes from data, logs or servers steers the terminal."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest
from rich.console import Console

from app.cli import failures
from app.cli.figures import clean, clean_lines, json_text
from app.cli.live import LiveView
from app.cli.plain import PlainView
from app.cli.progress import Progress
from app.cli.session import _ask
from memory.errors import InputError
from phases.views import ErrorView, QuestionView
from tests.app import fake_services
from tests.app.conftest import Call
from tests.app.fake_services import RUN, FakeDeployments, FakeRuns, a_run, deployment

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\ud800"
STEERING = set("\x1b\x07\x9b\u202e\ud800\r\x08")


def harmless(*texts: str) -> None:
    for text in texts:
        assert "evil" in text and not STEERING & set(text), text


def story() -> list[dict[str, Any]]:
    return [
        {"type": "phase_started", "phase": "train", "attempt": 1},
        {"type": "decision", "decision": EVIL, "agent": EVIL, "reason": EVIL},
        {"type": "job_started", "job": EVIL, "kind": EVIL},
        {"type": "note", "message": EVIL},
        {"type": "log", "message": EVIL},
        {"type": "epoch", "epoch": 1, "epochs": 2, "train_loss": 1.0, "metric": {"name": EVIL, "value": 0.5}},
    ]


def test_the_views_of_a_run_show_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    plain = PlainView()
    drawn = io.StringIO()
    live = LiveView(Console(file=drawn, force_terminal=False, width=200))
    for event in story():
        plain.take(event)
        live.take(event)
    plain.close()
    live.note(EVIL)
    live.console.print(live)
    harmless(capsys.readouterr().out, drawn.getvalue())


def test_the_end_of_a_run_shows_none(call: Call) -> None:
    error = ErrorView(code="input.ragged", message=EVIL, fix=f"{EVIL}\nand more")
    fake_services.OUTCOMES["failed"] = a_run("failed", error=error, reason=EVIL, report=EVIL)
    served = deployment().model_copy(update={"url": f"http://{EVIL}", "example_request": {EVIL: EVIL}})
    fake_services.OUTCOMES["deployed"] = a_run("deployed", deployment=served, metric="accuracy")
    harmless(call("show", scenario="failed").out, call("show").out)
    shown = call("show", "--json")
    assert not STEERING & set(shown.out)
    assert shown.document()["deployment"]["url"] == f"http://{EVIL}"


def test_logs_keep_their_lines_and_lose_what_steers(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    async def logs(_: Any, __: str) -> list[tuple[str, str]]:
        return [("train-1", f"one\n\t{EVIL}\ntwo\n")]

    monkeypatch.setattr(FakeRuns, "logs", logs)
    told = call("logs")
    harmless(told.out)
    assert told.out.splitlines()[:2] == ["== train-1 ==", "one"] and "\n\t" in told.out
    assert json.loads(call("logs", "--json").out)["logs"][0]["text"] == f"one\n\t{EVIL}\ntwo\n"


def test_the_request_of_a_deployment_shows_none(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    async def deploy(*_: Any, **__: Any) -> Any:
        return deployment().model_copy(update={"url": f"http://127.0.0.1:1/{EVIL}"})

    monkeypatch.setattr(FakeDeployments, "deploy", deploy)
    harmless(call("deploy", "latest").out)


def test_an_error_shows_none_with_and_without_a_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(*_: Any) -> Any:
        raise InputError(EVIL, code="input.row", fix=EVIL)

    monkeypatch.setattr(FakeRuns, "get", get)
    harmless(call("show", RUN).err, call("show", RUN, "--debug").err)
    words = failures.in_words({"message": EVIL, "fix": EVIL})
    assert words.count("\x1b") == failures.in_words({"message": "", "fix": "x"}).count("\x1b")


async def test_a_question_shows_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer, typing = os.pipe()
    os.write(typing, b"\n")
    os.close(typing)
    with os.fdopen(answer) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        question = QuestionView(id="q", kind="target", text="which?", proposal=EVIL, choices=())
        assert await _ask(question) == {"target": EVIL}
    harmless(capsys.readouterr().err)


def test_clean_text_and_json_keep_what_is_harmless() -> None:
    assert clean("Ünïcode 我 $x$") == clean_lines("Ünïcode 我 $x$") == "Ünïcode 我 $x$"
    document = {"a\x1b": ["\x9b", "\u202e", "我", "\U000e0001", "\n"], "n": 1.5}
    text = json_text(document)
    assert json.loads(text) == document and "我" in text and text.count("\n") == 9
    assert not STEERING & set(text) and "\U000e0001" not in text


LONG = "binary because 'churned' has two values; " + "judged by accuracy: the classes are balanced, " * 3 + "the end"


def drawn(width: int, *events: dict[str, Any]) -> str:
    """The picture of a live view after these events."""
    out = io.StringIO()
    live = LiveView(Console(file=out, force_terminal=False, width=width, height=40))
    for event in events:
        live.take(event)
    live.console.print(live)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_a_decision_is_shown_whole_at_any_width(width: int) -> None:
    decision = {"type": "decision", "decision": "TaskPlan", "agent": "neural-orchestrator", "reason": LONG}
    told = drawn(width, decision)
    assert "neural-orchestrator" in told and "…" not in told
    words = " ".join(told.split())
    assert words.endswith(f"neural-orchestrator TaskPlan: {' '.join(LONG.split())}")


STARTED = {"type": "phase_started", "phase": "train", "attempt": 1, "at": "2026-11-21T09:00:00+00:00"}


@pytest.mark.parametrize("state", ["failed", "cancelled", "rejected"])
def test_the_last_picture_of_a_run_that_ended_badly_has_nothing_that_turns(state: str) -> None:
    progress = Progress()
    progress.take(STARTED)
    progress.take({"type": "state", "state": state, "at": "2026-11-21T09:00:12+00:00"})
    stages = {name: (stage.status, stage.seconds) for name, stage in progress.stages.items()}
    assert (stages["train"], stages["deploy"]) == ((state, 12.0), ("skipped", None))
    progress.take({"type": "state", "state": "running"})
    resumed = (progress.stages["train"].status, progress.stages["deploy"].status)
    assert resumed == (("rejected", "pending") if state == "rejected" else ("running", "pending"))


def test_a_run_is_queued_in_the_picture_only_until_it_runs() -> None:
    queued = {"type": "queued", "reason": "waits for a runner"}
    assert "queued: waits for a runner" in drawn(80, queued)
    assert "queued" not in drawn(80, queued, STARTED)
