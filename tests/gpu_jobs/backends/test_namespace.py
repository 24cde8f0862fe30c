"""The namespace of a walled sandbox: one for all who come at once, gone when it is alone, put up again when wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gpu_jobs.backends import namespace, walls
from gpu_jobs.backends.local import LocalBackend, LocalSandbox, LocalSettings
from gpu_jobs.backends.protocol import Command, SandboxRequest
from gpu_jobs.host import processes
from memory.errors import BackendError

pytestmark = pytest.mark.needs("bwrap")
WALLS = LocalSettings(isolation="bubblewrap")


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[LocalBackend]:
    found = LocalBackend(WALLS, tmp_path / "home")
    yield found
    for info in await found.list():
        await found.destroy(info.id)


async def opened(backend: LocalBackend, tmp_path: Path) -> LocalSandbox:
    return await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "root")))


def standing(sandbox: LocalSandbox) -> list[int]:
    return processes.marked(processes.SANDBOX_MARK, sandbox.info.root)


async def gone(sandbox: LocalSandbox) -> None:
    async with asyncio.timeout(90):
        while standing(sandbox):  # noqa: ASYNC110 - it sends no event
            await asyncio.sleep(0.02)


async def test_all_who_come_at_once_share_one(backend: LocalBackend, tmp_path: Path) -> None:
    places = [await opened(LocalBackend(WALLS, tmp_path / "home"), tmp_path) for _ in range(4)]
    await opened(backend, tmp_path)
    look = Command(argv=("readlink", "/proc/self/ns/pid"), detaches=True)
    seen = await asyncio.gather(*(place.run(look) for place in places))
    assert [done.code for done in seen] == [0] * 4
    assert len({done.stdout for done in seen}) == 1
    assert len([pid for pid in standing(places[0]) if processes.namespaced(pid)[1:] == [1]]) == 1


async def test_it_leaves_when_it_is_alone_and_is_put_up_again(
    backend: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "ALONE_SECONDS", 0.2)
    sandbox = await opened(backend, tmp_path)
    process = await sandbox.start(Command(argv=("sh", "-c", "while [ ! -e go ]; do sleep 0.02; done")))
    assert (await process.poll()).state == "running"
    await sandbox.write("go", b"")
    await gone(sandbox)
    assert ((await process.poll()).state, (await process.poll()).code) == ("exited", 0)
    monkeypatch.undo()
    assert (await sandbox.run(Command(argv=("echo", "again")))).stdout == b"again\n"


async def test_commands_that_come_while_it_leaves_are_not_lost(
    backend: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "ALONE_SECONDS", 0.01)
    sandbox = await opened(backend, tmp_path)
    for number in range(25):
        done = await sandbox.run(Command(argv=("echo", str(number)), timeout=60))
        assert (done.code, done.stdout) == (0, f"{number}\n".encode()), done


async def test_walls_that_are_asked_for_and_not_to_be_had_are_an_error_and_auto_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    walls.why_not.cache_clear()
    try:
        with pytest.raises(BackendError, match="not installed") as caught:
            await opened(LocalBackend(WALLS, tmp_path / "home"), tmp_path)
        assert caught.value.code == "backend.no_walls"
        auto = await opened(LocalBackend(LocalSettings(isolation="auto"), tmp_path / "home"), tmp_path)
        assert auto.info.isolation == "none"
    finally:
        monkeypatch.undo()
        walls.why_not.cache_clear()


async def test_a_sandbox_keeps_what_it_was_opened_with(backend: LocalBackend, tmp_path: Path) -> None:
    await opened(backend, tmp_path)
    again = await opened(LocalBackend(LocalSettings(isolation="none"), tmp_path / "home"), tmp_path)
    assert again.info.isolation == "bubblewrap"
