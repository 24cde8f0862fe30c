"""A real sshd on loopback, with keys of its own and no rights but those of who runs the tests."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from gpu_jobs.backends.ssh_settings import SshSettings

SECONDS = 60.0
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
"""


@dataclass(frozen=True)
class Sshd:
    """A running sshd.

    Attributes:
        port: Where it listens.
        folder: Its keys, and the root of what we keep "there".
        process: The process itself.
    """

    port: int
    folder: Path
    process: psutil.Process

    @property
    def root(self) -> Path:
        """Our folder on the far machine, which is this one."""
        return self.folder / "far"

    def settings(self, **changes: str | None) -> SshSettings:
        """How to get in; this environment's interpreter is the one that has everything."""
        given: dict[str, str | int | None] = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "identity": str(self.folder / "key"),
            "known_hosts": str(self.folder / "known_hosts"),
            "root": str(self.root),
            "python": sys.executable,
        }
        return SshSettings.model_validate({**given, **changes})

    def cut(self) -> int:
        """Kill every connection's own process, the hard way, and not what was started through it; how many."""
        sessions = self.process.children(recursive=True)
        ours = [one for one in sessions if one.name().startswith("sshd")]
        for one in ours:
            one.kill()
        return len(ours)


@contextmanager
def an_sshd(folder: Path) -> Iterator[Sshd]:
    """Start it, wait until it answers, and end it with every connection."""
    for name in ("host_key", "key"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # root's sshd wants it; the system's unit makes the same
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    key = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(key)}\n")
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    words = [
        str(shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")),
        "-D",
        "-e",
        "-f",
        str(folder / "config"),
    ]
    with (folder / "sshd.log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as started:
        found = Sshd(port, folder, psutil.Process(started.pid))
        try:
            _answers(found)
            yield found
        finally:
            found.cut()
            started.kill()


def _answers(sshd: Sshd) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", sshd.port), timeout=SECONDS) as one:
                assert one.recv(4) == b"SSH-"
                return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline and sshd.process.is_running(), (sshd.folder / "sshd.log").read_text()
            time.sleep(0.02)
