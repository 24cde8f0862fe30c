"""The process namespace of one walled sandbox: kept standing, entered, seen from outside, ended. It knows no mounts.

One small process stands inside and holds the namespace, so that a job host that was killed is followed by one that sees
its jobs. It leaves when it is alone; whoever enters holds a lock meanwhile. Ending the namespace's first process ends
everything inside at once, whatever it does.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from gpu_jobs.backends.walls import Walls
from gpu_jobs.host import processes
from memory.errors import BackendError

OWNER_OF_NAMESPACE = 0xB701  # ioctl_ns(2): NS_GET_USERNS
MAKE = ("--unshare-all", "--unshare-user", "--disable-userns")
APART = ("--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
DETACH = '"$@" </dev/null >/dev/null &'
STAND = (
    'exec 9<"$0"; others() { set -- /proc/[0-9]*; [ $# -gt 2 ]; }; while sleep "$1"; do '
    "others || { flock -xn 9 && { others || exit 0; flock -u 9; }; }; done"
)
ALONE_SECONDS = 20
WAIT_SECONDS = 60.0
PAUSE = 0.002


class Namespace:
    """Where a sandbox's processes see only each other.

    Args:
        walls: What its processes see otherwise; its lock is this namespace's file.
        mark: Environment of its first process, to be found by.
    """

    def __init__(self, walls: Walls, mark: Mapping[str, str]) -> None:
        self.walls = walls
        self._file = Path(walls.lock)
        self._mark = dict(mark)
        self._seen: dict[tuple[int, int], int] = {}

    @asynccontextmanager
    async def entered(self, argv: tuple[str, ...], cwd: str, apart: bool) -> AsyncIterator[tuple[list[str], list[int]]]:
        """The command line that runs `argv` inside, and the descriptors that it needs; made standing where it is not.

        Args:
            argv: Program and arguments.
            cwd: Folder, absolute.
            apart: In a namespace of its own below this one: then nothing that it leaves outlives it.

        Raises:
            BackendError: `backend.walls`.
        """
        lock = await asyncio.to_thread(self._enter)
        held = [lock]
        try:
            held += self._descriptors()
            options = ["--userns", str(held[1]), "--pidns", str(held[3]), *APART]
            if os.fstat(held[1]).st_ino != os.fstat(held[2]).st_ino:
                options += ["--userns2", str(held[2])]
            yield self.walls.command([*options, *(["--unshare-pid"] if apart else [])], argv, cwd), held[1:]
        finally:
            for descriptor in held:
                os.close(descriptor)

    def outside(self, who: Mapping[str, Any]) -> dict[str, Any] | None:
        """The identity, as this process sees it, of one that its inhabitants know by `who`; None when it is gone."""
        known = self._standing()
        pid, ticks = who.get("pid"), who.get("ticks")
        if known is None or not isinstance(pid, int) or not isinstance(ticks, int):
            return None
        key = (pid, ticks)
        if processes.start_ticks(self._seen.get(key, 0)) != ticks:
            found = _outer(pid, ticks, known["stander"]["pid"])
            if found is None:
                self._seen.pop(key, None)
                return None
            self._seen[key] = found
        return {**who, "pid": self._seen[key]}

    def end(self) -> None:
        """Kill everything inside, at once."""
        known = _parsed(self._file)
        deadline = time.monotonic() + WAIT_SECONDS
        while known is not None and processes.alive(known["init"]) and time.monotonic() < deadline:
            processes.kill_all([known["init"]["pid"]])
            time.sleep(PAUSE)
        self._file.unlink(missing_ok=True)

    def _standing(self) -> dict[str, Any] | None:
        known = _parsed(self._file)
        lives = known is not None and processes.alive(known["init"]) and processes.alive(known["stander"])
        return known if lives else None

    def _enter(self) -> int:
        """A descriptor that holds the lock, with the namespace standing."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
            shared = self._standing() is not None
            if _locked(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX) and _current(handle, self._file):
                if shared and self._standing() is not None:
                    return handle
                if not shared and self._standing() is None:
                    os.pwrite(handle, json.dumps(self._stand()).encode() + b"\n", 0)
            else:
                time.sleep(PAUSE)
            os.close(handle)
        raise _failed(f"its lock {str(self._file)!r} is held by something inside")

    def _descriptors(self) -> list[int]:
        """The user namespace that owns the process namespace, the one to end up in, the process namespace."""
        known = self._standing()
        if known is None:
            raise _failed("what holds them was killed")
        folder = f"/proc/{known['stander']['pid']}/ns"
        user, space = os.open(f"{folder}/user", os.O_RDONLY), os.open(f"{folder}/pid", os.O_RDONLY)
        return [fcntl.ioctl(space, OWNER_OF_NAMESPACE), user, space]

    def _stand(self) -> dict[str, Any]:
        log = self._file.with_suffix(".log")
        told, tells = os.pipe()
        stander = ("sh", "-c", STAND, str(self._file), str(ALONE_SECONDS))
        wrapped = self.walls.command([*MAKE, "--info-fd", str(tells)], stander)
        with log.open("wb") as errors, os.fdopen(told, "rb") as answer:
            command = ["sh", "-c", DETACH, "sh", *wrapped]
            env = self.walls.environment(self._mark)
            subprocess.run(command, pass_fds=[tells], env=env, stderr=errors, start_new_session=True, check=True)
            os.close(tells)
            said = answer.read()
        try:
            return _stood(int(json.loads(said)["child-pid"]))
        except (ValueError, LookupError, TimeoutError) as problem:
            raise _failed(log.read_text(errors="replace").strip()[-300:] or str(problem)) from problem
        finally:
            log.unlink(missing_ok=True)


def _stood(init: int) -> dict[str, Any]:
    """Who holds the namespace, once its program runs: before that it may not be looked into."""
    first = processes.identity(init)
    deadline = time.monotonic() + WAIT_SECONDS
    while processes.alive(first) and time.monotonic() < deadline:
        for pid in processes.children(init):
            if _name(pid) == "sh":
                with suppress(ProcessLookupError):
                    return {"init": first, "stander": processes.identity(pid)}
        time.sleep(PAUSE)
    raise TimeoutError("its first process ended")


def _outer(pid: int, ticks: int, stander: int) -> int | None:
    """The pid out here of the process that is `pid` in the namespace of `stander`."""
    level, space = len(processes.namespaced(stander)), _space(stander)
    for name in os.listdir("/proc"):  # noqa: PTH208 - as in processes
        if not name.isdigit():
            continue
        seen = processes.namespaced(int(name))
        same = len(seen) == level and seen[-1] == pid and processes.start_ticks(int(name)) == ticks
        if same and _space(int(name)) == space:
            return int(name)
    return None


def _space(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115
    except OSError:
        return ""


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _current(handle: int, path: Path) -> bool:
    """Whether the descriptor is of the file that is there now: `end` takes it away."""
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _parsed(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes().partition(b"\n")[0])
        return value if {"init", "stander"} <= value.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def _failed(why: str) -> BackendError:
    return BackendError(f"bubblewrap's walls do not stand: {why}", code="backend.walls", fix="neuroloom doctor")
