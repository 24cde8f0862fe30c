"""State folders with real servers in them: each test gets its own, and no server outlives its test."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from memory.embedded import EmbeddedRedis, find_servers
from memory.records import MemorySettings
from memory.store import Memory, open_memory
from tests.leftovers import end_all


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="nl-"))
    yield folder
    EmbeddedRedis(folder).stop()
    end_all(folder)
    shutil.rmtree(folder)


@pytest.fixture
def settings(home: Path) -> MemorySettings:
    return MemorySettings(home=home, lease_seconds=0.4)


@pytest.fixture
async def memory(settings: MemorySettings) -> AsyncIterator[Memory]:
    async with open_memory(settings, "runner") as opened:
        yield opened


def server_of(major: int) -> Path:
    """A redis-server of that major version on this machine."""
    found = [path for path, version in find_servers().items() if version[0] == major]
    if not found:
        pytest.skip(f"no redis-server {major} here")
    return found[0]


def kill_server(home: Path) -> None:
    """Kill -9 the embedded server of a state folder, and wait for its end."""
    pid = int((home / "redis.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    while EmbeddedRedis(home).alive():
        time.sleep(0.001)


class LossyProxy:
    """A Unix socket in front of a server that can lose the reply to the next script, after it ran."""

    def __init__(self, home: Path) -> None:
        self.url = f"unix://{home / 'lossy.sock'}"
        self.lost = 0
        self._home, self._lose, self._open = home, False, set[asyncio.StreamWriter]()

    def lose_next(self) -> None:
        self._lose = True

    async def __aenter__(self) -> LossyProxy:
        self._server = await asyncio.start_unix_server(self._serve, self._home / "lossy.sock")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, commands = await asyncio.open_unix_connection(str(self._home / "redis.sock"))
        self._open |= {writer, commands}
        while asked := await reader.read(1 << 20):
            commands.write(asked)
            answer = await answers.read(1 << 20)
            if self._lose and b"EVALSHA" in asked and not answer.startswith(b"-"):
                self._lose, self.lost = False, self.lost + 1
                break
            writer.write(answer)
        writer.close()
        commands.close()
        self._open -= {writer, commands}


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds; a test that waits in vain fails after a minute and a half."""
    async with asyncio.timeout(90):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.005)
