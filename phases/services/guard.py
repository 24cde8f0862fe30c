"""What is known of a run's table, for whoever tells of it through a door. It reads what jobs wrote, and no table."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from memory.store import Memory
from phases.privacy.level import Level
from phases.privacy.privacy import Privacy
from phases.privacy.schema import Schema
from phases.workspace import read_json

MOST_KEPT = 255


class Guard:
    """Makes the `Privacy` of runs at the level that is set."""

    def __init__(self, memory: Memory, level: Level) -> None:
        self.memory, self.level = memory, level
        self._whole: dict[str, Schema] = {}

    def plain(self, *said: str) -> Privacy:
        """For what is about no run; `said` are names that the caller gave itself."""
        return Privacy(self.level, said=said)

    async def of(self, run: str, *said: str) -> Privacy:
        """For one run, by its full id: its columns, classes and personal data are known."""
        return Privacy(self.level, await self.schema(run), said)

    async def schema(self, run: str) -> Schema:
        """The schema of a run's table; empty while nothing is known, and read once when all is: it stays as it is."""
        if run in self._whole:
            return self._whole[run]
        dataset, state = await self._value(run, "dataset"), await self._value(run, "state") or {}
        if not state.get("workspace"):
            return Schema.of(dataset)
        schema, whole = await asyncio.to_thread(_schema, dataset, Path(state["workspace"]))
        if whole:
            self._whole = {**dict(list(self._whole.items())[-MOST_KEPT:]), run: schema}
        return schema

    async def _value(self, run: str, name: str) -> Any:
        found = await self.memory.get(run, name)
        return None if found is None else found.value


def _schema(dataset: dict[str, Any] | None, root: Path) -> tuple[Schema, bool]:
    """The schema, and whether there is nothing more to be known."""
    snapshot, fitted = _read(root / "data" / "snapshot.json"), _read(root / "data" / "preprocessing.json")
    found = [_read(path).get("personal") for path in sorted(root.glob("jobs/profile-*/result.json"))]
    known = [one for one in found if one is not None]
    personal = {name: kind for one in known for name, kind in one.items()} if known else None
    schema = Schema.of(dataset, snapshot.get("columns") or (), fitted.get("fields") or (), personal)
    return schema, bool(dataset and snapshot and fitted and known)


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = read_json(path)
        if isinstance(found, dict):
            return found
    return {}
