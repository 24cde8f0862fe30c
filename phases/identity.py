"""Names of a workspace and of its runs, told from folders alone. It opens no memory and costs a hook nothing."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

RUN_ID = re.compile(r"r-\d{8}-\d{6}-[a-z0-9]{4}")


def workspace_id(folder: str | Path) -> str:
    """Stable id of a workspace: 12 hex digits of the SHA-256 of its real path."""
    return hashlib.sha256(str(Path(folder).resolve()).encode()).hexdigest()[:12]


def latest_run(workspace: Path) -> str | None:
    """The run that `neural/latest` leads to, or None when there is none."""
    try:
        name = (workspace / "neural" / "latest").readlink().name
    except OSError:
        return None
    return name if RUN_ID.fullmatch(name) else None
