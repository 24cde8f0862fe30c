"""What doors without memory may know of runs: one small file per workspace, `<home>/notices/<workspace id>.jsonl`.

The runner adds a line when a run goes on, ends or asks. A line holds ids, states and error codes only: no cell, no
column name, no message, so whoever reads it puts no text of anybody else before a model.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from phases.identity import RUN_ID, workspace_id

KINDS = frozenset({"running", "waiting", "deployed", "finished", "rejected", "failed", "cancelled"})
TOLD_KINDS = KINDS - {"running"}
KEPT = 200
MOST_BYTES = 128 * 1024
_CODE = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{5,20}(?:Z|[+-]\d\d:\d\d)?")


class Notice(NamedTuple):
    """One change of a run.

    Attributes:
        id: Names the change; a change told twice has the same one.
        kind: The run's state.
        code: Of the error, or the kind of the question.
    """

    id: str
    run: str
    kind: str
    at: str
    code: str | None = None

    def line(self) -> str:
        """One sentence, made of ids and codes."""
        return f"run {self.run} {_SAYS[self.kind].format(run=self.run, code=self.code or 'unknown')}"


_SAYS = {
    "running": "is running",
    "waiting": "waits for a person ({code}): see `neuroloom show {run}`, answer with `neuroloom approve {run}`",
    "deployed": "ended: trained, validated and deployed; report: `neuroloom report {run}`",
    "finished": "ended: trained and validated, not deployed; report: `neuroloom report {run}`",
    "rejected": "ended: its gate rejected the model ({code}); why: `neuroloom report {run}`",
    "failed": "failed ({code}): see `neuroloom show {run}`, go on with `neuroloom resume {run}`",
    "cancelled": "was cancelled; go on with `neuroloom resume {run}`",
}


def notice_of(run: str, state: dict[str, Any]) -> Notice | None:
    """The notice that a run's state is worth, or None."""
    kind = state.get("state")
    if kind not in KINDS:
        return None
    about = state.get("question") if kind == "waiting" else state.get("error")
    code = (about or {}).get("kind" if kind == "waiting" else "code")
    mark = (about or {}).get("id") if kind == "waiting" else state.get("updated_at")
    return Notice(f"{run}:{kind}:{mark}", run, str(kind), str(state.get("updated_at")), code)


def leave_notice(home: Path, run: str, state: dict[str, Any]) -> Notice | None:
    """Write the notice that the state is worth and return it; a disk that is full costs the notice, never the run."""
    import logging

    notice = notice_of(run, state)
    if notice is not None:
        try:
            write_notice(home, Path(state["workspace"]).parents[1], notice)
        except OSError as trouble:
            logging.getLogger("neuroloom.notices").warning("run %s: no notice was left: %s", run, trouble)
    return notice


def write_notice(home: Path, workspace: Path, notice: Notice) -> bool:
    """Add a notice unless it is there already; True when it was added. The oldest leave beyond `KEPT`.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    from phases.lock import only_one

    path = _file(home, workspace_id(workspace))
    with only_one(path.with_suffix(".lock"), patience=2.0) as mine:
        if not mine:
            raise TimeoutError(f"{path.name} is being written by another process")
        known = list(read_notices(home, workspace))
        if any(one.id == notice.id for one in known):
            return False
        text = "".join(json.dumps(one._asdict()) + "\n" for one in [*known, notice][-KEPT:])
        fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
        with open(fresh, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text)
        fresh.replace(path)
    return True


def read_notices(home: Path, workspace: Path) -> list[Notice]:
    """The workspace's notices, oldest first; what is no notice is skipped, and so are runs that were removed."""
    try:
        with _file(home, workspace_id(workspace)).open(encoding="utf-8", errors="replace") as file:
            lines = file.read(MOST_BYTES).splitlines()
    except OSError:
        return []
    return [one for one in _parsed(lines) if (workspace / "neural" / one.run).is_dir()]


def newest(notices: list[Notice]) -> dict[str, Notice]:
    """The newest notice of each run, the run that was told of last at the end."""
    found: dict[str, Notice] = {}
    for notice in notices:
        found.pop(notice.run, None)
        found[notice.run] = notice
    return found


def _file(home: Path, workspace: str) -> Path:
    return home / "notices" / f"{workspace}.jsonl"


def _parsed(lines: list[str]) -> Iterator[Notice]:
    for line in lines:
        try:
            notice = Notice(**json.loads(line))
        except (ValueError, TypeError):
            continue
        if _plain(notice):
            yield notice


def _plain(notice: Notice) -> bool:
    """Whether every field is what we write: nothing else of the file reaches a model."""
    words = (notice.run, notice.kind, notice.at, notice.id, notice.code or "x")
    return (
        all(isinstance(word, str) and len(word) < 200 for word in words)
        and RUN_ID.fullmatch(notice.run) is not None
        and notice.kind in KINDS
        and _TIME.fullmatch(notice.at) is not None
        and _CODE.fullmatch(notice.code or "x") is not None
    )
