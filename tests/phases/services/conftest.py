"""The datasets service of a workspace; the processes that its profiles started are ended."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_jobs.backends.local import LocalBackend, LocalSettings
from memory.store import MemorySettings
from phases.services.datasets import Datasets
from phases.settings import DatasetSettings, PrivacySettings, RunnerSettings


async def end_everything(home: Path) -> None:
    """Kill what runs in the sandboxes of a state folder."""
    place = LocalBackend(LocalSettings(kind="local"), home)
    for info in await place.list():
        await place.destroy(info.id)


def datasets_in(workspace: Path, home: Path, limits: DatasetSettings | None = None, *roots: Path) -> Datasets:
    """The service, as wiring makes it."""
    runner = RunnerSettings(home=home, memory=MemorySettings(home=home))
    return Datasets(workspace, runner, limits or DatasetSettings(max_mb=1, inline_kb=4), PrivacySettings(roots=roots))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The folder that a person works in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def datasets(workspace: Path) -> Iterator[Datasets]:
    """The service with small limits."""
    home = Path(tempfile.mkdtemp(prefix="nl-"))
    try:
        yield datasets_in(workspace, home)
    finally:
        asyncio.run(end_everything(home))
        shutil.rmtree(home, ignore_errors=True)
