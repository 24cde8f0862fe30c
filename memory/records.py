"""What memory takes and gives: settings, envelopes, leases, taken runs. They talk to no server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

Patience = Literal["door", "runner"]


class MemorySettings(BaseModel):
    """Where memory lives.

    Attributes:
        url: Address of a configured Redis (`redis://`, `rediss://`, `unix://`); the embedded server when
        absent. home: State folder, which holds the embedded server's data and socket.
        lease_seconds: How long a silent runner keeps its run.
        outage_seconds: How long a runner rides out a Redis that is away.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    home: Path
    lease_seconds: float = Field(default=15.0, gt=0)
    outage_seconds: float = Field(default=180.0, ge=0)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A value with its version (from 1 on), its writer, its ISO time in UTC and what it derives from."""

    value: Any
    version: int
    written_by: str
    at: str
    provenance: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write the state of `run` until a higher epoch is handed out."""

    run: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A run taken from the queue: entry, lease, times handed out, and the consumer that holds it."""

    entry: str
    lease: Lease
    deliveries: int
    consumer: str


class WriteOnce(TypedDict, total=False):
    """The name of a write that may be repeated: the same id is the same write."""

    write_id: str | None


class WriteOptions(TypedDict, total=False):
    """What a write may carry.

    Attributes:
        expected: Version that must stand there (0: nothing yet); absent: whatever stands there is replaced.
        lease: The writer's lease; its epoch is checked inside Redis.
        provenance: What the value was derived from.
        write_id: Names the write: repeated with the same id it is the same write.
    """

    expected: int | None
    lease: Lease | None
    provenance: dict[str, Any] | None
    write_id: str | None
