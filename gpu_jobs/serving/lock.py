"""The machine-wide lock that benchmark jobs hold, so that no two measure at once. It measures no load."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK_NAME = "neuroloom-benchmark.lock"


@contextmanager
def machine_lock(while_waiting: Callable[[], None], folder: Path | None = None) -> Iterator[None]:
    """Hold the lock; the kernel releases it when the process dies.

    Args:
        while_waiting: called every 0.1 s while another process holds the lock; may raise to give up.
        folder: where the lock file lies; the machine's temporary folder by default.
    """
    handle = _open(lock_file(folder))
    try:
        while not _taken(handle):
            while_waiting()
            time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def lock_file(folder: Path | None = None) -> Path:
    """The lock file, made where it is not there: jobs inside walls can only read it."""
    path = (folder or Path(tempfile.gettempdir())) / LOCK_NAME
    os.close(_open(path))
    return path


def _open(path: Path) -> int:
    """Open the lock file; a sticky folder refuses O_CREAT on one that another user made."""
    with suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    with suppress(PermissionError):
        os.fchmod(handle, 0o644)
    return handle


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
