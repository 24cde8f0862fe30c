"""Checks of a sandbox's life: opened once, found again, destroyed with all its processes, swept after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gpu_jobs.backends.protocol import Backend, Command, Finished, Process, Sandbox, SandboxRequest
from gpu_jobs.host import processes
from memory.errors import BackendError
from tests.gpu_jobs.backends.runaway import RUNAWAY, begun, lives, up


async def ended(process: Process) -> bool:
    """Whether it runs no more; where its sandbox is gone and cannot be asked, by its own record."""
    try:
        return (await process.poll()).state != "running"
    except BackendError:
        return not processes.alive(dict(process.handle))


async def test_opening_twice_is_opening_once(backend: Backend, tmp_path: Path) -> None:
    request = SandboxRequest(owner="r-1", root=str(tmp_path / "root"))
    one, two = await backend.open(request), await backend.open(request)
    assert one.info.id == two.info.id and one.info.created == two.info.created
    assert len(await backend.list()) == 1


async def test_opening_a_name_again_with_another_root_is_refused(backend: Backend, tmp_path: Path) -> None:
    await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "root")))
    with pytest.raises(BackendError) as caught:
        await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "other")))
    assert caught.value.code == "backend.taken"


async def test_sandboxes_are_listed_by_owner(backend: Backend, tmp_path: Path) -> None:
    for owner, label in (("r-1", "main"), ("r-1", "node-2"), ("r-2", "main")):
        await backend.open(SandboxRequest(owner=owner, label=label, root=str(tmp_path / owner / label)))
    assert sorted(info.id for info in await backend.list("r-1")) == ["r-1.main", "r-1.node-2"]
    assert len(await backend.list()) == 3


async def test_an_unknown_sandbox_is_refused_by_name(backend: Backend) -> None:
    with pytest.raises(BackendError, match=r"r-9\.main") as caught:
        await backend.attach("r-9.main")
    assert caught.value.code == "backend.no_sandbox"


async def test_a_destroyed_sandbox_is_gone_and_destroying_again_is_nothing(backend: Backend, sandbox: Sandbox) -> None:
    await backend.destroy(sandbox.info.id)
    assert await backend.list() == []
    await backend.destroy(sandbox.info.id)


async def test_destroying_ends_every_process(backend: Backend, sandbox: Sandbox, tmp_path: Path) -> None:
    process = await sandbox.start(Command(argv=("sh", "-c", RUNAWAY)))
    await begun(sandbox, process)
    await backend.destroy(sandbox.info.id)
    assert await ended(process)
    again = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "root")))
    assert await up(again) and not await lives(again)
    await backend.destroy(again.info.id)
    assert processes.marked(processes.SANDBOX_MARK, sandbox.info.root) == []


async def test_a_command_ends_with_its_sandbox(backend: Backend, sandbox: Sandbox) -> None:
    running = asyncio.create_task(sandbox.run(Command(argv=("sh", "-c", RUNAWAY), timeout=120)))
    await begun(sandbox, running)
    await backend.destroy(sandbox.info.id)
    async with asyncio.timeout(60):
        done = (await asyncio.gather(running, return_exceptions=True))[0]
    assert isinstance(done, BackendError) or (isinstance(done, Finished) and done.code != 0 and not done.timed_out)


async def test_a_sandbox_past_its_deadline_is_swept(backend: Backend, tmp_path: Path) -> None:
    late = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "late"), seconds=1e-6))
    good = await backend.open(SandboxRequest(owner="r-2", root=str(tmp_path / "good")))
    assert good.info.deadline > late.info.deadline
    assert await backend.sweep() == (late.info.id,)
    assert [info.id for info in await backend.list()] == ["r-2.main"]


async def test_a_sandbox_whose_folder_is_gone_is_swept(backend: Backend, tmp_path: Path) -> None:
    opened = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "root")))
    process = await opened.start(Command(argv=("sleep", "300"), cwd="."))
    (tmp_path / "root").rename(tmp_path / "moved")
    assert await backend.sweep() == ("r-1.main",)
    assert await ended(process)


async def test_no_command_outlives_the_deadline_of_its_sandbox(backend: Backend, tmp_path: Path) -> None:
    short = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "root"), seconds=2.0))
    done = await short.run(Command(argv=("sleep", "300")))
    assert done.timed_out and done.code == -9
    assert short.info.id in await backend.sweep()


async def test_a_sandbox_is_attached_to_from_another_object(sandbox: Sandbox, another: Callable[[], Backend]) -> None:
    await sandbox.write("file", b"here")
    assert await (await another().attach(sandbox.info.id)).read("file") == b"here"
