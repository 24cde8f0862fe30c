"""Processes that a test would leave behind: found by the folder that they live in, and ended. Linux only."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import psutil

from gpu_jobs.host import processes

SESSION_MARK = "NEUROLOOM_TEST_SESSION"
SECONDS = 60.0


def living_in(*folders: Path) -> list[int]:
    """Processes whose environment, command or working folder names one of the folders or something inside it.

    With them goes all that they have started. Neither this process nor anyone that it stands on is among them.
    """
    names = b"|".join(re.escape(os.fsencode(folder)) for folder in folders)
    inside = re.compile(rb"(?:" + names + rb")(?![\w.-])")
    others = _others()
    named = [pid for pid in others if inside.search(_words(pid))]
    return sorted(others & {member for pid in named for member in processes.tree(pid)})


def newest_process() -> str:
    """The pid that was given last on this machine (`proc(5)`, loadavg): the same later on means nothing was started."""
    return Path("/proc/loadavg").read_text().split()[-1]


def end_all(*folders: Path) -> int:
    """Kill everything that lives in the folders, until nothing is left; the number of processes hit.

    Raises:
        AssertionError: something of it cannot be ended.
    """
    hit: set[int] = set()
    deadline = time.monotonic() + SECONDS
    while members := living_in(*folders):
        assert time.monotonic() < deadline, f"cannot be ended: {[_words(pid)[:200] for pid in members]}"
        hit |= set(members)
        processes.kill_all(members)
        time.sleep(0.005)
    return len(hit)


def of_session(session: str) -> dict[int, str]:
    """What still runs of all that a test session has started: who it is and which test started it, by pid."""
    found, others = {}, _others()
    for pid in processes.marked(SESSION_MARK, session):
        if pid in others:
            command = _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")[:160].strip()
            test = re.search(rb"\0PYTEST_CURRENT_TEST=([^\0]*)", b"\0" + _read(pid, "environ"))
            found[pid] = f"{command!r}, started by {test[1].decode() if test else 'no test'}"
    return found


def _others() -> set[int]:
    """Living processes that are neither this one nor its ancestors; zombies are nobody's any more."""
    own = {os.getpid(), *(one.pid for one in psutil.Process().parents())}
    return {pid for pid in psutil.pids() if pid not in own and processes.start_ticks(pid) is not None}


def _words(pid: int) -> bytes:
    try:
        folder = os.fsencode(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        folder = b""
    return b"\0".join([_read(pid, "environ"), _read(pid, "cmdline"), folder])


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
