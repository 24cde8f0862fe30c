"""The hook door: one event of an editor in, one answer out. It never holds an editor up, except where policy says so.

Only the standard library is loaded on its way; what it learns goes to the spool, what it tells is in notices.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from editors import restoring
from editors.payload import Format, Payload, UnreadableError, kind_of, read
from editors.sessions import Sessions
from phases import spool

MOST_BYTES = 8 * 1024 * 1024
PERSON_AT_PROMPT = frozenset({"cursor", "vscode"})  # what they take at a prompt is shown, and not given to the model


class Answer(NamedTuple):
    """What the editor gets: JSON on standard output (None: nothing), words on standard error, and the exit code."""

    document: dict[str, Any] | None = None
    words: str = ""
    code: int = 0


class Place(NamedTuple):
    """Where a hook works: the state folder and the person's home folder."""

    state: Path
    person: Path


def answer(text: str, event: str, place: Place, wanted: Format | None = None) -> Answer:
    """The answer to one event. It raises nothing: a hook that cannot do its work says so and lets the editor go on.

    Args:
        text: Standard input.
        event: The event's name as the editor spells it; "" reads it from the payload.
        place: The state folder and the person's.
        wanted: The editor; by default it is told by the payload.
    """
    try:
        payload = read(text, event, wanted)
    except UnreadableError as error:
        return _unreadable(str(error), event, wanted)
    try:
        return _HANDLERS[payload.kind](payload, place)
    except Exception as error:  # the door's outermost frame: an editor must never suffer from us
        return Answer(words=f"neuroloom hook {payload.event}: {type(error).__name__}: {error}", code=1)


def serve(event: str, place: Place, wanted: Format | None = None) -> int:
    """Answer the event on standard input and return the exit code."""
    text = sys.stdin.buffer.read(MOST_BYTES).decode("utf-8", "replace")
    said = answer(text, event, place, wanted)
    if said.document is not None:
        sys.stdout.write(json.dumps(said.document) + "\n")
    if said.words:
        sys.stderr.write(said.words + "\n")
    return said.code


def _unreadable(why: str, event: str, wanted: Format | None) -> Answer:
    """Nothing is blocked by a payload that we cannot read; a policy hook says that it did not look."""
    if kind_of(event) != "before_tool":
        return Answer()
    words = f"Neuroloom's policy did not check this call, which goes on unchecked: {why}"
    cursor = wanted == "cursor" or (wanted is None and event[:1].islower())
    return Answer(words=words, code=1) if cursor else Answer({"systemMessage": words})


def _start(payload: Payload, place: Place) -> Answer:
    workspace, sessions = _here(payload, place)
    with sessions.changing(payload.session) as (session, _):
        text, heard = restoring.whole(place.state, workspace, sessions.previous(session.id))
        session.told, session.ended = heard, None
        session.count("starts")
    words = _spool(payload, place, workspace, "session_started") if text else ""
    return _context(payload, text)._replace(words=words)


def _prompt(payload: Payload, place: Place) -> Answer:
    workspace, sessions = _here(payload, place)
    with sessions.changing(payload.session) as (session, new):
        if new:  # nobody announced it: what ended before it is no news, what is open is
            session.told = restoring.past(place.state, workspace)
        person = payload.format in PERSON_AT_PROMPT
        heard = [mark.removeprefix("person:") for mark in session.told if mark.startswith("person:")]
        text, fresh = restoring.news(place.state, workspace, [*session.told, *heard] if person else session.told)
        session.told += [f"person:{one}" for one in fresh] if person else fresh
        session.count("prompts")
    return _context(payload, text)


def _before(payload: Payload, place: Place) -> Answer:
    from editors import edits, policy

    reason = policy.objection(payload, place.state, place.person)
    if reason is not None:
        return _denied(payload, reason)
    if payload.command is None and payload.files:
        workspace = restoring.workspace_of(payload.place)
        for path, name in _edited(payload, workspace):
            edits.seen(path, name, Sessions(place.state, workspace))
    return Answer()


