"""Tells the host at once which job folders changed, by inotify; without it the host looks regularly."""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

CREATED, MOVED_IN, CLOSED = 0x100, 0x80, 0x8  # inotify(7): IN_CREATE, IN_MOVED_TO, IN_CLOSE_WRITE
OVERFLOW = 0x4000
NEWS = frozenset({"job.json", "control.json"})
HEADER = struct.Struct("iIII")


class Inbox:
    """Changes below a `jobs` folder. `descriptor` is -1 where there is no inotify: then look every `pause`.

    Args:
        jobs: The folder of job folders.
    """

    def __init__(self, jobs: Path) -> None:
        import ctypes  # late: 5 ms that the first job does not wait for

        self._libc = ctypes.CDLL(None, use_errno=True)
        self._jobs = jobs
        self._names: dict[int, str] = {}
        self.descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor >= 0 and not self._add(jobs, ""):
            self.close()

    @property
    def pause(self) -> float:
        """Longest time between two looks at all folders, in seconds."""
        return 2.0 if self.descriptor >= 0 else 0.02

    def follow(self, job_id: str) -> None:
        """Watch one job's folder as well; look at its files after calling this, not before."""
        if self.descriptor >= 0 and job_id not in self._names.values():
            self._add(self._jobs / job_id, job_id)

    def read(self) -> set[str]:
        """Ids of jobs whose `job.json` or `control.json` changed, and of new folders; `"*"` = look at all."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return set()
        news, at = set(), 0
        while at < len(data):
            watch, mask, _, length = HEADER.unpack_from(data, at)
            at += HEADER.size
            name = data[at : at + length].rstrip(b"\0").decode(errors="replace")
            at += length
            owner = self._names.get(watch, "")
            if mask & OVERFLOW:
                news.add("*")
            elif not owner:
                news.add(name)
            elif name in NEWS:
                news.add(owner)
        return news

    def close(self) -> None:
        """Give the descriptor back."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _add(self, folder: Path, name: str) -> bool:
        watch = self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), CREATED | MOVED_IN | CLOSED)
        if watch >= 0:
            self._names[watch] = name
        return bool(watch >= 0)
