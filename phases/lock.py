"""A lock file that is held as long as its process lives: the kernel lets go of it on kill -9. No pid files."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_one(path: Path, patience: float = 0.0) -> Iterator[bool]:
    """Hold the lock while the block runs; False when another process holds it.

    Args:
        path: The lock file.
        patience: Seconds to go on trying: whoever only looks (`held`) holds it for a moment too.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(lock, time.monotonic() + patience)
    finally:
        os.close(lock)


def _locked(lock: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)


def held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    if not path.exists():
        return False
    with only_one(path) as free:
        return not free
