"""The spool: hooks add a line to a file in the state folder, and whoever opens memory takes the lines in, each once.

`<home>/spool/events.jsonl` grows by one write per line, without lock, flush or Redis. Whoever takes it renames it
first. A line's id makes it one: a taker killed half-way is followed by one that takes the same file again. Writing
imports the standard library only, because a hook pays for it.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memory.store import Memory

MOST_BYTES = 4 * 1024 * 1024
MOST_LINE = 64 * 1024
PATIENCE = 2.0


def claim(place: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """An entry that keeps `value` as asserted under `key`; `place` is that of `whereabouts`."""
    return {"id": os.urandom(16).hex(), **place, "kind": "claim", "key": key, "value": value}


def event(place: dict[str, Any], event_type: str, **fields: Any) -> dict[str, Any]:
    """An entry that is told as an event of the run; before the first run it is kept as asserted `hooks/<type>`."""
    return {"id": os.urandom(16).hex(), **place, "kind": "event", "type": event_type, "fields": fields}


def whereabouts(workspace: Path, by: str) -> dict[str, Any]:
    """Which workspace and run an entry belongs to, who wrote it and when."""
    from phases.clock import now
    from phases.identity import latest_run, workspace_id

    return {"at": now(), "workspace": workspace_id(workspace), "run": latest_run(workspace), "by": by}


def append(home: Path, entry: dict[str, Any]) -> bool:
    """Add an entry; False when the spool or the entry is too large, so that it was not kept.

    Raises:
        OSError: the state folder cannot be written, or only a piece of the line; the next line stands apart from it.
    """
    line = json.dumps(entry, allow_nan=False).encode() + b"\n"
    if len(line) > MOST_LINE:
        return False
    folder = home / "spool"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "events.jsonl"
    while True:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            if size + len(line) > MOST_BYTES:
                return False
            _write(file, line, size)
            if _is_still(path, file):
                return True  # else it was renamed meanwhile, perhaps after it was read: once more; the id makes it one
        finally:
            os.close(file)


def _write(file: int, line: bytes, size: int) -> None:
    """Write a line, after a newline where somebody was stopped within theirs."""
    if size and os.pread(file, 1, size - 1) != b"\n":
        line = b"\n" + line
    if (done := os.write(file, line)) < len(line):
        raise OSError(errno.ENOSPC, f"only {done} of {len(line)} bytes could be written to the spool")


def _is_still(path: Path, file: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file).st_ino
    except FileNotFoundError:
        return False


async def take(home: Path, memory: Memory) -> int:
    """Take what hooks have left into memory; returns the number of entries. Without a spool it is one look at a folder.

    Raises:
        NeuroloomError: memory cannot be written now; what is left stays and is taken later.
    """
    import asyncio

    from phases.lock import only_one

    folder, deadline = home / "spool", time.monotonic() + PATIENCE
    while _waiting(folder) and time.monotonic() < deadline:
        try:
            with only_one(folder / "lock") as mine:
                if mine:
                    return await _take_all(folder, memory)
        except OSError as trouble:
            _warn(f"the spool cannot be taken now: {trouble}")
            return 0
        await asyncio.sleep(0.02)  # another door is at it: what it takes is there when we go on
    return 0


def _waiting(folder: Path) -> bool:
    return (folder / "events.jsonl").exists() or any(folder.glob("taking-*.jsonl"))


async def _take_all(folder: Path, memory: Memory) -> int:
    fresh = folder / "events.jsonl"
    if fresh.exists():
        fresh.rename(folder / f"taking-{time.time_ns():020d}.jsonl")
    taken = 0
    for path in sorted(folder.glob("taking-*.jsonl")):
        for line in filter(None, path.read_bytes().splitlines()):
            taken += await _take_line(folder, line, memory)
        path.unlink()
    return taken


async def _take_line(folder: Path, line: bytes, memory: Memory) -> int:
    from memory.errors import NeuroloomError

    try:
        await _keep(json.loads(line), memory)
        return 1
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        _set_aside(folder, line, f"{type(error).__name__}: {error}")
    except NeuroloomError as error:
        if error.code.startswith("memory."):
            raise
        _set_aside(folder, line, error.message)
    return 0


async def _keep(entry: dict[str, Any], memory: Memory) -> None:
    workspace, by, entry_id = str(entry["workspace"]), str(entry["by"]), str(entry["id"])
    run = await _run(entry, memory)
    if entry["kind"] == "claim":
        key, value = str(entry["key"]), entry["value"]
    elif run is not None:
        told = {**dict(entry["fields"]), "type": f"hook_{entry['type']}", "at": str(entry["at"]), "by": by}
        await memory.emit(run, told, event_id=f"spool:{entry_id}")
        return
    else:
        key, value = f"hooks/{entry['type']}", {**dict(entry["fields"]), "at": str(entry["at"])}
    await memory.assert_value(workspace, run, key, value, by=by, write_id=entry_id)


async def _run(entry: dict[str, Any], memory: Memory) -> str | None:
    """The run that was the latest when the entry was written, unless it was removed since."""
    run = entry["run"]
    return None if run is None or await memory.get(str(run), "state") is None else str(run)


def _set_aside(folder: Path, line: bytes, why: str) -> None:
    """Keep a line that cannot be taken, and why, where a person can look at it; bounded like the spool itself."""
    path = folder / "aside.jsonl"
    _warn(f"a line of the spool cannot be taken and is kept in {path.name}: {why}")
    if path.exists() and path.stat().st_size > MOST_BYTES:
        return
    note = json.dumps({"why": why, "line": line.decode("utf-8", "replace")}) + "\n"
    with open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(note)


def _warn(words: str) -> None:
    import logging  # here: a hook that only writes does not pay for it

    logging.getLogger("neuroloom.spool").warning("%s", words)


def set_aside(home: Path) -> Iterator[dict[str, Any]]:
    """What was set aside: `{"why", "line"}`, oldest first."""
    path = home / "spool" / "aside.jsonl"
    if path.exists():
        yield from (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
