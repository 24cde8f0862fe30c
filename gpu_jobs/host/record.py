"""One job's files and what they say about it, as host, child and dispatcher agree on it. It starts nothing.

Every start of a job has a number. `job.json` says which is wanted, `process.json` which one began, `exit` which
one ended, `ending.json` why the host is ending one. Comparing them gives the stage; nothing is deleted.
"""

from __future__ import annotations

import os
import re

from gpu_jobs.host import processes
from gpu_jobs.host.files import RESERVED, read_json, write_json, write_reserved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\Z")
CODES = {"done": 0, "failed": 1, "timeout": 124, "cancelled": 130, "lost": 137}


def stage(
    job: Mapping[str, Any] | None,
    process: Mapping[str, Any] | None,
    ended: Mapping[str, Any] | None,
    living: bool,
) -> str:
    """Where a job is: `absent`, `pending`, `running`, `dead` (died without a word) or `finished`.

    Args:
        job: `job.json`.
        process: `process.json`.
        ended: `exit`.
        living: Whether the process of `process.json` is alive.
    """
    if job is None:
        return "absent"
    wanted, began, over = _start(job), _start(process), _start(ended)
    if began > over and living:
        return "running"
    if wanted > max(began, over):
        return "pending"
    return "dead" if began > over else "finished"


def _start(document: Mapping[str, Any] | None) -> int:
    number = (document or {}).get("start", 0)
    return number if isinstance(number, int) else 0


class Record:
    """The files of one job.

    Args:
        folder: `jobs/<id>`, absolute.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        self.lock = folder / "lock"
        self.log = folder / "log"

    def job(self) -> dict[str, Any] | None:
        """What is wanted; None when absent or unreadable."""
        job = read_json(self.folder / "job.json")
        return None if job is None else {"start": 1, **job}

    def process(self) -> dict[str, Any] | None:
        """Who runs the newest start that began."""
        return read_json(self.folder / "process.json")

    def exit(self) -> dict[str, Any] | None:
        """How the newest start that ended ended."""
        return read_json(self.folder / "exit")

    def control(self) -> dict[str, Any]:
        """What the job is told while it runs."""
        return read_json(self.folder / "control.json") or {}

    def ending(self, start: int) -> dict[str, Any] | None:
        """Why the host is ending this start, if it is."""
        found = read_json(self.folder / "ending.json")
        return found if found and found.get("start") == start else None

    def stage(self) -> str:
        """As `stage`, and `corrupt` when `job.json` is there and is not a job of this folder's id."""
        job = self.job()
        path = self.folder / "job.json"
        if path.exists() and (job is None or not self._sound(job)):
            return "corrupt"
        ended = self.exit()  # read before the process: an exit written in between is seen at the next look
        process = self.process()
        return stage(job, process, ended, processes.alive(process))

    def _sound(self, job: Mapping[str, Any]) -> bool:
        kind = job.get("kind")
        return (
            job.get("id") == self.id
            and isinstance(kind, str)
            and kind.isidentifier()
            and isinstance(job.get("args", {}), dict)
            and isinstance(job.get("limits", {}), dict)
            and isinstance(job.get("start", 0), int)
        )

    def write_process(self, value: Mapping[str, Any]) -> None:
        """Say who runs this start."""
        write_json(self.folder / "process.json", dict(value))

    def write_ending(self, value: Mapping[str, Any]) -> None:
        """Say, before the job is told to stop, why it is ended; a later host keeps to it."""
        write_json(self.folder / "ending.json", dict(value))

    def write_exit(self, value: Mapping[str, Any]) -> None:
        """Say how a start ended; through reserved disk blocks, so that a full disk cannot hide the end."""
        write_reserved(self.folder / "exit", self.folder / RESERVED, dict(value))

    def close_last_event(self) -> None:
        """End a line that a killed start left half-written, so that the next event is a line of its own."""
        path = self.folder / "events.jsonl"
        if not path.exists() or path.stat().st_size == 0:
            return
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def exit_document(
    start: int, state: str, seconds: float, error: dict[str, Any] | None = None, code: int | None = None
) -> dict[str, Any]:
    """The content of `exit`."""
    number = CODES[state] if code is None else code
    return {"start": start, "state": state, "code": number, "seconds": round(seconds, 6), "error": error}


def error_document(code: str, message: str, fix: str | None = None) -> dict[str, Any]:
    """The content of an outcome's `error`."""
    return {"code": code, "message": message, "field": None, "fix": fix}