def _after(payload: Payload, place: Place) -> Answer:
    from editors import edits

    workspace, sessions = _here(payload, place)
    changed, text, words = list(_edited(payload, workspace)), "", ""
    tells = payload.format in PERSON_AT_PROMPT and payload.event.lower() == "posttooluse"
    if not changed and not tells:
        return Answer()
    with sessions.changing(payload.session) as (session, new):
        if new:  # some versions of Cursor announce no session
            session.told = restoring.past(place.state, workspace)
        for path, name in changed:
            found = edits.record(path, name, sessions, payload.change if len(changed) == 1 else None)
            session.count("edits")
            words = _spool(payload, place, workspace, "edited", **found)
        if tells:
            text, fresh = restoring.news(place.state, workspace, session.told)
            session.told += fresh
    return _context(payload, text)._replace(words=words)


def _end(payload: Payload, place: Place) -> Answer:
    workspace, sessions = _here(payload, place)
    if sessions.find(payload.session) is None and not (workspace / "neural").is_dir():
        return Answer()
    with sessions.changing(payload.session) as (session, _):
        session.ended = spool.whereabouts(workspace, "")["at"]
    return Answer(words=_spool(payload, place, workspace, "session_ended", counts=session.counts))


def _stop(payload: Payload, place: Place) -> Answer:
    _, sessions = _here(payload, place)
    if sessions.find(payload.session) is not None:
        with sessions.changing(payload.session) as (session, _):
            session.count("turns")
    return Answer()


def _pass(_payload: Payload, _place: Place) -> Answer:
    return Answer()


def _here(payload: Payload, place: Place) -> tuple[Path, Sessions]:
    workspace = restoring.workspace_of(payload.place)
    return workspace, Sessions(place.state, workspace)


def _edited(payload: Payload, workspace: Path) -> list[tuple[Path, str]]:
    """Files of the call under the workspace's `neural/`, with their names there; reading tools edit nothing."""
    from editors import edits, policy

    if payload.tool and not policy.CHANGES.search(payload.tool):
        return []
    paths = [payload.place / name for name in payload.files]
    return [(path, name) for path in paths if (name := edits.below_neural(path, workspace)) is not None]


def _spool(payload: Payload, place: Place, workspace: Path, event_type: str, **fields: Any) -> str:
    """Leave an event for the runner; the answer is empty, or says that it was not kept."""
    where = spool.whereabouts(workspace, payload.format)
    if spool.append(place.state, spool.event(where, event_type, session=payload.session, **fields)):
        return ""
    return f"neuroloom hook {payload.event}: not kept, because the spool of hooks is full; take it in: neuroloom runs"


def _context(payload: Payload, text: str) -> Answer:
    """Text that is added to the conversation."""
    if not text:
        return Answer()
    if payload.format == "vscode" and payload.kind == "prompt":
        return Answer({"systemMessage": text})
    if payload.format != "cursor":
        event = {"session_start": "SessionStart", "prompt": "UserPromptSubmit"}.get(payload.kind, payload.event)
        return Answer({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}})
    if payload.kind == "prompt":
        return Answer({"continue": True, "user_message": text})
    return Answer({"additional_context": text})


def _denied(payload: Payload, reason: str) -> Answer:
    if payload.format == "cursor":
        return Answer({"permission": "deny", "user_message": reason, "agent_message": reason})
    decision = {"permissionDecision": "deny", "permissionDecisionReason": reason}
    return Answer({"hookSpecificOutput": {"hookEventName": "PreToolUse", **decision}})


_HANDLERS = {
    "session_start": _start,
    "prompt": _prompt,
    "before_tool": _before,
    "after_tool": _after,
    "stop": _stop,
    "session_end": _end,
    "other": _pass,
}
