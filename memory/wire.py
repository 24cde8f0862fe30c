"""The connection to Redis and its patience: who gives up at once, who rides an outage out. It knows no key.

A door gives up within a second. A runner goes on trying while the server is away, loading or out of disk.
Both start a dead embedded server again. Commands may therefore be sent twice: whoever calls makes them safe
to repeat.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,  # not the builtin
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
    TimeoutError,  # not the builtin
)

from memory.embedded import SOCKET, EmbeddedRedis
from memory.errors import InputError, RedisAway
from memory.records import MemorySettings, Patience
from memory.unix_socket import SocketAddress

Word = str | bytes | int | float
_ANSWER_SECONDS = {"door": 0.7, "runner": 5.0}  # a door says "away" within one second, all in all
_BLOCK_MS = {"door": 400, "runner": 1500}  # a blocking read must end well before its answer is overdue
_LOGIN = (AuthenticationError, AuthorizationError, NoPermissionError)
_LOGIN_WORDS = ("invalid username-password", "already authenticated", "NOAUTH", "WRONGPASS")  # as ConnectionError
_PASSING = (
    "MISCONF",
    "OOM",
    "READONLY",
    "MASTERDOWN",
    "NOREPLICAS",
    "TRYAGAIN",
)  # refusals that end by themselves


class Wire:
    """One process's connection; `decode=False` gives replies as bytes. Belongs to one event loop."""

    def __init__(self, settings: MemorySettings, patience: Patience, decode: bool = True) -> None:
        self.patience = patience
        self.block_ms = _BLOCK_MS[patience]
        self._outage_seconds = settings.outage_seconds
        self._hashes: dict[str, str] = {}
        self._server: EmbeddedRedis | None = None
        self._address: SocketAddress | None = None
        options: dict[str, Any] = {
            "decode_responses": decode,
            "retry": Retry(NoBackoff(), 0),  # retries are ours: the client's own repeat commands for a minute
            "socket_timeout": _ANSWER_SECONDS[patience],
            "socket_connect_timeout": _ANSWER_SECONDS[patience],
        }
        if settings.url is None:
            self._server = EmbeddedRedis(settings.home)
            self._server.make_home()
            self._address = SocketAddress(self._server.home, SOCKET)
            self.where = f"the embedded Redis in {str(settings.home)!r}"
            self._redis: Any = Redis(unix_socket_path=self._address.path, **options)
        else:
            url, self.where = _read_url(settings.url)
            self._redis = _from_url(url, options)

    async def close(self) -> None:
        """Close the connections; the server lives on."""
        await self._redis.aclose()
        if self._address:
            self._address.close()

    async def do(self, *command: Word) -> Any:
        """The reply to one command.

        Raises:
            RedisAway: No usable answer within this wire's patience.
        """
        return await self._patiently(lambda: self._redis.execute_command(*command))

    async def run(self, script: str, keys: list[str], words: list[Word]) -> Any:
        """The reply to one Lua script, which the server keeps by its hash.

        Raises:
            RedisAway: No usable answer within this wire's patience.
        """
        return await self._patiently(lambda: self._evaluate(script, keys, words))

    async def _evaluate(self, script: str, keys: list[str], words: list[Word]) -> Any:
        digest = self._hashes.get(script)
        if digest is not None:
            try:
                return await self._redis.execute_command("EVALSHA", digest, len(keys), *keys, *words)
            except NoScriptError:  # a restarted server
                pass
        loaded = await self._redis.execute_command("SCRIPT LOAD", script)
        self._hashes[script] = digest = loaded.decode() if isinstance(loaded, bytes) else str(loaded)
        return await self._redis.execute_command("EVALSHA", digest, len(keys), *keys, *words)

    async def _patiently(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """The attempt's reply; again after a failure that passes, as long as this wire's patience lasts."""
        began, tries = 0.0, 0
        while True:
            try:
                return await _cancellable(attempt)
            except RedisError as error:
                problem = self._passing(error)
            began = began or time.monotonic()
            tries += 1
            if self.patience == "door":
                if tries > 1 or not await self._revived(problem):
                    raise problem
            elif time.monotonic() - began > self._outage_seconds:
                raise problem
            elif not await self._revived(problem) or tries > 2:
                await asyncio.sleep(random.uniform(0.5, 1.0) * min(1.0, 0.05 * 1.5 ** min(tries, 10)))

    async def _revived(self, problem: RedisAway) -> bool:
        """Whether this call started the dead embedded server, or found it answering again."""
        if self._server is None or not isinstance(problem.__cause__, ConnectionError):
            return False
        try:
            await asyncio.to_thread(self._server.ensure)
        except RedisAway:
            if self.patience == "door":
                raise
            return False
        return True

    def _passing(self, error: RedisError) -> RedisAway:
        """The error in our terms; raised here and now when waiting does not help."""
        if isinstance(error, _LOGIN) or any(words in str(error) for words in _LOGIN_WORDS):
            raise RedisAway(
                f"{self.where} refuses this login: {error}",
                code="memory.login",
                fix="put user and password into NEUROLOOM_REDIS_URL: redis://user:password@host:port/0",
            ) from error
        if isinstance(error, ConnectionError) and isinstance(error.__cause__, TimeoutError):
            error = error.__cause__  # it listens and says nothing: there is no dead server to start
        if isinstance(error, ConnectionError | TimeoutError):
            problem = RedisAway(f"{self.where} is away: {error}", fix=self._fix())
        elif isinstance(error, ResponseError) and str(error).startswith(_PASSING):
            problem = RedisAway(
                f"{self.where} takes no writes now: {str(error).partition(' script: ')[0]}",
                code="memory.disk_full" if "No space left" in str(error) else "memory.refused",
                fix="free some space where Redis keeps its data; it goes on by itself",
            )
        else:
            raise error
        problem.__cause__ = error
        return problem

    def _fix(self) -> str:
        if self._server is not None:
            return "see `neuroloom doctor`; after `neuroloom down` the next command starts a fresh server"
        return "start that server, or correct NEUROLOOM_REDIS_URL (without it the embedded Redis is used)"


async def _cancellable(attempt: Callable[[], Awaitable[Any]]) -> Any:
    """The attempt's reply; a cancellation meanwhile counts even where it was swallowed.

    Up to Python 3.11 `asyncio.wait_for`, which the client uses to send, drops one that comes as it ends.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    reply = await attempt()
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
    return reply


def _read_url(url: str) -> tuple[str, str]:
    """The address without options that change the shape of replies, and its name without the password."""
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise InputError(
            f"{parts.scheme!r} is no kind of Redis address",
            code="input.redis_url",
            field="redis_url",
            fix="redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/redis.sock",
        )
    options = [(name, text) for name, text in parse_qsl(parts.query) if name not in {"decode_responses", "protocol"}]
    host = parts.netloc.rpartition("@")[2]
    shown = f"{parts.scheme}://{host}{parts.path}"
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(options), "")), f"Redis at {shown!r}"


def _from_url(url: str, options: dict[str, Any]) -> Redis:
    try:
        return Redis.from_url(url, **options)
    except ValueError as error:
        raise InputError(
            f"the Redis address cannot be used: {error}", code="input.redis_url", field="redis_url"
        ) from error
