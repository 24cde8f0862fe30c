"""Redaction: a canary, however it is written, leaves by no answer, error or log line; everything else is untouched."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.server.mcpserver import Elicit, Resolve
from mcp.types import ElicitRequestParams, ElicitResult
from pydantic import BaseModel

from app.settings import load
from mcp_server.redaction import MARK, RedactedLogs, Redactor, known_secrets, passwords, secret_values
from mcp_server.settings import ChatSettings
from tests.mcp_server.tiny_server import tiny

CANARY = 'Ka9+/na"r\\y é-42'
REDACTOR = Redactor([CANARY])
SHAPED = [
    "sk-ant-api03-" + "a1B2" * 10,
    "sk-proj-" + "a1B2" * 10,
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a1B2_" * 10,
    "AKIA" + "ABCD1234" * 2,
    "xoxb-1234567890-abcdefghij",
    "nlm_" + "a" * 43,
    "https://hooks.slack.com/services/T000/B000/" + "a1B2" * 6,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + "a1B2" * 8,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----",
    "redis://user:hunter2hunter2@10.0.0.1:6379/0",
]


def written(secret: str) -> list[str]:
    """The ways in which a secret may stand in a text."""
    whole = [base64.b64encode(before + secret.encode() + b"tail").decode() for before in (b"", b"u:", b"x")]
    return [secret, quote(secret, safe=""), json.dumps(secret)[1:-1], *whole]


@pytest.mark.parametrize("form", written(CANARY))
def test_a_known_secret_is_taken_out_however_it_is_written(form: str) -> None:
    told = REDACTOR.clean({"rows": [f"before {form} after"], "count": 3})
    assert MARK in told["rows"][0]
    assert CANARY not in told["rows"][0]
    assert "before " in told["rows"][0]
    assert told["count"] == 3
    assert base64.b64encode(CANARY.encode()).decode()[4:16] not in json.dumps(told)


@pytest.mark.parametrize("secret", SHAPED)
def test_the_shapes_of_well_known_tokens_are_taken_out(secret: str) -> None:
    told = Redactor().clean({"text": f"it is {secret} indeed"})["text"]
    assert MARK in told
    assert told.endswith(" indeed")
    assert secret.rpartition("//")[2].partition("@")[0] not in told


@pytest.mark.parametrize(
    "text",
    ["task-abcdefghijklmnopqrstuvwxyz-0123", "https://127.0.0.1:8765/mcp", "neural://runs/r-20261130-123456",
     "half_" + "a" * 40, "a highly_" + "a" * 40, "-----BEGIN CERTIFICATE-----", "/home/x/sk-1/data.csv",
     "mail@example.org: 3"],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().clean({"text": text}) == {"text": text}


def test_keys_and_the_shape_of_an_answer_are_never_touched() -> None:
    answer = {CANARY: [CANARY, {"n": None, "f": 1.5, "b": True, CANARY: []}], "big": 2**70}
    assert REDACTOR.clean(answer) == {CANARY: [MARK, {"n": None, "f": 1.5, "b": True, CANARY: []}], "big": 2**70}


def test_a_clean_answer_is_given_back_as_it_is() -> None:
    answer = {"text": "fine", "rows": [1, 2]}
    assert REDACTOR.clean(answer) is answer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.text(max_size=8), st.text(max_size=8))
def test_the_canary_gets_out_of_no_structure(value: Any, before: str, after: str) -> None:
    told = REDACTOR.clean({"a": value, "b": [before + CANARY + after]})
    assert CANARY not in json.dumps(told, ensure_ascii=False)
    assert set(told) == {"a", "b"}


def test_short_values_are_not_taken_out_of_every_text() -> None:
    assert Redactor(["abc", "", "  "]).clean({"text": "abcdef"}) == {"text": "abcdef"}


def test_secrets_of_the_environment_are_known_by_the_names_of_their_variables() -> None:
    environ = {
        "MY_API_KEY": "v-api", "DB_PASSWORD": "v-password", "GITHUB_TOKEN": "v-token", "AWS_SECRET_ACCESS_KEY": "v-aws",
        "SLACK_WEBHOOK_URL": "v-hook", "DATABASE": "postgres://u:v-inside@db/x", "TOKENIZERS_PARALLELISM": "v-no",
        "PATH": "v-no", "KEYBOARD": "v-no", "USE_TOKEN": "true", "SSH_KEY": "/home/x/.ssh/id", "MONKEY": "v-no",
    }  # fmt: skip
    assert set(secret_values(environ)) == {"v-api", "v-password", "v-token", "v-aws", "v-hook", "v-inside"}


def test_a_password_of_an_address_is_known_as_it_is_written_and_as_it_is_meant() -> None:
    assert passwords("redis://:p%40ss@host:1/0") == ["p%40ss", "p@ss"]
    assert passwords("https://example.org/a@b") == []
    assert passwords("http://[broken@") == []


def test_everything_that_this_installation_knows_is_collected(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "credentials.json").write_text(json.dumps({"e2b": "kept-login"}), encoding="utf-8")
    environ = {
        "NEUROLOOM_HOME": str(home),
        "NEUROLOOM_REDIS_URL": "redis://:redis-word@10.0.0.1:6379",
        "X_TOKEN": "env-word",
    }
    known = known_secrets(load(environ=environ), environ, ["e2b"])
    assert {"kept-login", "redis-word", "env-word"} <= set(known)


def test_log_lines_and_tracebacks_hold_no_secret() -> None:
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Kept()
    handler.addFilter(RedactedLogs(Redactor(["canary-1234"])))
    logger = logging.Logger("of this test")
    logger.addHandler(handler)
    try:
        raise ValueError("canary-1234")
    except ValueError:
        logger.exception("it was %s", "canary-1234")
    assert "ValueError" in lines[0]
    assert "canary" not in lines[0]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_canary_gets_out_of_no_answer_and_no_error(tmp_path: Path, mode: Any) -> None:
    told = []
    async with Client(tiny(ChatSettings(), tmp_path, ["canary-1234"]), mode=mode) as client:
        for arguments in ({"word": "my canary-1234"}, {"canary-1234": 1}, {"word": ["canary-1234"]}):
            told.append((await client.call_tool("run_get", arguments)).model_dump_json())
        told.append((await client.call_tool("canary-1234", {})).model_dump_json())
        told.append((await client.read_resource("tiny://notes/canary-1234")).contents[0].model_dump()["text"])
    assert all("canary" not in one for one in told)
    assert MARK in told[0]


class Answer(BaseModel):
    """What the person says."""

    ok: bool


async def question(word: str) -> Elicit[Answer]:
    return Elicit(f"Use {word}?", Answer)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_canary_gets_out_of_no_progress_and_no_question(tmp_path: Path, mode: Any) -> None:
    told: list[str] = []

    async def noted(progress: float, total: float | None, message: str | None) -> None:
        told.append(str(message))

    async def asked(context: Any, params: ElicitRequestParams) -> ElicitResult:
        told.append(params.message)
        return ElicitResult(action="accept", content={"ok": True})

    server = tiny(ChatSettings(), tmp_path, ["canary-1234"])

    @server.tool()
    async def run_approve(word: str, answer: Annotated[Answer, Resolve(question)]) -> dict[str, Any]:
        """Ask."""
        return {"ok": answer.ok}

    async with Client(server, mode=mode, elicitation_callback=asked) as client:
        await client.call_tool("run_wait", {"count": 1, "what": "canary-1234"}, progress_callback=noted)
        answer = await client.call_tool("run_approve", {"word": "canary-1234"})
    assert answer.structured_content == {"ok": True}
    assert told == [f"{MARK} 1", f"Use {MARK}?"]
