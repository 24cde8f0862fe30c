"""The audit log: one record a call, a chain that shows what was changed, many writers, torn records."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPDeprecationWarning, MCPError
from mcp.types import Implementation, PromptReference, ResourceTemplateReference

from app.cli import main
from mcp_server.audit import GENESIS, AuditLog, Entry, arguments_hash, files, verify
from mcp_server.guard import Guard
from mcp_server.limits import Limits
from mcp_server.naming import ToolInfo
from mcp_server.redaction import Redactor
from mcp_server.refusal import CallRefused
from mcp_server.settings import ChatSettings
from tests.mcp_server.tiny_server import tiny

JANUARY, FEBRUARY = datetime(2026, 1, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
WRITER = """
import resource, sys
from pathlib import Path
from mcp_server.audit import AuditLog, Entry
def entry(name):
    return Entry("laptop", "http", "a client", "tools/call", name, "0" * 64, "ok", 1.25)
log = AuditLog(Path(sys.argv[1]))
if sys.argv[2] == "killed":
    import asyncio, os, signal
    from mcp import Client
    from mcp_server.settings import ChatSettings
    from tests.mcp_server.tiny_server import tiny
    server = tiny(ChatSettings(), Path(sys.argv[1]))
    async def killed() -> dict:
        "End this process in the middle of a call."
        os.kill(os.getpid(), signal.SIGKILL)
    async def main():
        server.add_tool(killed, name="run_resume")
        async with Client(server) as client:
            await client.call_tool("run_resume", {})
    asyncio.run(main())
