"""What is known about each deployment, in `<home>/deployments/<name>.json`, written whole or not at all.

The file outlives the supervisor: port, versions and the server's process are found again by the next one.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from phases.supervisor.request import DeployRequest

Status = Literal["starting", "serving", "restarting", "failed", "stopped"]
LIVE: tuple[Status, ...] = ("starting", "serving", "restarting")  # wanted up: the next supervisor brings them up
INTENTS_KEPT = 100
_FIRST_PORT, _PORTS = 8100, 900  # below the range that the kernel hands to outgoing connections


class Record(BaseModel):
    """One deployment: its port, what it serves, what it served before, and which process does it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    port: int
    status: Status = "starting"
    current: DeployRequest | None = None
    previous: DeployRequest | None = None
    process: dict[str, Any] | None = None
    restarts: int = 0
    since: str | None = None
    error: str | None = None
    ready_seconds: float | None = None
    load_answered: int = 0
    proven_rows: int = 0
    differing_rows: int = 0
    intents: tuple[str, ...] = ()

    def view(self) -> dict[str, Any]:
        """The deployment as services show it; `url` and `pid` only while it is wanted up."""
        current, up = self.current, self.status in LIVE
        return {
            "name": self.name,
            "url": f"http://127.0.0.1:{self.port}" if up else None,
            "pid": self.process["pid"] if up and self.process else None,
            "example_request": current.example_request if current else None,
            "status": self.status,
            "run_id": current.run_id if current else None,
            "version": current.version if current else None,
            "intent": current.intent if current else None,
            "previous": self.previous.version if self.previous else None,
            "restarts": self.restarts,
            "since": self.since,
            "error": self.error,
            "ready_seconds": self.ready_seconds,
            "load_answered": self.load_answered,
            "proven_rows": self.proven_rows,
            "differing_rows": self.differing_rows,
        }


def folder(home: Path) -> Path:
    """Where the records and logs of a state folder's deployments are."""
    return home / "deployments"


def log_path(home: Path, name: str) -> Path:
    """The log of a deployment's server."""
    return folder(home) / f"{name}.log"


def save(home: Path, record: Record) -> None:
    """Replace the record's file in one step, on disk before this returns.

    Raises:
        OSError: The disk is full, say; the old file is untouched.
    """
    path = folder(home) / f"{record.name}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(record.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise


def forget(home: Path, name: str) -> None:
    """Remove the record's file; the log stays."""
    (folder(home) / f"{name}.json").unlink(missing_ok=True)


def load(home: Path) -> list[Record]:
    """All records that can be read, by name. Needs no supervisor."""
    return read(home)[0]


def read(home: Path) -> tuple[list[Record], list[str]]:
    """All records by name, and of each file that is none, which and why: one bad file stops nobody."""
    found, unreadable = [], []
    for path in sorted(folder(home).glob("[!.]*.json")):
        try:
            found.append(Record.model_validate_json(path.read_bytes()))
        except (OSError, ValueError) as error:  # pydantic's ValidationError is a ValueError
            unreadable.append(f"{path}: {error}")
    return found, unreadable


def served_runs(home: Path) -> set[str]:
    """The runs whose files a deployment needs: what it serves or would start again, and what it can go back to."""
    versions = [version for record in load(home) for version in (record.current, record.previous)]
    return {version.run_id for version in versions if version is not None}


def candidate_ports(home: Path, name: str, taken: Sequence[int]) -> list[int]:
    """Ports to try for a new name, the same order each time, without those of other deployments.

    Each state folder has an order of its own: two on one machine, strangers to each other, seldom want one port.
    """
    start = zlib.crc32(f"{home}/{name}".encode()) % _PORTS
    ports = [_FIRST_PORT + (start + step) % _PORTS for step in range(_PORTS)]
    return [port for port in ports if port not in taken]
