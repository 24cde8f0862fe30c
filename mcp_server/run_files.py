"""Files of a run's folder as bytes: links are followed first, and what they lead to has to be allowed as well.

It decides nothing about privacy: it asks for the path that was named and for the one that is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

MOST_BYTES = 1_000_000
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def place(root: Path, path: str, allow: Callable[[str], None]) -> Path:
    """Where a file of the run's folder really is.

    Args:
        root: The run's folder.
        path: What was asked for, relative to it.
        allow: Raises where a path, relative to the folder, may not leave.

    Raises:
        InputError: it is not in that folder, or not there.
        PrivacyRefused: it may not leave, by the name that was asked for or by the one that it leads to.
    """
    allow(path)
    try:
        folder = root.resolve(strict=True)
        found = (folder / path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # not there, a name too long, a circle of links
        raise _none(path) from error
    if not found.is_relative_to(folder):
        raise _none(path)
    allow(found.relative_to(folder).as_posix())
    return found


def read(root: Path, path: str, allow: Callable[[str], None]) -> bytes:
    """The bytes of a file of the run's folder; arguments and errors are those of `place`.

    Raises:
        InputError: also, it is no plain file, or too large to send.
    """
    from memory.errors import InputError

    try:
        file = os.open(place(root, path, allow), _FLAGS)
    except OSError as error:
        raise _none(path) from error
    try:
        known = os.fstat(file)
        if not stat.S_ISREG(known.st_mode):
            raise _none(path)
        data = _start(file) if known.st_size <= MOST_BYTES else b""
        if known.st_size > MOST_BYTES or len(data) > MOST_BYTES:
            raise InputError(
                f"{path!r} has more than the {MOST_BYTES} bytes that are sent", code="input.too_large", field="path"
            )
        return data
    finally:
        os.close(file)


def _start(file: int) -> bytes:
    """What may be sent, and a byte more where there is more: it may grow meanwhile."""
    with os.fdopen(file, "rb", closefd=False) as opened:
        return opened.read(MOST_BYTES + 1)


def _none(path: str) -> Exception:
    from memory.errors import InputError

    return InputError(f"the run has no file {path[:200]!r}", code="input.no_such_artifact", field="path")
