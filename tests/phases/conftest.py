"""A state folder with its embedded Redis, and services as a door gets them, without a runner."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from memory.embedded import EmbeddedRedis
from memory.store import Memory, MemorySettings, open_memory
from phases.request import RunRequest
from phases.services.runs import Runs
from phases.settings import RunnerSettings


@pytest.fixture
def home() -> Iterator[Path]:
    """A state folder with a short path: a Unix socket's is at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="nl-"))
    try:
        yield folder
    finally:
        EmbeddedRedis(folder).stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def memory(home: Path) -> AsyncIterator[Memory]:
    """Memory as a door opens it."""
    async with open_memory(MemorySettings(home=home, lease_seconds=1.0), "door") as opened:
        yield opened


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small table: two numbers, a category and a class."""
    rows = [f"{i % 7},{(i * 37) % 11},{'ab'[i % 2]},{'yes' if (i % 7) > 3 else 'no'}" for i in range(240)]
    path = tmp_path / "small.csv"
    path.write_text("x,y,kind,left\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def request_of(table: Path, tmp_path: Path) -> RunRequest:
    """A request for that table."""
    return RunRequest(data=str(table), target="left", workspace=str(tmp_path), deploy=False)


@pytest.fixture
def runs(memory: Memory, home: Path, tmp_path: Path) -> Runs:
    """The runs service of a workspace in which no runner is ever started."""
    settings = RunnerSettings(home=home, memory=memory.settings)
    return Runs(memory, str(tmp_path), lambda: None, settings)
