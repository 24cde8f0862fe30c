"""Checks of a sandbox's life: opened once, found again, destroyed with all its processes, swept after a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gpu_jobs.backends.protocol import Backend, Command, Sandbox, SandboxRequest
from gpu_jobs.host import processes
from memory.errors import BackendError


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


async def test_destroying_ends_every_process(backend: Backend, sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(argv=("sh", "-c", "(setsid sleep 300 &); sleep 300")))
    assert processes.alive(process.handle)
    await backend.destroy(sandbox.info.id)
    assert processes.marked(processes.SANDBOX_MARK, sandbox.info.root) == []
    assert not processes.alive(process.handle)


async def test_a_sandbox_past_its_deadline_is_swept(backend: Backend, tmp_path: Path) -> None:
    late = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "late"), seconds=1e-6))
    await backend.open(SandboxRequest(owner="r-2", root=str(tmp_path / "good")))
    assert await backend.sweep() == (late.info.id,)
    assert [info.id for info in await backend.list()] == ["r-2.main"]


async def test_a_sandbox_whose_folder_is_gone_is_swept(backend: Backend, tmp_path: Path) -> None:
    opened = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "root")))
    process = await opened.start(Command(argv=("sleep", "300"), cwd="."))
    (tmp_path / "root").rename(tmp_path / "moved")
    assert await backend.sweep() == ("r-1.main",)
    assert not processes.alive(process.handle)


async def test_a_sandbox_is_attached_to_from_another_object(sandbox: Sandbox, another: Callable[[], Backend]) -> None:
    await sandbox.write("file", b"here")
    assert await (await another().attach(sandbox.info.id)).read("file") == b"here"
