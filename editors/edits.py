"""What is kept of an edited file under `neural/`: its name, hash, size, and by how much it grew. Never its text."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from editors.sessions import Sessions

MOST_HASHED = 64 * 1024 * 1024


def below_neural(path: Path, workspace: Path) -> str | None:
    """The path relative to the workspace when it is a file under its `neural/`, else None."""
    try:
        relative = path.resolve().relative_to(workspace.resolve())
    except (OSError, ValueError, RuntimeError):
        return None
    return str(relative) if relative.parts[:1] == ("neural",) and len(relative.parts) > 1 else None


def seen(path: Path, name: str, sessions: Sessions) -> None:
    """Remember how large the file is before an edit; one that is not there has no bytes."""
    sessions.keep_size(name, path.stat().st_size if path.is_file() else 0)


def record(path: Path, name: str, sessions: Sessions, change: int | None = None) -> dict[str, Any]:
    """`{file, sha256, bytes, change}` of an edited file; a file that is gone has neither hash nor bytes.

    Args:
        path: The file.
        name: Its path relative to the workspace.
        sessions: Knows how large the file was when a hook last saw it (0 at first sight).
        change: By how many bytes it grew, where nobody saw it before and the editor tells.
    """
    before = sessions.size(name)
    try:
        size = path.stat().st_size
        digest = _sha256(path) if size <= MOST_HASHED else None
    except OSError:
        sessions.keep_size(name, 0)
        return {"file": name, "sha256": None, "bytes": None, "change": -(before or 0)}
    grown = change if before is None and change is not None else size - (before or 0)
    sessions.keep_size(name, size)
    return {"file": name, "sha256": digest, "bytes": size, "change": grown}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
