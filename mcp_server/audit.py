"""The audit log of the chat door: one line a call, each holding the hash of the one before. It never holds arguments.

What changes something, or stays open, has a line before it too, with the outcome `begun`; both have the same `call`.

Files are `<state folder>/audit/chat-YYYYMM.jsonl`, written by any number of processes under one lock. What the chain
shows: a line that was changed, taken out or put in. What it cannot show: that the newest lines were cut off, or that
somebody wrote the whole chain anew; copy the newest hash elsewhere for that. A record is in the file when the call is
answered; it survives the death of the process, and not always that of the machine.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp_server.refusal import CallRefused

GENESIS = "0" * 64
HASH = b',"hash":"'
TAIL = 64 * 1024
BEGUN = "begun"
FREE_BYTES = 1024 * 1024
PRIVATE, PRIVATE_FOLDER = 0o600, 0o700


@dataclass(frozen=True)
class Entry:
    """One call: who asked for what through which door, how it ended, how long it took.

    Attributes:
        outcome: `ok`, `asked`, `cancelled`, a code, or `begun` for the record before a call.
        call: What its two records have in common; empty where there is one only.
    """

    principal: str
    door: str
    client: str
    method: str
    name: str
    arguments_sha256: str
    outcome: str
    ms: float
    call: str = ""


class AuditLog:
    """The log of one state folder; append-only."""

    def __init__(
        self, home: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC), free_bytes: int = FREE_BYTES
    ) -> None:
        self.folder = home / "audit"
        self._now = now
        self._free_bytes = free_bytes
        self._known: tuple[Path, int, str] | None = None

    def append(self, entry: Entry) -> None:
        """Write one record.

        Raises:
            OSError: it could not be written; a part of it that was is closed off by the next record.
        """
        with self._locked():
            self._write(entry)

    def begin(self, entry: Entry) -> None:
        """Write the record before a call that changes something; its other record will find a place too.

        Raises:
            CallRefused: `audit.unwritable`.
        """
        try:
            with self._locked():
                free = os.statvfs(self.folder)
                if free.f_bavail * free.f_frsize < self._free_bytes:
                    raise OSError(errno.ENOSPC, "the disk is full")
                self._write(entry)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise CallRefused(f"the call cannot be recorded ({why}), and what changes something is not done unrecorded",
                              code="audit.unwritable", next="tell the person to free space in the state folder, "
                              "or to set chat.audit = false") from error  # fmt: skip

    def _write(self, entry: Entry) -> None:
        moment = self._now()
        path = self.folder / f"chat-{moment:%Y%m}.jsonl"
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        told = {key: value for key, value in asdict(entry).items() if key != "call" or value}
        try:
            self._append(path, file, {"at": moment.isoformat(timespec="milliseconds"), **told})
        finally:
            os.close(file)

    def _append(self, path: Path, file: int, record: dict[str, Any]) -> None:
        size = os.fstat(file).st_size
        if self._known is None or self._known[:2] != (path, size):
            previous, left, start = self._end(path, file, size)
        else:
            previous, left, start = self._known[2], b"", b""
        if left:
            record["gap"] = hashlib.sha256(left + start).hexdigest()
        body = json.dumps({**record, "prev": previous}, separators=(",", ":")).encode()
        own = hashlib.sha256(body).hexdigest()
        line = start + body[:-1] + HASH + own.encode() + b'"}\n'
        self._known = None
        if os.write(file, line) != len(line):
            raise OSError(errno.ENOSPC, "the disk is full")
        self._known = (path, size + len(line), own)

    def _end(self, path: Path, file: int, size: int) -> tuple[str, bytes, bytes]:
        """The hash of the newest whole record, the bytes after it that are none, and the line end they lack."""
        begin = max(0, size - TAIL)
        tail = os.pread(file, size - begin, begin)
        found, left = _newest(tail)
        if found is None and begin == 0:
            found = self._end_of_earlier(path)
        return found or GENESIS, left, b"" if not tail or tail.endswith(b"\n") else b"\n"

    def _end_of_earlier(self, path: Path) -> str | None:
        earlier = [one for one in files(self.folder) if one.name < path.name]
        return _newest(earlier[-1].read_bytes()[-TAIL:])[0] if earlier else None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


@dataclass(frozen=True)
class Verdict:
    """What a check of the log found; `broken` is the first place where the chain does not hold.

    Attributes:
        records: All of them; a call that changed something has two.
        closed_off: Torn records that a later one vouches for, as a killed process leaves them.
        unended: Calls that began and have no end: those that go on now, or whose process was killed.
    """

    records: int
    files: int
    closed_off: int
    unended: int
    broken: dict[str, Any] | None


def verify(home: Path) -> Verdict:
    """Read the whole log and follow the chain.

    Returns:
        Counts, and the first broken record as `{"file", "line", "why"}`.
    """
    chain = _Chain()
    paths = files(home / "audit")
    for path in paths:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                chain.take(line, f"{path.name}:{number}")
        chain.end_file()
    return Verdict(chain.records, len(paths), chain.closed_off, len(chain.unended), _told(chain.broken))


def files(folder: Path) -> list[Path]:
    """The files of the log, oldest first."""
    return sorted(folder.glob("chat-??????.jsonl"))


def arguments_hash(arguments: Any) -> str:
    """SHA-256 of arguments as canonical JSON: equal calls have equal hashes, and few can be read back from it."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Chain:
    """Follows the chain line by line until it breaks."""

    def __init__(self) -> None:
        self.records = 0
        self.closed_off = 0
        self.unended: set[str] = set()
        self.broken: tuple[str, str] | None = None
        self._previous: str | None = None
        self._torn = b""
        self._torn_at = ""

    def take(self, line: bytes, place: str) -> None:
        """Take the next line."""
        if self.broken is not None:
            return
        own = _own_hash(line.rstrip(b"\n"))
        if own is None:
            self._torn_at = self._torn_at or place
            self._torn += line
            return
        record = json.loads(line)
        self.broken = self._judged(record, place)
        self.closed_off += bool(self._torn)
        self.records += 1
        (self.unended.add if record.get("outcome") == BEGUN else self.unended.discard)(str(record.get("call")))
        self._previous, self._torn, self._torn_at = own, b"", ""

    def end_file(self) -> None:
        """What is left without a line end is a record that is being written, or was when its process died."""
        if self._torn and self._torn.endswith(b"\n") and self.broken is None:
            self.broken = (self._torn_at, "it was changed: it does not have the hash that it states")
        self._torn, self._torn_at = b"", ""

    def _judged(self, record: Mapping[str, Any], place: str) -> tuple[str, str] | None:
        gap = hashlib.sha256(self._torn).hexdigest() if self._torn else None
        if record.get("gap") != gap:
            return self._torn_at or place, "it was changed: it does not have the hash that it states"
        if self._previous is not None and record.get("prev") != self._previous:
            return place, "it does not follow the record before it: records were taken out, put in or moved"
        return None


def _told(broken: tuple[str, str] | None) -> dict[str, Any] | None:
    if broken is None:
        return None
    name, _, line = broken[0].rpartition(":")
    return {"file": name, "line": int(line), "why": broken[1]}


def _own_hash(line: bytes) -> str | None:
    """The hash that a record states, when it is a record and the hash is right."""
    body, found, rest = line.rpartition(HASH)
    own = hashlib.sha256(body + b"}").hexdigest()
    return own if found and rest == own.encode() + b'"}' else None


def _newest(tail: bytes) -> tuple[str | None, bytes]:
    """The hash of the newest record (its line end may be missing), and what stands after it."""
    end = len(tail)
    last = _own_hash(tail[tail.rfind(b"\n") + 1 :])
    if last is not None:
        return last, b""
    while (newline := tail.rfind(b"\n", 0, end)) >= 0:
        start = tail.rfind(b"\n", 0, newline) + 1
        own = _own_hash(tail[start:newline])
        if own is not None:
            return own, tail[newline + 1 :]
        end = newline
    return None, tail
