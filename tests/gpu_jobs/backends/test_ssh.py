"""What is the ssh backend's own: who is let in, what a lost connection does, what is made there once."""

from __future__ import annotations

import asyncio
import getpass
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.backends import far_code, far_place
from gpu_jobs.backends.protocol import Command, SandboxRequest
from gpu_jobs.backends.ssh import SshBackend
from gpu_jobs.backends.ssh_connect import connect
from gpu_jobs.backends.ssh_settings import SshSettings
from gpu_jobs.host import processes
from memory.errors import BackendError
from tests.gpu_jobs.backends.rows import leave_nothing
from tests.sshd import Sshd

pytestmark = pytest.mark.needs("sshd")
WITHOUT = "import sys; sys.modules['asyncssh'] = None\n"


@pytest.fixture
async def far(sshd: Sshd) -> AsyncIterator[SshBackend]:
    backend = SshBackend(sshd.settings(), waits=(0.1, 0.2))
    yield backend
    await leave_nothing(backend)


def said(*words: str | Path) -> str:
    """What a command prints."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


async def refused(settings: SshSettings) -> BackendError:
    """The error of a try to get in."""
    with pytest.raises(BackendError) as caught:
        await connect(settings, waits=(0.01,))
    return caught.value


async def test_an_unknown_host_key_is_an_error_that_shows_it_and_the_setting_that_accepts_it(
    sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "nobody").touch()
    error = await refused(sshd.settings(known_hosts=str(tmp_path / "nobody")))
    fingerprint = said("ssh-keygen", "-lf", sshd.folder / "host_key.pub").split()[1]
    assert error.code == "backend.unknown_host_key" and fingerprint in error.message
    assert error.fix is not None and f"NEUROLOOM_SSH_FINGERPRINT={fingerprint}" in error.fix
    accepted = await connect(sshd.settings(known_hosts=str(tmp_path / "nobody"), fingerprint=fingerprint))
    accepted.abort()
    await accepted.wait_closed()
    another = "SHA256:" + "x" * 43
    assert (await refused(sshd.settings(known_hosts=str(tmp_path / "nobody"), fingerprint=another))).code == error.code


async def test_a_key_that_is_not_let_in_is_said_at_once(sshd: Sshd, tmp_path: Path) -> None:
    said("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "stranger")
    error = await refused(sshd.settings(identity=str(tmp_path / "stranger")))
    assert error.code == "backend.denied" and f"{getpass.getuser()}@127.0.0.1" in str(error.fix)
    assert (await refused(sshd.settings(identity=str(tmp_path / "no-such-key")))).code == "backend.denied"


async def test_a_machine_that_does_not_answer_is_tried_again_and_then_named(sshd: Sshd, unused_tcp_port: int) -> None:
    settings = sshd.settings().model_copy(update={"port": unused_tcp_port})
    error = await refused(settings)
    assert error.code == "backend.unreachable" and "2 tries" in error.message and str(unused_tcp_port) in error.message


async def test_no_machine_is_named(sshd: Sshd) -> None:
    error = await refused(sshd.settings(host=None))
    assert error.code == "backend.no_host" and "NEUROLOOM_SSH_HOST" in str(error.fix)


def test_without_the_library_the_error_names_the_command_that_installs_it(sshd: Sshd) -> None:
    settings = sshd.settings().model_dump_json()
    program = f"""{WITHOUT}
import asyncio
from gpu_jobs.backends.protocol import SandboxRequest
from gpu_jobs.backends.ssh import SshBackend
from gpu_jobs.backends.ssh_settings import SshSettings
asyncio.run(SshBackend(SshSettings.model_validate_json({settings!r})).open(SandboxRequest(owner="r-1")))
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True)
    assert done.returncode == 1 and "which is not installed" in done.stderr.splitlines()[-1]


