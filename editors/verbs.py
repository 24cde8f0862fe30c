"""The verbs of the reference system's hooks (`pre-task`, `post-edit`, …), with real effects: policy, spool, sessions.

They open no memory. What the reference system stores and never reads is kept as an event of the run.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editors import edits, policy, restoring
from editors.hook_door import Place
from editors.sessions import Session, Sessions
from memory.errors import InputError, UsageError
from memory.keys import RESERVED, check_name
from phases import spool

BY = "hooks"
MOST_TEXT = 2000


@dataclass(frozen=True)
class Said:
    """What a verb has to say: words for people, the same as a document, and whether policy refused."""

    words: str
    document: dict[str, Any]
    refused: bool = False


@dataclass(frozen=True)
class Verbs:
    """The verbs in one workspace."""

    place: Place
    workspace: Path

    def pre_task(self, description: str, task: str | None) -> Said:
        """A task begins."""
        task = task or f"task-{time.time_ns() // 1_000_000}"
        self._event("task_started", task=task[:200], description=description[:MOST_TEXT])
        return Said(f"task {task} began", {"task": task})

    def post_task(self, task: str) -> Said:
        """A task is done."""
        self._event("task_ended", task=task[:200])
        return Said(f"task {task} is done", {"task": task})

    def pre_edit(self, file: str) -> Said:
        """A file is about to be edited: policy is asked, its size remembered."""
        path = self.workspace / file
        reason = policy.object_to_file(path, self.place.state)
        if reason is not None:
            return Said(reason, {"file": file, "allowed": False, "reason": reason}, refused=True)
        edits.seen(path, self._name(path), self._sessions)
        return Said(f"{file} may be edited", {"file": file, "allowed": True})

    def post_edit(self, file: str, key: str | None) -> Said:
        """A file was edited: its name, hash, size and growth are kept, as asserted under `key` where one is given.

        Raises:
            InputError: there is no such file.
            UsageError: the key cannot be one.
        """
        path = self.workspace / file
        if not path.is_file():
            raise InputError(f"there is no file {file!r}", code="input.missing_file", field="file", fix="check --file")
        name = None if key is None else memory_name(key)
        found = edits.record(path, self._name(path), self._sessions)
        if name is not None:
            self._keep(spool.claim(spool.whereabouts(self.workspace, BY), name, found))
        self._event("edited", **found)
        self._count("edits")
        kept = f", kept as asserted under neural/{name}" if name else ""
        return Said(f"{file}: {found['bytes']} bytes, change {found['change']:+}{kept}", {**found, "key": name})

    def pre_command(self, command: str) -> Said:
        """A command is about to run: policy is asked."""
        reason = policy.object_to_command(command, self.workspace, self.place.state, self.place.person)
        words = reason or "the command may run"
        return Said(words, {"allowed": reason is None, "reason": reason}, refused=reason is not None)

    def post_command(self, command: str, exit_code: int | None) -> Said:
        """A command has run: its program and exit code are kept, its arguments are not (they may hold secrets)."""
        program = (command.split() or [""])[0][:200]
        self._event("command_ran", program=program, exit_code=exit_code)
        self._count("commands")
        return Said(f"{program}: recorded", {"program": program, "exit_code": exit_code})

    def notify(self, message: str, level: str) -> Said:
        """A message goes on record. Nobody is sent it: the settings' channels tell of runs, in our own words."""
        self._event("message", level=level[:20], message=message[:MOST_TEXT])
        return Said(f"recorded ({level}): {message[:MOST_TEXT]}", {"recorded": True, "sent": False, "level": level})

    def session_start(self, session_id: str | None) -> Said:
        """A session begins; it is told what there is."""
        session_id = session_id or f"session-{time.time_ns() // 1_000_000}"
        return self._restored(session_id, self._sessions.previous(session_id), "")

    def session_restore(self, session_id: str) -> Said:
        """What the session left; for `latest` and an id that nobody has seen, the latest of this workspace."""
        known = None if session_id == "latest" else self._sessions.find(session_id)
        note = ""
        if known is None and session_id != "latest":
            note = f"no session {session_id!r} was seen here: this is the latest state of this workspace"
        own = session_id if session_id != "latest" else f"session-{time.time_ns() // 1_000_000}"
        return self._restored(own, known or self._sessions.previous(own), note)

    def session_end(self, export: bool) -> Said:
        """The session ends; `export` also writes what its hooks counted to a file of the state folder."""
        current = self._sessions.current() or Session(f"session-{time.time_ns() // 1_000_000}")
        with self._sessions.changing(current.id) as (session, _):
            session.ended = spool.whereabouts(self.workspace, BY)["at"]
        self._event("session_ended", session=session.id[:200], counts=session.counts)
        metrics = {"session": session.id, "started": session.started, "ended": session.ended, "counts": session.counts}
        words = f"session {session.id} ended: {json.dumps(session.counts)}"
        if not export:
            return Said(words, {"metrics": metrics, "file": None})
        path = self._sessions.folder / "metrics" / f"{time.time_ns() // 1_000_000}.json"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        return Said(f"{words}; metrics in {path}", {"metrics": metrics, "file": str(path)})

    @property
    def _sessions(self) -> Sessions:
        return Sessions(self.place.state, self.workspace)

    def _restored(self, session_id: str, previous: Session | None, note: str) -> Said:
        text, heard = restoring.whole(self.place.state, self.workspace, previous)
        with self._sessions.changing(session_id) as (session, _):
            session.told, session.ended = heard, None
            session.count("starts")
        self._event("session_started", session=session_id[:200])
        text = text or "nothing was run in this workspace yet: `neuroloom run TABLE --target COLUMN`"
        restored = previous.id if previous else None
        document = {"session": session_id, "restored": restored, "note": note or None, "text": text}
        return Said("\n".join(filter(None, [note, text])), document)

    def _name(self, path: Path) -> str:
        return edits.below_neural(path, self.workspace) or str(path)

    def _count(self, what: str) -> None:
        current = self._sessions.current()
        if current is not None:
            with self._sessions.changing(current.id) as (session, _):
                session.count(what)

    def _event(self, event_type: str, **fields: Any) -> None:
        self._keep(spool.event(spool.whereabouts(self.workspace, BY), event_type, **fields))

    def _keep(self, entry: dict[str, Any]) -> None:
        if not spool.append(self.place.state, entry):
            raise InputError(
                "the spool of hooks is full", code="input.spool_full", field=None, fix="take it in: neuroloom runs"
            )


def memory_name(key: str) -> str:
    """The name under `neural/` that a key means.

    Raises:
        UsageError: it cannot be one, or begins with a word that memory keeps for itself.
    """
    name = check_name(key.removeprefix("neural/").removeprefix("asserted/"))
    if name.split("/")[0] in RESERVED:
        words = f"{name!r} begins with a word that memory keeps for itself"
        raise UsageError(words, code="usage.key", field="key", fix="choose another first word")
    return name
