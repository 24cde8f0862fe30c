"""Processes named so that a recycled pid is never hit; a job's whole tree found and killed. Linux only."""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

PAGE = os.sysconf("SC_PAGE_SIZE")
JOB_MARK = "NEUROLOOM_JOB"
FOLDER_MARK = "NEUROLOOM_JOB_FOLDER"
SANDBOX_MARK = "NEUROLOOM_SANDBOX"


def boot_id() -> str:
    """The kernel's name for this boot: a pid of another boot is nobody's."""
    return _text("/proc/sys/kernel/random/boot_id").strip()


def start_ticks(pid: int) -> int | None:
    """Clock ticks from boot to a process's start (`proc(5)`, stat field 22); None when gone or a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def identity(pid: int) -> dict[str, Any]:
    """Pid, start ticks and boot id: together they name one process for ever.

    Raises:
        ProcessLookupError: There is no such process.
    """
    ticks = start_ticks(pid)
    if ticks is None:
        raise ProcessLookupError(f"no process {pid}")
    return {"pid": pid, "ticks": ticks, "boot": boot_id()}


def alive(who: Mapping[str, Any] | None) -> bool:
    """Whether the process of an `identity` still runs; a zombie does not."""
    if not who or not isinstance(who.get("pid"), int) or who.get("boot") != boot_id():
        return False
    return start_ticks(who["pid"]) == who.get("ticks")


def watch(who: Mapping[str, Any]) -> int | None:
    """A pidfd of the process of an `identity`, also when it is not our child; None when it is gone."""
    try:
        handle = os.pidfd_open(who["pid"])
    except ProcessLookupError:
        return None
    if alive(who):
        return handle
    os.close(handle)
    return None


def tree(leader: int) -> list[int]:
    """The leader, its session and all below it by parent links; the leader must not have been reaped."""
    rows = {pid: (int(fields[1]), int(fields[3])) for pid in _pids() if (fields := _stat(pid))}
    found = {leader} & rows.keys() | {pid for pid, (_, session) in rows.items() if session == leader}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in rows.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return sorted(found)


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    return [other for other in _pids() if (fields := _stat(other)) and int(fields[1]) == pid]


def namespaced(pid: int) -> list[int]:
    """A process's numbers, from ours to the one that it has in its own pid namespace; empty when it is gone."""
    lines = _text(f"/proc/{pid}/status").splitlines()
    return next(([int(word) for word in line.split()[1:]] for line in lines if line.startswith("NSpid:")), [])


def marked(name: str, value: str) -> list[int]:
    """Processes that were started with `name=value` in their environment, whatever their session."""
    wanted = f"{name}={value}".encode()
    return [pid for pid in _pids() if wanted in _bytes(f"/proc/{pid}/environ").split(b"\0")]


def holders(path: Path) -> list[int]:
    """Processes that have this file open: a fork keeps the job's lock, though not its environment mark."""
    wanted = str(path)
    return [pid for pid in _pids() if any(link == wanted for link in _links(pid))]


def job_members(folder: Path, leader: int | None = None) -> list[int]:
    """Every living process of the job in `folder`: by session, parent links, environment mark and held lock.

    Args:
        folder: The job's folder, absolute.
        leader: The job's process, only where the caller knows that the pid is still its own.
    """
    found = set(marked(FOLDER_MARK, str(folder))) | set(holders(folder / "lock"))
    if leader is not None:
        found |= set(tree(leader))
    return sorted(pid for pid in found - {os.getpid()} if start_ticks(pid) is not None)


def kill_job(folder: Path, leader: int | None = None) -> int:
    """Kill the whole tree of a job, until nothing of it is left; the number of processes hit.

    All are stopped before any is killed: one that sees another die may not answer by forking.
    """
    hit: set[int] = set()
    for _ in range(200):
        members = job_members(folder, leader)
        if not members:
            break
        hit |= set(members)
        _signal_all(members, signal.SIGSTOP)
        kill_all(members)
        time.sleep(0.005)
    return len(hit)


def close_descriptors(keep: set[int]) -> None:
    """Close everything above standard error but `keep`: a fork must not hold its parent's locks and pipes."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        number = int(name)
        if number > 2 and number not in keep:
            try:
                os.close(number)
            except OSError:
                continue  # the descriptor of the listing itself


def kill_all(pids: list[int]) -> None:
    """SIGKILL to each that still exists."""
    _signal_all(pids, signal.SIGKILL)


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def resident_bytes(pids: list[int]) -> int:
    """Memory of the processes with shared pages counted for each: cheap, and never too low."""
    pages = (_text(f"/proc/{pid}/statm").split() for pid in pids)
    return sum(int(fields[1]) for fields in pages if fields) * PAGE


def proportional_bytes(pids: list[int]) -> int:
    """Memory of the processes with shared pages split among their users (PSS): right, and slower to read."""
    total = 0
    for pid in pids:
        lines = _text(f"/proc/{pid}/smaps_rollup").splitlines()
        sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")]
        total += sizes[0] if sizes else resident_bytes([pid])
    return total


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since boot (`/proc/vmstat`)."""
    for line in _text("/proc/vmstat").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - 10 x faster than Path


def _stat(pid: int) -> list[str] | None:
    """Fields of `/proc/<pid>/stat` after the name: state, parent, group, session, ..."""
    return _text(f"/proc/{pid}/stat").rpartition(")")[2].split() or None


def _links(pid: int) -> Iterator[str]:
    try:
        names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115
        except OSError:
            continue


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""


def _text(path: str) -> str:
    return _bytes(path).decode(errors="replace")
