"""A workspace with a run and its state folder, as the runner leaves them, and hooks asked as editors ask them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from editors.hook_door import Answer, Place, answer
from phases.notices import leave_notice

RUN, SECOND = "r-20261130-101112-abcd", "r-20261130-111213-efgh"
Told = Callable[..., None]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    (place / "neural" / "configs").mkdir(parents=True)
    return place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "state", tmp_path)


@pytest.fixture
def told(place: Place, workspace: Path) -> Told:
    """What the runner tells of a run when it changes."""

    def tell(kind: str, at: str, run: str = RUN, **more: Any) -> None:
        folder = workspace / "neural" / run
        folder.mkdir(exist_ok=True)
        latest = workspace / "neural" / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(run)
        state = {"state": kind, "updated_at": f"2026-11-30T{at}.000+00:00", "workspace": str(folder), **more}
        leave_notice(place.state, run, state)

    return tell


def spooled(place: Place) -> list[dict[str, Any]]:
    """What hooks have left for memory."""
    path = place.state / "spool" / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Editor:
    """One conversation of an editor: sends events in its format."""

    def __init__(self, kind: str, place: Place, workspace: Path, session: str = "s-1") -> None:
        self.kind, self.place, self.workspace, self.session = kind, place, workspace, session

    def send(self, event: str, **fields: Any) -> Answer:
        if self.kind == "cursor":
            base = {"conversation_id": self.session, "generation_id": "g", "workspace_roots": [str(self.workspace)]}
            base |= {"hook_event_name": event, "cursor_version": "2.1"}
        elif self.kind == "vscode":
            base = {"sessionId": self.session, "hookEventName": event, "cwd": str(self.workspace), "timestamp": "t"}
        else:
            base = {"session_id": self.session, "hook_event_name": event, "cwd": str(self.workspace)}
            base |= {"transcript_path": "/tmp/t.jsonl", "permission_mode": "default"}
        return answer(json.dumps({**base, **fields}), event, self.place)
