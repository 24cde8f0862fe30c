"""Patience: a door says "away" within a second, a runner waits and goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memory.embedded import EmbeddedRedis
from memory.errors import InputError, RedisAway
from memory.records import MemorySettings, Patience
from memory.store import Memory, open_memory

from .conftest import eventually, kill_server

RUN = "r-20261121-094501-k3f9"


AT_ONCE = 15.0  # seconds; within one on a quiet machine, here only that nobody waits for Redis to come back


@contextmanager
def silent_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


async def away(url: str, home: Path) -> RedisAway:
    began = time.monotonic()
    with pytest.raises(RedisAway) as caught:
        async with open_memory(MemorySettings(home=home, url=url), "door"):
            pass
    assert time.monotonic() - began <= AT_ONCE
    return caught.value


async def test_a_door_says_at_once_that_a_configured_redis_is_away(home: Path) -> None:
    with silent_port() as port:
        silent = await away(f"redis://someone:secret@127.0.0.1:{port}/0", home)
    refused = await away(f"redis://someone:secret@127.0.0.1:{port}/0", home)
    nowhere = await away(f"unix://{home}/none.sock", home)
    for error in (silent, refused, nowhere):
        assert error.code == "memory.away"
        assert "is away" in error.message
        assert "secret" not in error.message
        assert "NEUROLOOM_REDIS_URL" in (error.fix or "")
    assert not EmbeddedRedis(home).alive()


async def test_a_door_says_at_once_that_the_embedded_redis_is_stalled(home: Path) -> None:
    async with open_memory(MemorySettings(home=home), "door") as memory:
        await memory.ping()
        pid = int((home / "redis.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with pytest.raises(RedisAway):
                await memory.put(RUN, "state", 1, by="a", write_id="one")
            assert time.monotonic() - began <= AT_ONCE
            began = time.monotonic()
            with pytest.raises(RedisAway, match="is away"):
                async with open_memory(MemorySettings(home=home), "door"):
                    pass
            assert time.monotonic() - began <= AT_ONCE
        finally:
            os.kill(pid, signal.SIGCONT)
        again = await memory.put(RUN, "state", 1, by="a", write_id="one")
        assert again.version == 1


async def test_a_runner_waits_for_a_configured_redis_that_is_away(home: Path) -> None:
    server = EmbeddedRedis(home / "elsewhere")
    server.ensure()
    settings = MemorySettings(home=home, url=f"unix://{home}/elsewhere/redis.sock")
    async with open_memory(settings, "runner") as memory:
        await memory.put(RUN, "state", 1, by="a")
        kill_server(server.home)
        waiting = asyncio.create_task(memory.put(RUN, "state", 2, by="a", expected=1))
        assert not (await asyncio.wait([waiting], timeout=1.0))[0]
        server.ensure()
        assert (await waiting).version == 2
    server.stop()


async def test_a_runner_gives_up_when_its_patience_ends(home: Path) -> None:
    settings = MemorySettings(home=home, url=f"unix://{home}/none.sock", outage_seconds=0.2)
    with pytest.raises(RedisAway):
        async with open_memory(settings, "runner"):
            pass


async def test_a_runner_restarts_the_embedded_server_itself(home: Path, memory: Memory) -> None:
    for number in range(3):
        kill_server(home)
        assert (await memory.put(RUN, "state", number, by="a")).version == number + 1


async def fill_disk(memory: Memory, home: Path) -> None:
    """Make the server refuse writes as it does on a full disk: a snapshot it wants to keep cannot be written."""
    (home / "dump.rdb").mkdir()
    await memory._wire.do("CONFIG SET", "save", "3600 1")
    await memory._wire.do("BGSAVE")

    async def refused() -> bool:
        return bool((await memory._wire.do("INFO", "persistence"))["rdb_last_bgsave_status"] == "err")

    await eventually(refused)


async def test_a_runner_waits_out_a_server_that_refuses_writes_and_a_door_says_so(home: Path, memory: Memory) -> None:
    await memory.put(RUN, "state", 1, by="a")
    await fill_disk(memory, home)
    async with open_memory(MemorySettings(home=home), "door") as door:
        assert (await door.get(RUN, "state")).value == 1  # type: ignore[union-attr]
        with pytest.raises(RedisAway, match="takes no writes now: MISCONF") as caught:
            await door.put(RUN, "state", 2, by="a")
        assert caught.value.code == "memory.refused"
    waiting = asyncio.create_task(memory.put(RUN, "state", 3, by="a", expected=1))
    assert not (await asyncio.wait([waiting], timeout=0.5))[0]
    (home / "dump.rdb").rmdir()
    await memory._wire.do("BGSAVE")
    assert (await waiting).version == 2


@pytest.mark.parametrize("patience", ["door", "runner"])
@pytest.mark.parametrize("login", [":wrong@", ""])
async def test_a_missing_or_wrong_password_is_named_at_once(home: Path, patience: Patience, login: str) -> None:
    async with open_memory(MemorySettings(home=home), "door") as memory:
        await memory._wire.do("CONFIG SET", "requirepass", "right")
        try:
            with pytest.raises(RedisAway, match="refuses this login") as caught:
                async with open_memory(MemorySettings(home=home, url=f"unix://{login}{home}/redis.sock"), patience):
                    pass
            assert caught.value.code == "memory.login"
            assert "wrong" not in caught.value.message
        finally:
            await memory._wire.do("CONFIG SET", "requirepass", "")


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "", "redis://localhost:notaport"])
async def test_an_address_that_is_none_is_refused(home: Path, url: str) -> None:
    with pytest.raises(InputError) as caught:
        async with open_memory(MemorySettings(home=home, url=url), "door"):
            pass
    assert caught.value.code == "input.redis_url"


async def test_options_in_the_address_cannot_change_the_shape_of_replies(home: Path) -> None:
    EmbeddedRedis(home).ensure()
    url = f"unix://{home}/redis.sock?decode_responses=false&protocol=3"
    async with open_memory(MemorySettings(home=home, url=url), "door") as memory:
        await memory.emit(RUN, {"a": 1}, event_id="1")
        assert [event for _, event in await memory.events(RUN)] == [{"a": 1}]


async def test_a_cancellation_is_never_lost_and_leaves_the_connection_usable(memory: Memory) -> None:
    for turns in range(15):
        waiting = asyncio.create_task(memory.events(RUN, block_ms=60_000))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        await memory.emit(RUN, {}, event_id=str(turns))  # ends the blocking read of one who was not cancelled at once
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await memory.get(RUN, "state") is None
        await memory._wire.do("DEL", f"neural/{RUN}/events")
