"""Files that several processes share: written whole or not at all, read without trust. No locking here."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

RESERVED, RESERVED_BYTES = ".exit.reserved", 4096


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file so that a reader sees the old text or the new, never a part.

    Args:
        path: The file; its folder exists.
        value: Anything JSON can hold.

    Raises:
        TypeError: `value` holds something that JSON has no word for.
        ValueError: `value` holds NaN or an infinity.
        OSError: The disk is full or the folder is not writable; the old file is untouched.
    """
    write_bytes(path, json.dumps(value, allow_nan=False).encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole: a new file beside it, renamed over it. Errors leave the old one untouched."""
    new = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.new")
    try:
        new.write_bytes(data)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None when it cannot be read, is cut off, or is no object."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def reserve(path: Path) -> None:
    """Set disk blocks aside, so that `write_reserved` still works when the disk is full.

    Raises:
        OSError: The disk is full already.
    """
    handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.posix_fallocate(handle, 0, RESERVED_BYTES)
    finally:
        os.close(handle)


def write_reserved(path: Path, reserved: Path, value: dict[str, Any]) -> None:
    """Like `write_json`, through the blocks that `reserve` set aside where they are there and enough."""
    data = json.dumps(value, allow_nan=False).encode()
    if len(data) > RESERVED_BYTES or not reserved.exists():
        write_bytes(path, data)
        return
    handle = os.open(reserved, os.O_WRONLY)
    try:
        os.write(handle, data)
        os.ftruncate(handle, len(data))
    finally:
        os.close(handle)
    reserved.replace(path)
