"""Who calls through the chat door, and what they may do. It verifies nobody: tokens do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Scope = Literal["read", "train", "deploy", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "train", "deploy", "admin")
"""From least to most; each holds the ones before it."""


@dataclass(frozen=True)
class Principal:
    """One caller: the name of its token (or `local`), its scopes, and the door it came through."""

    name: str
    scopes: frozenset[str]
    door: Literal["stdio", "http"]

    def may(self, scope: Scope) -> bool:
        """Whether its scopes reach this one."""
        return scope in self.scopes


def widened(scopes: Iterable[str]) -> frozenset[str]:
    """The scopes with all that they hold: `deploy` gives `read` and `train` too."""
    reach = max((SCOPES.index(scope) for scope in SCOPES if scope in set(scopes)), default=-1)
    return frozenset(SCOPES[: reach + 1])


LOCAL = Principal("local", frozenset(SCOPES), "stdio")
"""Whoever started the server on its own standard input: they could run any command themselves."""

_CURRENT: ContextVar[Principal] = ContextVar("principal", default=LOCAL)


def current() -> Principal:
    """Who made the call that is being answered."""
    return _CURRENT.get()


@contextmanager
def acting(principal: Principal) -> Iterator[None]:
    """Answer a call in the name of a principal."""
    before = _CURRENT.set(principal)
    try:
        yield
    finally:
        _CURRENT.reset(before)
