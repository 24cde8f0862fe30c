"""What an editor's hook gets on standard input, read into one shape: Claude Code, Cursor and VS Code.

It trusts nothing: a field of the wrong type is a field that is absent. It decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

Format = Literal["claude-code", "cursor", "vscode"]
FORMATS: tuple[Format, ...] = ("claude-code", "cursor", "vscode")
Kind = Literal["session_start", "prompt", "before_tool", "after_tool", "stop", "session_end", "other"]

KINDS: dict[str, Kind] = {
    "sessionstart": "session_start",
    "userpromptsubmit": "prompt",
    "userpromptsubmitted": "prompt",
    "beforesubmitprompt": "prompt",
    "pretooluse": "before_tool",
    "beforeshellexecution": "before_tool",
    "beforemcpexecution": "before_tool",
    "posttooluse": "after_tool",
    "aftershellexecution": "after_tool",
    "aftermcpexecution": "after_tool",
    "afterfileedit": "after_tool",
    "aftertabfileedit": "after_tool",
    "stop": "stop",
    "sessionend": "session_end",
}
PATHS = ("file_path", "filePath", "notebook_path", "path", "target_file", "old_path", "new_path", "destination")
PATH_LISTS = ("files", "paths", "filePaths")
PATCHES = ("patch", "input", "content")
PATCHED = ("*** Update File: ", "*** Add File: ", "*** Delete File: ", "*** Move to: ")


class UnreadableError(ValueError):
    """The payload is no JSON object."""


class Payload(NamedTuple):
    """One hook call.

    Attributes:
        event: The editor's own name of it.
        session: The editor's id of the conversation, or "".
        place: The folder that relative paths mean.
        tool: Name of the tool, or "".
        command: Of a shell tool, else None.
        files: Paths that the tool writes or has written, as they were given.
        change: Bytes by which an edit grew a file, as far as the payload tells.
    """

    event: str
    kind: Kind
    format: Format
    session: str
    place: Path
    tool: str = ""
    command: str | None = None
    files: tuple[str, ...] = ()
    change: int | None = None


def read(text: str, event: str, wanted: Format | None = None) -> Payload:
    """The payload of an event; `wanted` overrides what the payload looks like.

    Raises:
        UnreadableError: it is no JSON object.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"the hook's payload is no JSON: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise UnreadableError(f"the hook's payload is a {type(found).__name__}, not an object")
    name = event or _text(found, "hook_event_name", "hookEventName")
    about = _tool_input(found)
    return Payload(
        event=name,
        kind=kind_of(name),
        format=wanted or detect(found, name),
        session=_text(found, "session_id", "sessionId", "conversation_id")[:200] or "unnamed",
        place=_place(found),
        tool=_text(found, "tool_name", "toolName"),
        command=_text(about, "command") or _text(found, "command") or None,
        files=tuple(dict.fromkeys(_files({**about, **_own_files(found)}))),
        change=_change({**found, **about}),
    )


def kind_of(event: str) -> Kind:
    """What an event's name means, in any editor's spelling; events that we do not know are `other`."""
    return KINDS.get(event.replace("_", "").replace("-", "").lower(), "other")


def detect(found: dict[str, Any], event: str) -> Format:
    """The editor that a payload comes from, told by the names of its fields."""
    if {"conversation_id", "cursor_version", "workspace_roots", "generation_id"} & set(found):
        return "cursor"
    if {"sessionId", "hookEventName", "toolName"} & set(found):
        return "vscode"
    return "cursor" if event[:1].islower() and "session_id" not in found else "claude-code"


def _text(found: dict[str, Any], *names: str) -> str:
    return next((found[name] for name in names if isinstance(found.get(name), str) and found[name]), "")


def _tool_input(found: dict[str, Any]) -> dict[str, Any]:
    """The tool's arguments; Cursor gives those of an MCP tool as text."""
    about = found.get("tool_input", found.get("toolInput", found.get("toolArgs")))
    if isinstance(about, str):
        try:
            about = json.loads(about)
        except (ValueError, RecursionError):
            return {}
    return about if isinstance(about, dict) else {}


def _own_files(found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("file_path", "filePath") if name in found}


def _place(found: dict[str, Any]) -> Path:
    roots = found.get("workspace_roots")
    first = next((one for one in roots if isinstance(one, str) and one), "") if isinstance(roots, list) else ""
    said = _text(found, "cwd") or first
    place = Path(local(said)) if said and "\0" not in said else Path.cwd()
    return place if place.is_absolute() else Path.cwd() / place


def _files(about: dict[str, Any]) -> Iterator[str]:
    named = [about.get(name) for name in PATHS]
    for name in PATH_LISTS:
        listed = about.get(name)
        named += listed if isinstance(listed, list) else [listed]
    for one in named:
        said = _text(one, *PATHS) if isinstance(one, dict) else one
        if isinstance(said, str) and said and "\0" not in said:
            yield local(said)
    for name in PATCHES:
        if isinstance(about.get(name), str) and "*** " in about[name]:
            yield from _patched(about[name])


def _patched(text: str) -> Iterator[str]:
    for line in text.splitlines():
        for mark in PATCHED:
            if line.startswith(mark):
                yield line.removeprefix(mark).strip()


def local(said: str) -> str:
    """A path from a path or a `file:` address."""
    return unquote(urlsplit(said).path) if said.startswith("file://") else said


def _change(about: dict[str, Any]) -> int | None:
    """Bytes that came less bytes that went, where old and new text are both told."""
    edits = about.get("edits")
    pairs = [one for one in edits if isinstance(one, dict)] if isinstance(edits, list) else [about]
    told = [_grown(one) for one in pairs]
    return None if not told or None in told else sum(one for one in told if one is not None)


def _grown(edit: dict[str, Any]) -> int | None:
    old = edit.get("old_string", edit.get("oldString"))
    new = edit.get("new_string", edit.get("newString"))
    return len(new.encode()) - len(old.encode()) if isinstance(old, str) and isinstance(new, str) else None
