"""Tokens of the chat door over HTTP: made once, kept as hashes, revoked at once. It serves nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from app.wiring import write_private
from mcp_server.principal import SCOPES, Principal, widened
from memory.errors import UsageError
from phases.lock import only_one

FILE = "tokens.json"
PREFIX = "nlm_"
FIRST = "first"
FIRST_SCOPES = ("deploy",)
USED_STEP = timedelta(minutes=1)
LOCK_PATIENCE = 10.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Token(BaseModel):
    """What is kept of one token; `sha256` is of the token itself, which is nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


_LIST = TypeAdapter(list[Token])


class Tokens:
    """The tokens of one state folder; any number of processes may use them at once."""

    def __init__(self, home: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = home / FILE
        self._now = now
        self._read: tuple[tuple[int, int, int], Sequence[Token]] | None = None

    def create(self, name: str, scopes: Iterable[str], days: float | None = None) -> str:
        """Make a token.

        Args:
            name: What it is called in lists and in the audit log.
            scopes: Of `read`, `train`, `deploy`, `admin`; each holds the ones before it.
            days: How long it is good for; for ever when None.

        Returns:
            The token; this is the only time that it can be seen.

        Raises:
            UsageError: the name is taken or malformed, or a scope is unknown.
        """
        asked = tuple(dict.fromkeys(scopes))
        _check(name, asked)
        made = PREFIX + secrets.token_urlsafe(32)
        until = None if days is None else self._now() + timedelta(days=days)
        with self._changing() as tokens:
            if any(token.name == name for token in tokens):
                raise UsageError(f"there is a token {name!r} already", code="usage.token_name", field="name",
                                 fix=f"choose another name, or first: neuroloom mcp-token revoke {name}")  # fmt: skip
            tokens.append(Token(name=name, sha256=_hash(made), scopes=asked, created_at=self._now(), expires_at=until))
        return made

    def first(self) -> str | None:
        """Make the token of a first start, with the scope `deploy`; None when there are tokens already."""
        if self.list():
            return None
        try:
            return self.create(FIRST, FIRST_SCOPES)
        except UsageError as error:
            if error.code == "usage.token_name":  # another server started at the same moment, and has said it
                return None
            raise

    def list(self) -> Sequence[Token]:
        """The tokens, oldest first."""
        return tuple(self._load())

    def revoke(self, name: str) -> None:
        """Forget a token: it is refused from the next call on, also by servers that run.

        Raises:
            UsageError: there is none of this name.
        """
        with self._changing() as tokens:
            kept = [token for token in tokens if token.name != name]
            if len(kept) == len(tokens):
                known = ", ".join(repr(token.name) for token in tokens) or "none"
                raise UsageError(f"no token {name!r}; there are: {known}", code="usage.no_such_token", field="name",
                                 fix="neuroloom mcp-token list")  # fmt: skip
            tokens[:] = kept

    def verify(self, token: str) -> Principal | None:
        """Who the token belongs to; None when it is unknown, revoked or expired. Takes the same time for all."""
        given, found = _hash(token), None
        for one in self._load():
            if hmac.compare_digest(one.sha256, given):
                found = one
        if found is None or (found.expires_at is not None and found.expires_at <= self._now()):
            return None
        if found.last_used_at is None or self._now() - found.last_used_at >= USED_STEP:
            with suppress(OSError, UsageError):  # a full disk or a busy file is no reason to refuse the call
                self._note_use(found.name)
        return Principal(found.name, widened(found.scopes), "http")

    def _note_use(self, name: str) -> None:
        with self._changing(patience=0) as tokens:
            for at, token in enumerate(tokens):
                if token.name == name:
                    tokens[at] = token.model_copy(update={"last_used_at": self._now()})

    @contextmanager
    def _changing(self, patience: float = LOCK_PATIENCE) -> Iterator[MutableSequence[Token]]:
        """The list, to be changed in place by one process at a time; written whole when the block ends well."""
        with only_one(self.path.with_name(f".{FILE}.lock"), patience) as mine:
            if not mine:
                raise UsageError("another process keeps the tokens locked", code="usage.tokens", field="tokens",
                                 fix="try again")  # fmt: skip
            tokens = list(self._load())
            yield tokens
            write_private(self.path, json.dumps(_LIST.dump_python(tokens, mode="json"), indent=1) + "\n")

    def _load(self) -> Sequence[Token]:
        """The file's tokens; read again only when the file is another one."""
        try:
            stat = self.path.stat()
            mark = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if self._read is None or self._read[0] != mark:
                self._read = (mark, _LIST.validate_json(self.path.read_bytes()))
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as error:
            raise UsageError(f"the tokens file {str(self.path)!r} cannot be read: {type(error).__name__}",
                             code="usage.tokens", field="tokens",
                             fix=f"remove {self.path} and make the tokens anew") from error  # fmt: skip
        return self._read[1]


def _check(name: str, scopes: Sequence[str]) -> None:
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a token", code="usage.token_name", field="name",
                         fix="up to 64 letters, digits, dots, dashes and underscores")  # fmt: skip
    wrong = [scope for scope in scopes if scope not in SCOPES]
    if wrong or not scopes:
        raise UsageError(f"scopes {wrong or list(scopes)!r}; they are {', '.join(SCOPES)}", code="usage.scope",
                         field="scope", fix="give the least that is needed; each holds the ones before it")  # fmt: skip


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
