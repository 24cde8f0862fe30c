"""Checks of walls: from inside a sandbox nothing of the machine is to be had but what was given."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from gpu_jobs.backends.protocol import Backend, Command, Finished, Sandbox, SandboxRequest
from gpu_jobs.host import processes

PYTHON = (sys.executable, "-P", "-c")
SECRET = "s3cret-of-the-person"


async def python(sandbox: Sandbox, script: str, *words: str) -> Finished:
    return await sandbox.run(Command(argv=(*PYTHON, script, *words), timeout=90))


async def test_the_network_outside_is_closed(sandbox: Sandbox) -> None:
    script = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = await python(sandbox, script, str(server.getsockname()[1]))
    assert done.code == 1 and b"refused" in done.stderr
    names = await python(sandbox, "import socket; print([name for _, name in socket.if_nameindex()])")
    assert names.stdout.strip() == b"['lo']"


async def test_its_own_loopback_is_open(sandbox: Sandbox) -> None:
    script = (
        "import socket; server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname(), 20).sendall(b'hello'); print(server.accept()[0].recv(9))"
    )
    done = await python(sandbox, script)
    assert (done.code, done.stdout) == (0, b"b'hello'\n")


async def test_files_outside_are_closed(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "private").write_text(SECRET)
    for path in (tmp_path / "private", Path("/etc/shadow"), tmp_path / "home/sandboxes/r-1.main.json"):
        assert path.exists()
        assert (await sandbox.run(Command(argv=("ls", str(path))))).code == 2
    assert (await sandbox.run(Command(argv=("ls", "-A", str(Path.home()))))).stdout in (b"", b".pyenv\n")


async def test_another_sandbox_is_closed(backend: Backend, sandbox: Sandbox, tmp_path: Path) -> None:
    other = await backend.open(SandboxRequest(owner="r-2", root=str(tmp_path / "other")))
    await other.write("data/private", SECRET.encode())
    done = await sandbox.run(Command(argv=("cat", str(tmp_path / "other/data/private"))))
    assert done.code == 1 and done.stdout == b""


async def test_nothing_outside_can_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    for folder in (sys.prefix, "/usr/lib", "/etc", str(Path(processes.__file__).parent), str(tmp_path)):
        path = Path(folder) / f"neuroloom-test-{os.getpid()}"
        try:
            assert (await sandbox.run(Command(argv=("touch", str(path))))).code in (0, 1)
            assert not path.exists()
        finally:
            path.unlink(missing_ok=True)


async def test_secrets_of_our_environment_stay_outside(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "NEUROLOOM_REDIS_URL", "TORCH_HUB_TOKEN", "MY_OWN"):
        monkeypatch.setenv(name, SECRET)
    done = await sandbox.run(Command(argv=("sh", "-c", "env; cat /proc/*/environ"), env={"GIVEN": "given"}))
    assert b"GIVEN=given" in done.stdout
    assert SECRET.encode() not in done.stdout


async def test_processes_outside_are_neither_seen_nor_signalled(sandbox: Sandbox) -> None:
    done = await sandbox.run(Command(argv=("sh", "-c", f"ls /proc | grep -c '^[0-9]'; kill -0 {os.getpid()}")))
    assert int(done.stdout) < 10
    assert done.code != 0


async def test_no_capability_and_no_new_namespace_is_to_be_had(sandbox: Sandbox) -> None:
    script = "grep -E 'CapEff|CapPrm|NoNewPrivs' /proc/self/status; unshare --user true || echo refused"
    done = await sandbox.run(Command(argv=("sh", "-c", script)))
    lines = dict(line.split(":\t") for line in done.stdout.decode().splitlines()[:3])
    assert lines == {"CapPrm": "0" * 16, "CapEff": "0" * 16, "NoNewPrivs": "1"}
    assert done.stdout.endswith(b"refused\n")


async def test_the_temporary_folder_is_its_own(sandbox: Sandbox) -> None:
    mark = Path("/tmp") / f"neuroloom-test-{os.getpid()}"
    try:
        assert (await sandbox.run(Command(argv=("touch", str(mark))))).code == 0
        assert not mark.exists()
    finally:
        mark.unlink(missing_ok=True)


async def test_what_is_given_can_be_read_and_not_written(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n")
    request = SandboxRequest(owner="r-1", root=str(tmp_path / "root"), reads=(str(tmp_path / "table.csv"),))
    sandbox = await backend.open(request)
    try:
        again = await backend.open(request.model_copy(update={"reads": ()}))
        for one in (sandbox, again):
            assert (await one.run(Command(argv=("cat", str(tmp_path / "table.csv"))))).stdout == b"a,b\n"
        done = await sandbox.run(Command(argv=("sh", "-c", f"echo x > {tmp_path}/table.csv")))
        assert done.code != 0
        assert (tmp_path / "table.csv").read_text() == "a,b\n"
    finally:
        await backend.destroy(sandbox.info.id)
