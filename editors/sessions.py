"""What hooks remember of a conversation: small private files in the state folder, one per session of a workspace.

They say when it began and ended, what it was told, and how large files under `neural/` were when a hook last saw them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from phases.clock import now
from phases.identity import workspace_id

KEPT = 50
FILES_KEPT = 500
TOLD_KEPT = 400
PATIENCE = 0.2


class Session:
    """One conversation in one workspace; `counts` are of what its hooks saw.

    A plain class: what dataclasses load would be a sixth of a hook's time.
    """

    def __init__(self, id: str, **known: Any) -> None:
        self.id = id
        self.started: str = known.pop("started", None) or now()
        self.seen: str = known.pop("seen", None) or now()
        self.ended: str | None = known.pop("ended", None)
        self.told: list[str] = list(known.pop("told", ()))
        self.counts: dict[str, int] = dict(known.pop("counts", {}))
        if known:
            raise TypeError(f"a session has no {', '.join(known)}")

    def count(self, what: str) -> None:
        """One more of that kind."""
        self.counts[what] = self.counts.get(what, 0) + 1


class Sessions:
    """The sessions of one workspace."""

    def __init__(self, home: Path, workspace: Path) -> None:
        self.workspace = workspace
        self.folder = home / "sessions" / workspace_id(workspace)

    def find(self, session_id: str) -> Session | None:
        """The session with that id, if a hook has seen it here."""
        return _read(self._file(session_id))

    def open(self, session_id: str) -> tuple[Session, bool]:
        """The session, and whether it is new to us."""
        found = self.find(session_id)
        return (found, False) if found is not None else (Session(session_id), True)

    def current(self) -> Session | None:
        """The session that was seen last and has not ended."""
        return next((one for one in self.latest() if one.ended is None), None)

    def latest(self) -> list[Session]:
        """All sessions, the one that was seen last first."""
        found = [session for path in self._files() if (session := _read(path)) is not None]
        return sorted(found, key=lambda one: one.seen, reverse=True)

    def previous(self, session_id: str) -> Session | None:
        """The session that was seen last, this one apart."""
        return next((one for one in self.latest() if one.id != session_id), None)

    def keep(self, session: Session) -> None:
        """Write the session; the oldest ones leave beyond `KEPT`.

        Raises:
            OSError: the state folder cannot be written.
        """
        session.seen, session.told = now(), session.told[-TOLD_KEPT:]
        path = self._file(session.id)
        new = not path.exists()
        self._write(path, vars(session))
        if new:
            for old in sorted(self._files(), key=_age)[:-KEPT]:
                old.unlink(missing_ok=True)

    @contextmanager
    def changing(self, session_id: str) -> Iterator[tuple[Session, bool]]:
        """The session, and whether it is new to us; kept when the block ends. Hooks that run side by side wait."""
        from phases.lock import only_one

        with only_one(self.folder / "lock", patience=PATIENCE):  # who waits in vain goes on: an editor waits for us
            session, new = self.open(session_id)
            yield session, new
            self.keep(session)

    def size(self, file: str) -> int | None:
        """Bytes of a file when a hook last saw it; None when none did. Each file has a record of its own."""
        try:
            return int(self._size_file(file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def keep_size(self, file: str, size: int) -> None:
        """Remember how large a file is now; the oldest records leave beyond `FILES_KEPT`."""
        path = self._size_file(file)
        new = not path.exists()
        self._write(path, size)
        if new:
            for old in sorted(path.parent.iterdir(), key=_age)[:-FILES_KEPT]:
                old.unlink(missing_ok=True)

    def _size_file(self, file: str) -> Path:
        return self.folder / "sizes" / hashlib.sha256(file.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def _file(self, session_id: str) -> Path:
        return self.folder / f"{hashlib.sha256(session_id.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.json"

    def _files(self) -> list[Path]:
        with suppress(OSError):
            return [path for path in self.folder.iterdir() if path.suffix == ".json" and path.name[0] != "."]
        return []

    def _write(self, path: Path, value: Any) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
        with open(fresh, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(value, file)
        fresh.replace(path)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _read(path: Path) -> Session | None:
    try:
        return Session(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
