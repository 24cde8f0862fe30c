"""A control group per job that holds its memory, where a group was given to us. It never splits another's.

Groups have one owner (systemd: "single-writer rule"), and root may write everywhere: "writable" says nothing.
A group is used when its path is given, or when our own group is marked as delegated (`user.delegate`) or is our
own unprivileged user's. Both hierarchies: v2 (`memory.max`) and v1 (`memory.limit_in_bytes`).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
MB = 1_000_000


class Group:
    """One job's control group.

    Args:
        folder: The group's folder in the hierarchy.
        unified: True for version 2.
    """

    def __init__(self, folder: Path, unified: bool) -> None:
        self.folder = folder
        self.unified = unified

    def limit(self, memory_mb: int) -> None:
        """Bound the group's memory, and its swap where the kernel counts that.

        Raises:
            OSError: The kernel refuses.
        """
        name = "memory.max" if self.unified else "memory.limit_in_bytes"
        (self.folder / name).write_text(str(memory_mb * MB))
        swap = self.folder / ("memory.swap.max" if self.unified else "memory.memsw.limit_in_bytes")
        if swap.exists():
            swap.write_text("0" if self.unified else str(memory_mb * MB))

    def oom_kills(self) -> int:
        """How many of the group's processes the kernel killed at the limit."""
        path = self.folder / ("memory.events" if self.unified else "memory.oom_control")
        for line in path.read_text().splitlines() if path.exists() else []:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def members(self) -> list[int]:
        """Processes in the group."""
        path = self.folder / "cgroup.procs"
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def remove(self) -> None:
        """Remove the empty group; a group with processes in it stays."""
        for _ in range(20):
            try:
                self.folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.005)
            else:
                return


def open_group(name: str, memory_mb: int, given: str | None) -> Group | None:
    """A new group with a memory limit, or None where there is none to be had: then a watcher does it.

    Args:
        name: Name of the group; a group of that name left by a crash is used again.
        memory_mb: The limit in MB (10^6 bytes).
        given: Folder of a group that was given to us, or None to look for a delegated one.
    """
    for parent, unified in _parents(given):
        group = Group(parent / name, unified)
        try:
            if unified:
                (parent / "cgroup.subtree_control").write_text("+memory")
            group.folder.mkdir(exist_ok=True)
            group.limit(memory_mb)
        except OSError:
            group.remove()
            continue
        return group
    return None


def found(given: str | None) -> bool:
    """Whether there is a group that jobs may be put under."""
    return any(os.access(folder, os.W_OK) for folder, _ in _parents(given))


def _parents(given: str | None) -> list[tuple[Path, bool]]:
    if given:
        folder = Path(given)
        return [(folder, (folder / "cgroup.subtree_control").exists())]
    own = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        unified = not controllers
        if unified or "memory" in controllers.split(","):
            base = MOUNT if unified else MOUNT / "memory"
            own.append((base / path.lstrip("/"), unified))
    return [(folder, unified) for folder, unified in own if _delegated(folder)]


def _delegated(folder: Path) -> bool:
    try:
        owner = folder.stat().st_uid
        marks = {name: os.getxattr(folder, name) for name in os.listxattr(folder) if "delegate" in name}
    except OSError:
        return False
    return b"1" in marks.values() or (owner == os.getuid() != 0)
