"""Installs the parts of an editor, and takes them out again: existing configuration is kept, files are written whole.

What was there before is kept in a private record in the state folder, so that an installation that nobody touched
since is undone byte for byte; where somebody did, only our entries are taken out, and what they replaced comes back.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from editors import jsonc
from editors.fragments import EditError
from editors.parts import Editor, Part, Target
from memory.errors import InputError

Done = Literal["written", "unchanged", "removed", "restored", "left"]


@dataclass(frozen=True)
class Change:
    """What happened, or would happen, to one file; `before` and `after` are None where there is no file."""

    path: Path
    before: bytes | None
    after: bytes | None
    done: Done
    why: str = ""

    def diff(self) -> str:
        """The change as a unified diff."""
        old, new = (
            [] if found is None else found.decode("utf-8", "replace").splitlines(keepends=True)
            for found in (self.before, self.after)
        )
        name = str(self.path)
        return "".join(difflib.unified_diff(old, new, name if old else "/dev/null", name if new else "/dev/null"))


class Installer:
    """One editor in one place."""

    def __init__(self, editor: Editor, target: Target) -> None:
        self.editor, self.target = editor, target
        place = hashlib.sha256(str(target.base.resolve()).encode()).hexdigest()[:12]
        self.record = target.state / "editors" / "records" / f"{editor}-{place}.json"

    def plan(self, wanted: list[Part]) -> list[Change]:
        """What installing these parts changes; nothing is written.

        Raises:
            InputError: `input.editor_file`: a file cannot be read, or belongs to somebody else.
        """
        known = self._known()
        return [self._planned(part, known.get(str(part.path))) for part in wanted]

    def install(self, wanted: list[Part]) -> list[Change]:
        """Write the parts; a second time changes nothing.

        Raises:
            InputError: `input.editor_file`: a file cannot be read or written, or belongs to somebody else.
        """
        changes, known = self.plan(wanted), self._known()
        for part, change in zip(wanted, changes, strict=True):
            known[str(part.path)] = self._remembered(part, change, known.get(str(part.path)))
        self._keep(known)  # first: whoever is killed from here on can be undone
        for change in changes:
            if change.done == "written" and change.after is not None:
                _told(change.path, partial(_write, change.path, change.after))
        return changes

    def undo(self) -> list[Change]:
        """What uninstalling changes, newest part first; nothing is written."""
        known = self._known()
        shared = self._used_elsewhere()
        return [self._undone(Path(name), row) for name, row in reversed(known.items()) if name not in shared]

    def uninstall(self) -> list[Change]:
        """Take everything of ours out again.

        Raises:
            InputError: `input.editor_file`: a file cannot be read or written.
        """
        changes, folders = self.undo(), [name for row in self._known().values() for name in row["folders"]]
        for change in changes:
            if change.after is None and change.done in {"removed", "restored"}:
                _told(change.path, partial(change.path.unlink, missing_ok=True))
            elif change.after is not None and change.done != "left":
                _told(change.path, partial(_write, change.path, change.after))
        for name in sorted(set(folders), key=len, reverse=True):
            _remove_empty(Path(name))
        self.record.unlink(missing_ok=True)
        return changes

    # ---- one part -------------------------------------------------------------------------------------------------

    def _planned(self, part: Part, row: dict[str, Any] | None) -> Change:
        before = _read(part.path)
        if part.text is not None:
            after = part.text.encode()
            ours = before is None or before == after or (row is not None and _hash(before) == row["after"])
            if not ours and not part.shared:
                raise _refused(part.path, "is there already and is not ours", "move it away, or take our entry by hand")
        else:
            after = self._merged(part, before, row)
        return Change(part.path, before, after, "unchanged" if before == after else "written")

    def _merged(self, part: Part, before: bytes | None, row: dict[str, Any] | None) -> bytes:
        text, fragment = _decoded(part.path, before or b""), part.fragment or {}
        if row is not None and text.strip() and row["fragment"] != fragment:
            text = _edited(part.path, lambda: _stripped(text, row))
        return _edited(part.path, lambda: jsonc.merge(text, fragment)).encode()

    def _remembered(self, part: Part, change: Change, row: dict[str, Any] | None) -> dict[str, Any]:
        """What undoing needs to know: the file as it was before us, as it is with us, and the folders that we make."""
        before = change.before
        if row is not None and before is not None:
            if _hash(before) == row["after"] or before == _bytes(row["before"]):
                before = _bytes(row["before"])
            elif part.fragment is not None:  # somebody changed it since: without our entries it is what was before
                now = _decoded(part.path, before)
                before = _edited(part.path, lambda: _stripped(now, row)).encode()
        if part.shared:
            before = None  # in our own folder: it goes with the last that needs it
        folders = [] if row is None else list(row["folders"])
        return {
            "before": None if before is None else base64.b64encode(before).decode(),
            "after": _hash(change.after or b""),
            "fragment": part.fragment,
            "folders": [*folders, *(str(one) for one in _absent_folders(part.path))],
        }

    def _undone(self, path: Path, row: dict[str, Any]) -> Change:
        now, before = _read(path), _bytes(row["before"])
        if now is None:
            return Change(path, None, None, "left", "it is gone already")
        if now == before or _hash(now) == row["after"]:
            return Change(path, now, before, "removed" if before is None else "restored")
        if row["fragment"] is None:
            return Change(path, now, now, "left", "somebody changed it since")
        try:
            left = _stripped(_decoded(path, now), row)
            nothing = before is None and _only_plain(jsonc.value(left), row["fragment"])
        except EditError as error:
            return Change(path, now, now, "left", f"our entries cannot be taken out of it: {error}")
        return Change(path, now, None if nothing else left.encode(), "removed")

    # ---- the record -----------------------------------------------------------------------------------------------

    def _known(self) -> dict[str, dict[str, Any]]:
        return _record(self.record)

    def _used_elsewhere(self) -> set[str]:
        """Files that another installation of this editor needs too."""
        others = self.record.parent.glob(f"{self.editor}-*.json")
        return {name for path in others if path != self.record for name in _record(path)}

    def _keep(self, known: dict[str, dict[str, Any]]) -> None:
        self.record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self.record, json.dumps(known).encode(), mode=0o600)


def _record(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _stripped(text: str, row: dict[str, Any]) -> str:
    """A file that was changed since, without our entries and with what stood in their place."""
    before = _bytes(row["before"]) or b""
    said = jsonc.value(before.decode()) if before.strip() else {}
    return jsonc.strip(text, row["fragment"], said)


def _edited(path: Path, work: Callable[[], str]) -> str:
    try:
        return work()
    except EditError as error:
        raise _refused(path, f"is no JSON object that we can change: {error}", "correct it, then again") from error


def _only_plain(left: Any, fragment: dict[str, Any]) -> bool:
    """Whether nothing is left but plain values of ours, such as `"version": 1`."""
    return isinstance(left, dict) and all(fragment.get(key) == one for key, one in left.items())


def _absent_folders(path: Path) -> Iterator[Path]:
    for folder in path.parents:
        if folder.exists():
            return
        yield folder


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # somebody else's files are in it


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}", "look at its permissions") from error


def _decoded(path: Path, found: bytes) -> str:
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path, "is no UTF-8 text", "save it as UTF-8, then again") from error


def _write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file whole or not at all, where a link leads, with the permissions that it had."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = mode if mode is not None else (path.stat().st_mode & 0o777 if path.exists() else 0o644)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(kept)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _told(path: Path, work: Callable[[], None]) -> None:
    try:
        work()
    except OSError as error:
        raise _refused(path, f"cannot be written: {error.strerror}", "look at its permissions") from error


def _refused(path: Path, what: str, fix: str) -> InputError:
    return InputError(f"{str(path)!r} {what}", code="input.editor_file", field="file", fix=fix)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