if sys.argv[2] == "torn":  # the file may grow by 100 bytes only: a record that does not fit is written in part
    log.append(entry("first"))
    size = sum(path.stat().st_size for path in log.folder.glob("*.jsonl"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
    try:
        log.append(entry("second"))
    except OSError:
        sys.exit(7)
print("ready", flush=True)
number = 0
while sys.argv[2] == "endless" or number < 200:
    log.append(entry(f"{sys.argv[2]}-{number}"))
    number += 1
"""


def entry(name: str = "run_get") -> Entry:
    return Entry("laptop", "http", "a client", "tools/call", name, arguments_hash({}), "ok", 1.25)


def writer(home: Path, what: str) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), what], cwd=root, stdout=subprocess.PIPE, text=True
    )


def records(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in files(home / "audit") for line in path.read_bytes().splitlines()]


def filled(home: Path, count: int = 5) -> Path:
    log = AuditLog(home)
    for number in range(count):
        log.append(entry(f"call-{number}"))
    return files(log.folder)[0]


def changed(path: Path, change: Any) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(change(lines)))


def test_each_record_holds_the_hash_of_the_one_before(tmp_path: Path) -> None:
    path = filled(tmp_path)
    found = records(tmp_path)
    assert [one["prev"] for one in found] == [GENESIS, *(one["hash"] for one in found[:-1])]
    body = path.read_bytes().splitlines()[0].partition(b',"hash":')[0] + b"}"
    assert found[0]["hash"] == hashlib.sha256(body).hexdigest()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    verdict = verify(tmp_path)
    assert (verdict.records, verdict.broken) == (5, None)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b"laptop", b"nobody"), *lines[3:]], 3),
        (lambda lines: [*lines[:4], lines[4].replace(b'"ok"', b'"no"')], 5),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2),
        (lambda lines: [*lines[:3], b"{}\n", *lines[3:]], 4),
        (lambda lines: [*lines[:3], lines[1], *lines[3:]], 4),
    ],
)
def test_a_record_that_was_changed_removed_moved_or_put_in_is_named(tmp_path: Path, change: Any, line: int) -> None:
    path = filled(tmp_path)
    changed(path, change)
    broken = verify(tmp_path).broken
    assert broken is not None
    assert (broken["file"], broken["line"]) == (path.name, line)


def test_a_change_stays_visible_after_further_calls(tmp_path: Path) -> None:
    path = filled(tmp_path)
    changed(path, lambda lines: [*lines[:2], lines[2].replace(b"laptop", b"nobody"), *lines[3:]])
    AuditLog(tmp_path).append(entry())
    broken = verify(tmp_path).broken
    assert broken is not None
    assert broken["line"] == 3


def test_the_chain_goes_on_from_month_to_month(tmp_path: Path) -> None:
    moment = [JANUARY]
    log = AuditLog(tmp_path, lambda: moment[0])
    log.append(entry())
    moment[0] = FEBRUARY
    log.append(entry())
    AuditLog(tmp_path, lambda: FEBRUARY).append(entry())
    assert [path.name for path in files(log.folder)] == ["chat-202601.jsonl", "chat-202602.jsonl"]
    assert verify(tmp_path).broken is None
    changed(files(log.folder)[1], lambda lines: lines[1:])
    broken = verify(tmp_path).broken
    assert broken is not None
    assert (broken["file"], broken["line"]) == ("chat-202602.jsonl", 1)


def test_the_oldest_file_may_be_thrown_away(tmp_path: Path) -> None:
    for moment in (JANUARY, FEBRUARY):
        AuditLog(tmp_path, lambda at=moment: at).append(entry())  # type: ignore[misc]
    files(tmp_path / "audit")[0].unlink()
    assert verify(tmp_path).broken is None


def test_many_processes_append_to_one_chain(tmp_path: Path) -> None:
    writers = [writer(tmp_path, name) for name in ("a", "b")]
    try:
        assert [process.wait(timeout=120) for process in writers] == [0, 0]
    finally:
        for process in writers:
            process.kill()
            process.communicate()
    verdict = verify(tmp_path)
    assert (verdict.records, verdict.broken) == (400, None)


def test_a_process_that_is_killed_while_it_writes_leaves_a_log_that_goes_on(tmp_path: Path) -> None:
    process = writer(tmp_path, "endless")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        filled(tmp_path, 20)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    filled(tmp_path, 3)
    verdict = verify(tmp_path)
    assert verdict.broken is None
    assert verdict.records >= 23


def test_a_record_that_was_written_in_part_is_closed_off_by_the_next(tmp_path: Path) -> None:
    process = writer(tmp_path, "torn")
    process.communicate()
    assert process.returncode == 7
    path = files(tmp_path / "audit")[0]
    assert not path.read_bytes().endswith(b"\n")
    assert verify(tmp_path).broken is None
    filled(tmp_path, 2)
    verdict = verify(tmp_path)
    assert (verdict.records, verdict.closed_off, verdict.broken) == (3, 1, None)
    changed(path, lambda lines: [lines[0], lines[1][1:], *lines[2:]])
    broken = verify(tmp_path).broken
    assert broken is not None
    assert broken["line"] == 2


@pytest.mark.parametrize("cut", range(1, 300, 23))
def test_wherever_a_record_is_torn_the_chain_goes_on(tmp_path: Path, cut: int) -> None:
    path = filled(tmp_path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    filled(tmp_path, 2)
    assert verify(tmp_path).broken is None


def test_equal_arguments_have_equal_hashes_whatever_their_order() -> None:
    assert arguments_hash({"a": 1, "b": [2**70, "é\ud800"]}) == arguments_hash({"b": [2**70, "é\ud800"], "a": 1})
    assert arguments_hash({"a": 1}) != arguments_hash({"a": "1"})


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_each_call_is_one_record_without_its_arguments(tmp_path: Path, mode: Any) -> None:
    async with Client(tiny(ChatSettings(), tmp_path, ["unused-secret"]), mode=mode) as client:
        await client.list_tools()
        await client.call_tool("run_get", {"word": "salt-and-pepper"})
        await client.call_tool("run_get", {"wrod": "salt-and-pepper"})
        await client.call_tool("run_get_salt-and-pepper", {})
        await client.call_tool("run_wait", {"count": "salt-and-pepper"})
        await client.read_resource("tiny://notes/salt-and-pepper")
        with pytest.raises(MCPError):
            await client.read_resource("tiny://notes/bad")
        await client.get_prompt("status", {})
    found = records(tmp_path)
    assert [(one["method"], one["name"], one["outcome"]) for one in found] == [
        ("tools/call", "run_get", "ok"),
        ("tools/call", "run_get", "usage.unknown_argument"),
        ("tools/call", "unknown", "usage.unknown_tool"),
        ("tools/call", "run_wait", "tool.error"),
        ("resources/read", "tiny://notes", "ok"),
        ("resources/read", "tiny://notes", "rpc.-32603"),
        ("prompts/get", "status", "ok"),
    ]
    assert all(one["principal"] == "local" and one["door"] == "stdio" and one["client"] for one in found)
    assert all(one["ms"] > 0 for one in found)
    assert found[0]["arguments_sha256"] == arguments_hash({"word": "salt-and-pepper"})
    assert b"salt-and-pepper" not in files(tmp_path / "audit")[0].read_bytes()
    assert verify(tmp_path).broken is None


async def test_what_changes_something_is_refused_when_it_cannot_be_recorded_and_reading_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be", encoding="utf-8")
    async with Client(tiny(ChatSettings(), tmp_path)) as client:
        for _ in range(2):
            assert not (await client.call_tool("run_get", {})).is_error
        for name in ("run_cancel", "deployment_change", "unlisted"):
            refused = await client.call_tool(name, {})
            assert refused.structured_content["error"]["code"] == "audit.unwritable"
    assert caplog.text.count("calls are not recorded any more") == 1


def test_a_disk_without_room_counts_as_one_that_cannot_be_written(tmp_path: Path) -> None:
    AuditLog(tmp_path).begin(entry())
    with pytest.raises(CallRefused, match="the disk is full") as refused:
        AuditLog(tmp_path, free_bytes=2**62).begin(entry())
    assert refused.value.code == "audit.unwritable"
    assert len(records(tmp_path)) == 1


async def test_what_changes_something_is_recorded_before_it_too(tmp_path: Path) -> None:
    async with Client(tiny(ChatSettings(), tmp_path)) as client:
        for name, arguments in (("run_get", {}), ("run_cancel", {"word": "now"}), ("run_start", {"deploy": True})):
            await client.call_tool(name, arguments)
        refused = await client.call_tool("run_cancel", {"wrod": "now"})
        assert refused.is_error
    found = records(tmp_path)
    assert [(one["name"], one["outcome"]) for one in found] == [
        ("run_get", "ok"),
        ("run_cancel", "begun"),
        ("run_cancel", "ok"),
        ("run_start", "begun"),
        ("run_start", "ok"),
        ("run_cancel", "usage.unknown_argument"),
    ]
    calls = [one.get("call") for one in found]
    assert calls[0] is None and calls[5] is None
    assert calls[1] == calls[2] != calls[3] == calls[4]
    assert found[1]["arguments_sha256"] == found[2]["arguments_sha256"] == arguments_hash({"word": "now"})
    assert (verify(tmp_path).unended, verify(tmp_path).broken) == (0, None)


def test_a_call_whose_process_was_killed_leaves_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = writer(tmp_path, "killed")
    try:
        process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    AuditLog(tmp_path).append(entry())
    verdict = verify(tmp_path)
    assert (verdict.records, verdict.unended, verdict.broken) == (2, 1, None)
    monkeypatch.setenv("NEUROLOOM_HOME", str(tmp_path))
    assert main(["audit", "verify"]) == 0
    assert "1 calls began and did not end" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_completions_and_subscriptions_are_recorded(tmp_path: Path, mode: Any) -> None:
    server = tiny(ChatSettings(), tmp_path)
    note = "tiny://notes/salt-and-pepper"
    async with Client(server, mode=mode) as client:
        await client.complete(PromptReference(name="status"), {"name": "run", "value": "salt-and-pepper"})
        await client.complete(ResourceTemplateReference(uri="tiny://notes/{name}"), {"name": "name", "value": "s"})
        if mode == "legacy":
            with pytest.warns(MCPDeprecationWarning):
                await client.subscribe_resource(note)
        else:
            async with client.listen(resource_subscriptions=[note]):
                assert [one["outcome"] for one in records(tmp_path)][2:] == ["begun"]
    told = [(one["method"], one["name"], one["outcome"]) for one in records(tmp_path)]
    assert told[:2] == [("completion/complete", "status", "ok"), ("completion/complete", "tiny://notes", "ok")]
    stream = ("subscriptions/listen", "")
    if mode == "legacy":
        assert told[2:] == [("resources/subscribe", "tiny://notes", "ok")]
    else:
        assert told[2:] == [(*stream, "begun"), (*stream, "cancelled")]
    assert b"salt-and-pepper" not in files(tmp_path / "audit")[0].read_bytes()
    assert verify(tmp_path).unended == 0


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_no_secret_is_recorded_in_a_name(tmp_path: Path, mode: Any) -> None:
    secret = "salt-and-pepper-0001"
    who = Implementation(name=f"{'a' * 55} {secret}", version="1")
    async with Client(tiny(ChatSettings(), tmp_path, [secret]), mode=mode, client_info=who) as client:
        await client.call_tool("run_get", {})
        with pytest.raises(MCPError):
            await client.get_prompt(f"{secret} and more", {})
        with pytest.raises(MCPError):
            await client.get_prompt("x" * 5000, {})
        with pytest.raises(MCPError):
            await client.read_resource(f"{secret}://x")
    found = records(tmp_path)
    assert [one["name"] for one in found] == ["run_get", "[redacted] and more", "too long", "[redacted]://x"]
    assert found[0]["client"].startswith("aaaa")
    assert b"salt-and" not in files(tmp_path / "audit")[0].read_bytes()


def test_a_guard_without_a_log_is_allowed() -> None:
    Guard({"x": ToolInfo(frozenset())}, Limits(ChatSettings()), Redactor(), None)


def test_the_command_names_the_first_broken_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEUROLOOM_HOME", str(tmp_path))
    assert main(["audit", "verify"]) == 0
    assert "no calls were recorded" in capsys.readouterr().out
    path = filled(tmp_path)
    assert main(["audit", "verify"]) == 0
    assert "5 records" in capsys.readouterr().out
    changed(path, lambda lines: [*lines[:2], lines[2].replace(b"laptop", b"nobody"), *lines[3:]])
    assert main(["audit", "verify", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["broken"]["line"] == 3
    assert main(["audit", "verify"]) == 2
    assert f"{path.name}, line 3" in capsys.readouterr().out
