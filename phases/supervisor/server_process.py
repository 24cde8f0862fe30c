"""One running server as a process that may be our child or one left by an earlier supervisor. It knows no HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_jobs.host import processes
from phases.supervisor.records import log_path
from phases.supervisor.request import DeployRequest

MARK = "NEUROLOOM_DEPLOYMENTS_OF"  # in the environment of every server: its state folder
LOG_BYTES = 10_000_000
_PIDFD_GETFD = 438  # the same number on every architecture


class ServerProcess:
    """A server that was started or adopted; `who` names the process for ever (pid, start ticks, boot)."""

    def __init__(self, who: dict[str, Any], child: subprocess.Popen[bytes] | None = None) -> None:
        self.who, self._child = who, child

    @property
    def pid(self) -> int:
        """The server's process id, which is also its session's and group's."""
        return int(self.who["pid"])

    @classmethod
    def start(cls, home: Path, request: DeployRequest, listener: socket.socket) -> ServerProcess:
        """Start the generated server on a listening socket, in a session of its own, its output to the log.

        Raises:
            OSError: The interpreter cannot be started.
        """
        log = log_path(home, request.name)
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        number = listener.fileno()
        words = [request.python, "-P", request.serve, "--fd", str(number), "--models", request.models]
        with log.open("ab") as out:
            child = subprocess.Popen(
                words,
                pass_fds=(number,),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=home,
                env=os.environ | {MARK: str(home), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        try:
            return cls(processes.identity(child.pid), child)
        except ProcessLookupError:  # gone at once
            return cls({"pid": child.pid, "ticks": -1, "boot": processes.boot_id()}, child)

    @classmethod
    def adopt(cls, who: dict[str, Any] | None) -> ServerProcess | None:
        """The server that a record names, if it still runs."""
        return cls(dict(who)) if who and processes.alive(who) else None

    def alive(self) -> bool:
        """Whether it still runs."""
        return processes.alive(self.who)

    async def ended(self) -> str:
        """Wait for its end; how it ended, as far as that is known."""
        handle = processes.watch(self.who)
        if handle is not None:
            loop, gone = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(handle, gone.set)
            try:
                await gone.wait()
            finally:
                loop.remove_reader(handle)
                os.close(handle)
        code = self._child.wait() if self._child is not None else None
        if code is None:
            return "it ended"
        return f"it was ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with status {code}"

    async def stop(self, drain: float) -> None:
        """TERM, at most `drain` seconds to finish its requests, then KILL for its whole group."""
        if drain > 0 and self.alive():
            os.kill(self.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended(), drain)
        if self.alive():
            os.killpg(self.pid, signal.SIGKILL)
        await self.ended()

    def listener(self, port: int) -> socket.socket | None:
        """A copy of the listening socket on `port` that the server holds; None where the kernel does not allow it."""
        import ctypes

        handle = processes.watch(self.who)
        if handle is None:
            return None
        try:
            for held in _sockets(self.pid):
                number = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, handle, held, 0)
                if number >= 0 and (found := _if_listening(number, port)):
                    return found
        finally:
            os.close(handle)
        return None


def end_strays(home: Path, keep: set[int]) -> list[int]:
    """Kill what an earlier supervisor of the folder started and no record keeps; their pids."""
    strays = [pid for pid in processes.marked(MARK, str(home)) if pid not in keep]
    processes.kill_all(strays)
    return strays


def _sockets(pid: int) -> list[int]:
    """Descriptors of a process that are sockets now; connections come and go while they are looked at."""
    found = []
    folder = Path(f"/proc/{pid}/fd")
    try:
        links = list(folder.iterdir())
    except OSError:
        return []
    for link in links:
        with suppress(OSError):  # closed meanwhile
            if str(link.readlink()).startswith("socket:"):
                found.append(int(link.name))
    return found


def _if_listening(number: int, port: int) -> socket.socket | None:
    """The socket with that descriptor if it listens on `port`; else the descriptor is closed."""
    found = socket.socket(fileno=number)
    try:
        listens = found.family == socket.AF_INET and found.getsockname()[1] == port
        if listens and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            os.set_inheritable(number, False)
            return found
    except OSError:
        listens = False
    found.close()
    return None
