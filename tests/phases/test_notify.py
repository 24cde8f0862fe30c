"""A person away from the chat hears of a run's end; how each attempt went is on record, addresses are not."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from app.settings import load
from memory.errors import UsageError
from memory.store import Memory
from phases.notices import Notice
from phases.notify import tell
from phases.request import RunRequest
from phases.services.runs import Runs
from phases.settings import NotifySettings
from tests.phases.receivers import mailbox, webhook

SECRET = "T0P-S3CRET"


def notice(run: str) -> Notice:
    return Notice(f"{run}:failed:x", run, "failed", "2026-11-30T10:11:12.000+00:00", "run.disk_full")


async def records(memory: Memory, run: str) -> list[dict[str, Any]]:
    return [event for _, event in await memory.events(run) if event["type"] == "notified"]


@pytest.fixture
async def run(runs: Runs, request_of: RunRequest) -> str:
    return (await runs.start(request_of)).run_id


async def test_webhook_and_mail_say_what_happened_and_are_on_record_once(memory: Memory, run: str) -> None:
    async with webhook() as hook, mailbox() as box:
        settings = NotifySettings(
            desktop=False,
            webhook=f"http://127.0.0.1:{hook.port}/{SECRET}",
            mail_to="person@example.org",
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_security="none",
        )
        for _ in range(2):
            await tell(settings, memory, notice(run))
    assert [list(body) for body in hook.bodies] == [["text"]]
    assert run in hook.bodies[0]["text"] and "run.disk_full" in hook.bodies[0]["text"]
    assert len(box.mails) == 1 and "To: person@example.org" in box.mails[0] and run in box.mails[0]
    found = await records(memory, run)
    assert sorted((one["channel"], one["outcome"], one["why"]) for one in found) == [
        ("mail", "ok", None),
        ("webhook", "ok", None),
    ]


@pytest.mark.parametrize(
    ("status", "why"), [(500, "HTTP status 500"), (404, "HTTP status 404"), (302, "HTTP status 302")]
)
async def test_a_webhook_that_refuses_is_recorded_as_failed(memory: Memory, run: str, status: int, why: str) -> None:
    async with webhook(status) as hook:
        settings = NotifySettings(desktop=False, webhook=f"http://127.0.0.1:{hook.port}/{SECRET}")
        await tell(settings, memory, notice(run))
    assert [(one["outcome"], one["why"]) for one in await records(memory, run)] == [("failed", why)]


async def test_a_webhook_that_never_answers_costs_only_its_time(memory: Memory, run: str) -> None:
    async with webhook(silent=True) as hook:
        settings = NotifySettings(desktop=False, webhook=f"http://127.0.0.1:{hook.port}/{SECRET}", seconds=0.3)
        await tell(settings, memory, notice(run))
    assert [(one["outcome"], one["why"]) for one in await records(memory, run)] == [
        ("failed", "no answer within 0.3 s")
    ]


async def test_no_address_or_password_is_told_when_nothing_answers(
    memory: Memory, run: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with webhook() as closed:
        pass
    async with mailbox(refuse=True) as box:
        settings = NotifySettings(
            desktop=False,
            webhook=f"http://{SECRET}.invalid:{closed.port}/{SECRET}",
            mail_to="person@example.org",
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_security="none",
            smtp_password=SECRET,
        )
        await tell(settings, memory, notice(run))
    found = await records(memory, run)
    assert [one["outcome"] for one in found] == ["failed", "failed"] and all(one["why"] for one in found)
    kept = await memory.get(run, "notified")
    assert kept is not None
    assert SECRET not in json.dumps([found, kept.value]) + caplog.text + repr(settings)


async def test_a_mail_server_without_the_encryption_that_was_asked_for_gets_no_mail(memory: Memory, run: str) -> None:
    async with mailbox() as box:
        settings = NotifySettings(
            desktop=False,
            mail_to="person@example.org",
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_user="person",
            smtp_password=SECRET,
        )
        await tell(settings, memory, notice(run))
    assert [(one["outcome"], one["why"]) for one in await records(memory, run)] == [("failed", "SMTPNotSupportedError")]
    assert box.mails == []


async def test_a_desktop_is_told_by_notify_send(
    memory: Memory, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "notify-send"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/said"\nexit $(cat "{tmp_path}/code")\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    assert NotifySettings().channels() == ("desktop",)
    (tmp_path / "code").write_text("0")
    await tell(NotifySettings(), memory, notice(run))
    assert run in (tmp_path / "said").read_text()
    (tmp_path / "code").write_text("3")
    await tell(NotifySettings(), memory, Notice(f"{run}:x:y", run, "cancelled", "2026-11-30T10:11:13Z"))
    outcomes = [(one["outcome"], one["why"]) for one in await records(memory, run)]
    assert outcomes == [("ok", None), ("failed", "notify-send ended with 3")]


def test_settings_show_that_an_address_is_set_and_never_which(tmp_path: Path) -> None:
    address = f"https://hooks.example.org/{SECRET}"
    found = load(environ={"NEUROLOOM_NOTIFY_WEBHOOK": address, "NEUROLOOM_NOTIFY_SMTP_PASSWORD": SECRET})
    assert found.runner.notify.webhook == address
    assert SECRET not in json.dumps(found.rows())
    shown = {row["name"]: row["value"] for row in found.rows()}
    assert shown["notify.webhook"] == shown["notify.smtp_password"] == "********"
    with pytest.raises(UsageError) as refused:
        load(environ={"NEUROLOOM_NOTIFY_WEBHOOK": f"ftp://{SECRET}"})
    assert refused.value.field == "notify.webhook" and SECRET not in str(refused.value)
