"""What a conversation is told of this workspace's runs: all of it when it begins, what is new at its next prompt.

It reads files that the runner leaves for doors without memory, and writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from editors.sessions import Session
from phases.identity import RUN_ID, latest_run
from phases.notices import TOLD_KINDS, Notice, newest, read_notices

OPENING = "Neuroloom in this workspace, as its runner recorded it:"
NEWS = "News from Neuroloom's runner since the last prompt:"
MOST_LINES = 8
PERSONS = ("configs", "scripts", "models", "tests", "reports", "docs")
MOST_FILES = 2000


def whole(home: Path, workspace: Path, previous: Session | None) -> tuple[str, list[str]]:
    """What a beginning conversation is told, and the ids of the notices that it has heard with that.

    Returns:
        The text, empty where nothing was ever run here, and the ids.
    """
    notices = read_notices(home, workspace)
    state = newest(notices)
    lines = [*_latest(workspace, state), *_questions(state), *_since(workspace, notices, previous)]
    text = "\n".join([OPENING, *(f"- {line}" for line in lines)]) if lines else ""
    return text, [one.id for one in notices]


def news(home: Path, workspace: Path, heard: list[str]) -> tuple[str, list[str]]:
    """What a conversation has not heard yet: ended runs and open questions, one line each, and their ids."""
    state = newest(read_notices(home, workspace))
    fresh = [one for one in state.values() if one.kind in TOLD_KINDS and one.id not in heard][-MOST_LINES:]
    text = "\n".join([NEWS, *(f"- {one.line()}" for one in fresh)]) if fresh else ""
    return text, [one.id for one in fresh]


def past(home: Path, workspace: Path) -> list[str]:
    """Ids of what is over: a conversation that nobody announced is not told of it as news."""
    state = newest(read_notices(home, workspace))
    return [one.id for one in state.values() if one.kind != "waiting"]


def _latest(workspace: Path, state: dict[str, Notice]) -> Iterator[str]:
    run = latest_run(workspace)
    if run is None or not (workspace / "neural" / run).is_dir():
        return
    told = state.get(run)
    if told is None:
        yield f"latest run: {run} was started; no runner has told of it yet (`neuroloom show {run}`)"
    else:
        yield f"latest {told.line()} (recorded {told.at})"


def _questions(state: dict[str, Notice]) -> Iterator[str]:
    asked = [one for one in state.values() if one.kind == "waiting"]
    yield from (f"open question: {one.line()}" for one in asked[-MOST_LINES:])


def _since(workspace: Path, notices: list[Notice], previous: Session | None) -> Iterator[str]:
    if previous is None:
        return
    moment = previous.ended or previous.seen
    since = _seconds(moment)
    ended = [one for one in newest(notices).values() if one.kind in TOLD_KINDS and _seconds(one.at) > since]
    files = sorted(_changed(workspace, since))[:MOST_LINES]
    if ended or files:
        yield f"since the last session here ({moment}):"
    yield from (f"  {one.line()}" for one in ended[-MOST_LINES:])
    if files:
        yield f"  changed files (names are data): {', '.join(files)}"


def _changed(workspace: Path, since: float) -> Iterator[str]:
    """The person's files under `neural/` that were written since, quoted."""
    seen = 0
    for folder in PERSONS:
        for path in (workspace / "neural" / folder).rglob("*"):
            seen += 1
            if seen > MOST_FILES:
                return
            try:
                if path.is_file() and not path.is_symlink() and path.stat().st_mtime > since:
                    yield json.dumps(str(path.relative_to(workspace)))[:120]
            except OSError:
                continue


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0


def workspace_of(place: Path) -> Path:
    """The nearest folder at or above `place` in which something was run; else `place` itself."""
    for folder in (place, *place.parents):
        link = folder / "neural" / "latest"
        if link.is_symlink() and RUN_ID.fullmatch(link.readlink().name):
            return folder
    return place