async def test_a_lost_connection_is_said_and_what_was_started_is_found_again(
    far: SshBackend, sshd: Sshd, eventually: Any
) -> None:
    sandbox = await far.open(SandboxRequest(owner="r-1"))
    root = Path(sandbox.info.root)
    process = await sandbox.start(Command(argv=("sh", "-c", "while [ ! -e go ]; do sleep 0.05; done; echo went")))
    waiting = asyncio.create_task(sandbox.run(Command(argv=("sh", "-c", "echo $$ > pid; exec sleep 300"))))
    await eventually(lambda: (root / "pid").exists() and (root / "pid").read_text().endswith("\n"))
    assert sshd.cut() > 0
    with pytest.raises(BackendError) as caught:
        await waiting
    assert caught.value.code == "backend.lost"
    doomed = int((root / "pid").read_text())
    await eventually(lambda: processes.start_ticks(doomed) is None)  # what was run to the end goes with who waits
    assert (await process.poll()).state == "running"  # the same object: it has connected again
    again = (await far.attach(sandbox.info.id)).process(process.handle)
    await sandbox.write("go", b"")
    assert b"".join([chunk async for chunk in again.stream()]) == b"went\n"
    assert (await again.poll()).code == 0


async def test_a_folder_that_was_not_named_is_a_copy_and_goes_with_the_sandbox(far: SshBackend) -> None:
    sandbox = await far.open(SandboxRequest(owner="r-1"))
    await sandbox.write("a/file", b"a copy")
    assert Path(sandbox.info.root).is_dir()
    await far.destroy(sandbox.info.id)
    assert not Path(sandbox.info.root).exists()


async def test_our_code_is_sent_once_and_the_facts_are_the_far_machines(far: SshBackend, sshd: Sshd) -> None:
    facts, place = await far.facts(), await far.place()
    assert facts["cores"] >= 1 and facts["disk_free_mb"] > 0 and isinstance(facts["gpus"], list)
    assert place.code == str(sshd.root / far_code.packed_code()[0])
    made = (Path(place.code) / ".whole").stat().st_mtime_ns
    await far.close()
    await far.facts()
    assert (Path(place.code) / ".whole").stat().st_mtime_ns == made
    assert [path.name for path in sshd.root.glob("code-*")] == [Path(place.code).name]


async def test_an_interpreter_that_lacks_libraries_is_refused_by_their_names(sshd: Sshd) -> None:
    connection = await connect(sshd.settings())
    try:
        wanted = {"pydantic": far_code.versions()["pydantic"], "no-such-library": "1.0"}
        with pytest.raises(BackendError, match="lacks no-such-library") as caught:
            await far_place.prepare(connection, sshd.settings(), wanted)
        assert caught.value.code == "backend.no_libraries"
        older = await far_place.prepare(connection, sshd.settings(), {"pydantic": "2.0"})
        assert older.differing == {"pydantic": far_code.versions()["pydantic"]}
        with pytest.raises(BackendError) as caught:
            await far_place.prepare(connection, sshd.settings(python="/no/such/python"))
        assert caught.value.code == "backend.no_python"
    finally:
        connection.abort()
        await connection.wait_closed()


@pytest.mark.needs("package index")
async def test_without_an_interpreter_an_environment_is_made_there_once(sshd: Sshd) -> None:
    connection = await connect(sshd.settings())
    try:
        settings = sshd.settings(python=None)
        place = await far_place.prepare(connection, settings, {"psutil": far_code.versions()["psutil"]})
        version = said(place.python, "-c", "import psutil; print(psutil.__version__)").strip()
        assert version == far_code.versions()["psutil"]
        listed = Path(place.python).parents[1] / "requirements.txt"
        before = listed.stat().st_mtime_ns
        assert await far_place.prepare(connection, settings, {"psutil": far_code.versions()["psutil"]}) == place
        assert listed.stat().st_mtime_ns == before
    finally:
        connection.abort()
        await connection.wait_closed()


async def test_a_connection_that_goes_while_it_is_made_is_lost_and_not_a_machine_without_python(sshd: Sshd) -> None:
    connection = await connect(sshd.settings())
    assert sshd.cut() > 0
    try:
        with pytest.raises(BackendError) as caught:
            await far_place.prepare(connection, sshd.settings())
        assert caught.value.code == "backend.lost"
    finally:
        connection.abort()
        await connection.wait_closed()
