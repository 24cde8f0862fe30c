"""What is known of the table behind a run: columns, kinds, classes, personal data. Read once per state of the run.

Privacy is pure and needs this; it comes from memory and from the results that the run's jobs left in its folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memory.store import Memory
from phases.privacy.schema import Schema
from phases.views import RunView

KEPT = 64
Marks = tuple[str, str | None, tuple[int, ...]]


class Schemas:
    """Schemas of runs, remembered until their sources change."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._kept: dict[str, tuple[Marks, Schema]] = {}

    async def of(self, view: RunView) -> Schema:
        """The schema of a run's table; empty while no job has looked at it."""
        root = Path(view.workspace)
        paths = _sources(root)
        marks: Marks = (view.status, view.target, tuple(path.stat().st_mtime_ns for path in paths))
        found = self._kept.get(view.run_id)
        if found is not None and found[0] == marks:
            return found[1]
        dataset = await self.memory.get(view.run_id, "dataset")
        schema = _schema(paths, {"target": view.target, **(dataset.value if dataset else {})})
        while len(self._kept) >= KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[view.run_id] = (marks, schema)
        return schema


def _sources(root: Path) -> list[Path]:
    names = ("jobs/snapshot/result.json", "jobs/profile-*/result.json", "models/preprocessing.json")
    return sorted(path for name in names for path in root.glob(name))


def _schema(paths: list[Path], dataset: Mapping[str, Any]) -> Schema:
    facts: list[Mapping[str, Any]] = []
    fields: list[Mapping[str, Any]] = []
    personal: dict[str, str] | None = None
    for path in paths:
        document = _read(path)
        if path.name == "preprocessing.json":
            fields = document.get("fields") or []
        elif path.parent.name == "snapshot":
            facts = document.get("columns") or []
        elif "personal" in document:
            personal = {**(personal or {}), **document["personal"]}
    return Schema.of(dataset, facts, fields, personal)


def _read(path: Path) -> dict[str, Any]:
    """A job's result; nothing where it is gone or being replaced, so that less is known and less leaves."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
