"""Checks of `Sandbox.write` and `Sandbox.read`: whole files, inside the sandbox only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpu_jobs.backends.protocol import Command, Sandbox
from memory.errors import BackendError


async def test_what_is_written_is_read(sandbox: Sandbox) -> None:
    data = os.urandom(5 << 20)
    await sandbox.write("deep/er/file.bin", data)
    assert await sandbox.read("deep/er/file.bin") == data


async def test_a_part_is_read_from_an_offset(sandbox: Sandbox) -> None:
    await sandbox.write("file", b"0123456789")
    assert await sandbox.read("file", 4) == b"456789"
    assert await sandbox.read("file", 4, 3) == b"456"
    assert await sandbox.read("file", 100) == b""


async def test_a_file_that_is_not_there_is_none(sandbox: Sandbox) -> None:
    assert await sandbox.read("nothing") is None
    await sandbox.write("file", b"")
    assert await sandbox.read("file") == b""


async def test_a_file_is_replaced_as_a_whole(sandbox: Sandbox) -> None:
    await sandbox.write("file", b"a long first text")
    await sandbox.write("file", b"short")
    assert await sandbox.read("file") == b"short"


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "/etc/hostname"])
async def test_a_path_out_of_the_sandbox_is_refused(sandbox: Sandbox, path: str) -> None:
    with pytest.raises(BackendError, match="leads out") as caught:
        await sandbox.write(path, b"")
    assert caught.value.code == "backend.path"
    with pytest.raises(BackendError):
        await sandbox.read(path)


async def test_a_link_that_leaves_the_sandbox_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    (Path(sandbox.info.root) / "link").symlink_to(tmp_path)
    with pytest.raises(BackendError):
        await sandbox.write("link/file", b"")


@pytest.mark.parametrize("name", ["with space", "größe-Ω-日本.txt", "-dash", "quote'\"$(x)"])
async def test_a_file_may_have_any_name(sandbox: Sandbox, name: str) -> None:
    await sandbox.write(f"in/{name}", name.encode())
    assert await sandbox.read(f"in/{name}") == name.encode()


async def test_a_command_reads_what_was_written_and_we_read_what_it_wrote(sandbox: Sandbox) -> None:
    data = os.urandom(1 << 16)
    await sandbox.write("given/größe.bin", data)
    done = await sandbox.run(Command(argv=("cp", "given/größe.bin", "made.bin")))
    assert (done.code, done.stderr) == (0, b"")
    assert await sandbox.read("made.bin") == data
