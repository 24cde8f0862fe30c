"""Tokens of the chat door: shown once, kept as hashes, one list for many processes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.cli import main
from mcp_server.principal import SCOPES, Principal, widened
from mcp_server.tokens import Tokens
from memory.errors import UsageError
from phases.lock import only_one

MANY = """
import sys
from pathlib import Path
from mcp_server.tokens import Tokens
for number in range(5):
    Tokens(Path(sys.argv[1])).create(f"{sys.argv[2]}-{number}", ["read"])
"""


def test_a_token_is_known_by_its_hash_alone_and_its_file_is_private(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    made = tokens.create("laptop", ["train"])
    principal = tokens.verify(made)
    assert principal is not None
    assert principal == Principal("laptop", frozenset({"read", "train"}), "http")
    kept = tokens.path.read_text(encoding="utf-8")
    assert made not in kept
    assert made.removeprefix("nlm_") not in kept
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600


def test_tokens_are_long_and_never_the_same(tmp_path: Path) -> None:
    made = {Tokens(tmp_path).create(f"t{number}", ["read"]) for number in range(8)}
    assert len(made) == 8
    assert all(len(token.removeprefix("nlm_")) >= 43 for token in made)  # 256 bits in base64


def test_what_is_not_a_token_is_nobody(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    made = tokens.create("laptop", ["read"])
    for wrong in ("", "nlm_", made[:-1], made + "x", made.upper(), "\u2603"):
        assert tokens.verify(wrong) is None


def test_a_revoked_token_is_refused_by_a_server_that_had_read_it(tmp_path: Path) -> None:
    server, person = Tokens(tmp_path), Tokens(tmp_path)
    made = person.create("laptop", ["admin"])
    assert server.verify(made) is not None
    person.revoke("laptop")
    assert server.verify(made) is None


def test_a_token_ends_when_its_days_are_over(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    made = Tokens(tmp_path, lambda: moment).create("short", ["read"], days=1)
    assert Tokens(tmp_path, lambda: moment + timedelta(hours=23)).verify(made) is not None
    assert Tokens(tmp_path, lambda: moment + timedelta(hours=24)).verify(made) is None


def test_the_last_use_is_noted_once_a_minute(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = Tokens(tmp_path, lambda: start).create("laptop", ["read"])
    seen = []
    for seconds in (0, 30, 61):
        tokens = Tokens(tmp_path, lambda at=start + timedelta(seconds=seconds): at)  # type: ignore[misc]
        tokens.verify(made)
        seen.append(tokens.list()[0].last_used_at)
    assert seen == [start, start, start + timedelta(seconds=61)]


def test_a_file_that_another_process_holds_is_read_and_left_alone(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    made = tokens.create("laptop", ["read"])
    with only_one(tmp_path / ".tokens.json.lock"):
        assert tokens.verify(made) is not None
        assert tokens.list()[0].last_used_at is None
    assert tokens.verify(made) is not None
    assert tokens.list()[0].last_used_at is not None


def test_each_scope_holds_the_ones_before_it() -> None:
    for at, scope in enumerate(SCOPES):
        assert widened([scope]) == set(SCOPES[: at + 1])
    assert widened([]) == frozenset()


@pytest.mark.parametrize(
    ("name", "scopes", "code"),
    [("a b", ["read"], "usage.token_name"), ("", ["read"], "usage.token_name"), ("taken", ["read"], "usage.token_name"),
     ("x", ["write"], "usage.scope"), ("x", [], "usage.scope")],
)  # fmt: skip
def test_a_name_or_scope_that_cannot_be_is_refused(tmp_path: Path, name: str, scopes: list[str], code: str) -> None:
    tokens = Tokens(tmp_path)
    tokens.create("taken", ["read"])
    with pytest.raises(UsageError) as refused:
        tokens.create(name, scopes)
    assert refused.value.code == code
    assert [token.name for token in tokens.list()] == ["taken"]


def test_the_first_start_makes_one_token_and_the_second_none(tmp_path: Path) -> None:
    made = Tokens(tmp_path).first()
    assert made is not None
    assert Tokens(tmp_path).first() is None
    principal = Tokens(tmp_path).verify(made)
    assert principal is not None
    assert principal.may("deploy")
    assert not principal.may("admin")


def test_of_servers_that_start_at_the_same_moment_one_makes_the_first_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Tokens(tmp_path).first(), range(8)))
    assert sum(token is not None for token in made) == 1
    assert len(Tokens(tmp_path).list()) == 1


def test_a_broken_file_is_named_and_lets_nobody_in(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    made = tokens.create("laptop", ["read"])
    tokens.path.write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match=r"tokens\.json"):
        tokens.verify(made)


def test_processes_that_make_tokens_at_once_lose_none(tmp_path: Path) -> None:
    started = [subprocess.Popen([sys.executable, "-c", MANY, str(tmp_path), name]) for name in ("a", "b")]
    try:
        assert [process.wait(timeout=120) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
    names = {token.name for token in Tokens(tmp_path).list()}
    assert names == {f"{who}-{number}" for who in "ab" for number in range(5)}


def test_the_command_shows_a_token_once_and_revokes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEUROLOOM_HOME", str(tmp_path))
    assert main(["mcp-token", "create", "laptop", "--scope", "train", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)["token"]
    assert Tokens(tmp_path).verify(made) is not None
    assert main(["mcp-token", "list", "--json"]) == 0
    told = capsys.readouterr().out
    assert json.loads(told)["tokens"][0]["scopes"] == ["train"]
    assert made not in told
    assert "sha256" not in told
    assert main(["mcp-token", "revoke", "laptop"]) == 0
    assert Tokens(tmp_path).verify(made) is None
    assert main(["mcp-token", "revoke", "laptop"]) == 4
