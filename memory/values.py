"""A run's values as envelopes: compare-and-set, write ids, fences; lists; claims apart. It moves no run."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from memory import keys, scripts
from memory.errors import AssertedOnly, MemoryConflict, NeuroloomError, StaleEpoch, UsageError
from memory.records import Envelope, Lease, WriteOptions
from memory.wire import Wire

_FIELDS = ("value", "version", "by", "at", "provenance")


def now() -> str:
    """This moment as ISO time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def to_json(value: Any, what: str) -> str:
    """The value as strict JSON.

    Raises:
        UsageError: `usage.not_json`: NaN, an infinity, or an object that JSON does not have.
    """
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{what} cannot be kept: {error}",
            code="usage.not_json",
            fix="use strings, finite numbers, booleans, null, lists and objects",
        ) from error


def fence(run: str, lease: Lease | None) -> tuple[str, str]:
    """The key of the run's epoch, and the writer's epoch ('' for a writer without a lease)."""
    if lease is not None and lease.run != run:
        raise UsageError(f"the lease of {lease.run!r} is no right to write {run!r}", code="usage.lease")
    return keys.internal(run, "epoch"), str(lease.epoch) if lease else ""


def written(reply: list[Any], run: str, what: str) -> list[Any]:
    """What follows the outcome of a fenced script.

    Raises:
        StaleEpoch: The run was taken over.
        MemoryConflict: The version was not the expected one.
    """
    outcome, *rest = reply
    if outcome in ("written", b"written"):
        return rest
    if outcome in ("stale", b"stale"):
        raise StaleEpoch(f"run {run!r} is in epoch {rest[0]}: another runner has taken it over, {what} was not written")
    if outcome == "conflict":
        raise MemoryConflict(f"{what} of run {run!r} has version {rest[0]} by now", fix="read it again and repeat")
    raise NeuroloomError(f"{what} of run {run!r} is not a list", code="memory.not_a_list")


class Values:
    """Envelopes under `neural/<run>/<name>`, and claims under `…/asserted/<name>`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def get(self, run: str, name: str) -> Envelope | None:
        """The envelope of a value, or None when it was never written."""
        return _envelope(await self._wire.do("HMGET", keys.value(run, name), *_FIELDS))

    async def put(self, run: str, name: str, value: Any, by: str, options: WriteOptions) -> Envelope:
        """Write a value as `options` say and return its envelope."""
        provenance, expected, given_id = (options.get(key) for key in ("provenance", "expected", "write_id"))
        if isinstance(provenance, Mapping) and provenance.get("kind") == "asserted":
            raise AssertedOnly(f"{name!r} is asserted, not measured or decided", fix="keep it with `assert_value`")
        epoch_key, epoch = fence(run, options.get("lease"))
        write_id = str(given_id or uuid.uuid4().hex[:16])
        reply = await self._wire.run(
            scripts.PUT,
            [epoch_key, keys.value(run, name), keys.internal(run, "names")],
            [epoch, name, "" if expected is None else str(expected), write_id, "1" if given_id else "0", by,
            now(),
             to_json(provenance, f"the provenance of {name!r}"), to_json(value, repr(name))],
        )  # fmt: skip
        version, at = written(reply, run, repr(name))
        return Envelope(value, int(version), by, at, dict(provenance) if isinstance(provenance, Mapping) else None)

    async def append(self, lease: Lease | None, run: str, name: str, item: Any, by: str, write_id: str) -> int:
        """Add an item to a list and return the list's length after that write."""
        epoch_key, epoch = fence(run, lease)
        place = [epoch_key, keys.value(run, name), keys.internal(run, "names")]
        words: list[str | bytes | int | float] = [
            epoch,
            name,
            write_id,
            by,
            now(),
            to_json(item, f"an item of {name!r}"),
        ]
        return int(written(await self._wire.run(scripts.APPEND, place, words), run, repr(name))[0])

    async def names(self, run: str) -> list[str]:
        """Names of the run's values, sorted; claims are not among them."""
        return sorted(await self._wire.do("SMEMBERS", keys.internal(run, "names")))

    async def claim(
        self, place: tuple[str, str | None], name: str, value: Any, by: str, write_id: str | None = None
    ) -> str:
        """Keep a claim at (workspace, run or None), once per `write_id`, and return its physical key."""
        at = now()
        key = keys.asserted(*place, name)
        provenance = to_json({"kind": "asserted", "by": by, "at": at}, "who claims it")
        await self._wire.run(
            scripts.ASSERT,
            [key, keys.asserted_area(*place), keys.workspace_taken(place[0])],
            [name, to_json(value, repr(name)), by, at, provenance, write_id or ""],
        )
        return key

    async def claims(self, workspace: str, run: str | None) -> dict[str, Envelope]:
        """All claims about a run, or those of a workspace that has no run yet, by name."""
        found: dict[str, Envelope] = {}
        for name in sorted(await self._wire.do("SMEMBERS", keys.asserted_area(workspace, run))):
            kept = _envelope(await self._wire.do("HMGET", keys.asserted(workspace, run, name), *_FIELDS))
            if kept is not None:
                found[name] = kept
        return found


def _envelope(fields: list[str | None]) -> Envelope | None:
    value, version, by, at, provenance = fields
    if value is None or version is None:
        return None
    return Envelope(json.loads(value), int(version), by or "", at or "", json.loads(provenance or "null"))
