"""Logins: kept in the keyring or a private file, read from standard input, never shown."""

# ruff: noqa: ARG002 - the keyring's own signatures
from __future__ import annotations

import io
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked

from app.credentials import Credentials
from memory.errors import UsageError
from tests.app.conftest import Call


class MemoryKeyring(KeyringBackend):
    priority = 5

    def __init__(self, *, locked: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[str, str] = {}
        self.locked = locked

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked("locked")
        self.kept[username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[username]


@pytest.fixture(autouse=True)
def _keyring_is_put_back() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


def test_without_a_keyring_the_secret_is_in_a_file_only_its_owner_can_read(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "state")
    kept = Path(credentials.keep("e2b", "s3cret"))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert credentials.secret("e2b") == "s3cret"
    assert credentials.forget("e2b") is True
    assert credentials.forget("e2b") is False
    assert "s3cret" not in kept.read_text()


def test_a_keyring_is_preferred_and_a_locked_one_falls_back(tmp_path: Path) -> None:
    ring = MemoryKeyring()
    keyring.set_keyring(ring)
    assert Credentials(tmp_path).keep("e2b", "s3cret") == "keyring"
    assert ring.kept == {"e2b": "s3cret"}
    assert not (tmp_path / "credentials.json").exists()
    keyring.set_keyring(MemoryKeyring(locked=True))
    assert Credentials(tmp_path).keep("e2b", "s3cret") == str(tmp_path / "credentials.json")


def test_an_empty_secret_and_a_broken_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="empty"):
        Credentials(tmp_path).keep("e2b", "  ")
    (tmp_path / "credentials.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        Credentials(tmp_path).secret("e2b")


def test_login_reads_standard_input_and_nothing_prints_the_secret(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("s3cret\n"))
    login, status = call("auth", "login", "e2b"), call("auth", "status", "--json")
    logout = call("auth", "logout", "e2b")
    assert [told.code for told in (login, status, logout)] == [0, 0, 0]
    assert "s3cret" not in login.out + login.err + status.out + logout.out
    assert {row["backend"]: bool(row["kept"]) for row in status.document()["logins"]}["e2b"] is True
    assert call("auth", "login", "local").out == "local needs no login\n"
