"""Checks of a backend that breaks down in the middle: it is told as a loss, and what comes after works again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gpu_jobs.backends.protocol import Backend, Command, Sandbox, SandboxRequest
from memory.errors import BackendError
from tests.gpu_jobs.backends.rows import Row
from tests.gpu_jobs.backends.runaway import until


async def test_a_process_whose_place_broke_down_is_lost_and_not_a_success(row: Row, sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(argv=("sleep", "300")))
    assert (await process.poll()).state == "running"
    row.lose(sandbox)

    async def gone() -> bool:
        return (await process.poll()).state != "running"

    await until(gone)
    state = await process.poll()
    assert (state.state, state.code) == ("lost", None)


async def test_after_a_break_down_the_sandbox_opens_and_works_again(
    row: Row, backend: Backend, sandbox: Sandbox, tmp_path: Path
) -> None:
    await sandbox.write("kept", b"kept")
    await sandbox.start(Command(argv=("sleep", "300")))
    row.lose(sandbox)
    again = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "root")))
    assert again.info.id == sandbox.info.id
    assert (await again.run(Command(argv=("echo", "up"), timeout=90))).stdout == b"up\n"
    assert await again.read("kept") == b"kept"


async def test_a_folder_that_is_gone_is_told(sandbox: Sandbox) -> None:
    shutil.rmtree(sandbox.info.root)
    with pytest.raises(BackendError) as caught:
        await sandbox.run(Command(argv=("true",)))
    assert caught.value.code == "backend.no_root"
