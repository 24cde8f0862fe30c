"""The notes service: the shared `neural/*` memory as people and chats read and write it.

What a person writes under a name of the process is kept as asserted, beside what was measured, never in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from agents.metrics import nearest
from memory.errors import InputError
from memory.store import Memory
from phases.services.runs import Runs, workspace_id


class Notes:
    """Reads of a run's keys and asserted writes."""

    def __init__(self, memory: Memory, runs: Runs) -> None:
        self.memory, self.runs = memory, runs

    async def get(self, run: str, key: str, envelope: bool = False) -> Any:
        """A value, or its whole envelope. `neural/` in front of the key is allowed.

        Raises:
            InputError: the run has no such key, with the nearest names.
        """
        run, name = await self.runs.resolve(run), key.removeprefix("neural/")
        found = await self.memory.get(run, name)
        if found is None:
            names = list(await self.memory.names(run))
            raise InputError(
                f"run {run!r} has no key {name!r}{nearest(name, names)}",
                code="input.no_such_key",
                field="key",
                fix=f"list them: neuroloom memory list {run}",
            )
        return dataclasses.asdict(found) if envelope else found.value

    async def set(self, key: str, value: Any, *, run: str | None = None, by: str = "cli") -> str:
        """Keep a value as asserted; returns the key it was written to."""
        full = None
        if run is not None:
            full = await self.runs.resolve(run)
        elif await self.memory.runs(workspace_id(self.runs.workspace), limit=1):
            full = await self.runs.resolve("latest")
        return await self.memory.assert_value(
            workspace_id(self.runs.workspace), full, key.removeprefix("neural/"), value, by=by
        )

    async def list(self, run: str) -> Sequence[str]:
        """Every key of the run that has a value."""
        return list(await self.memory.names(await self.runs.resolve(run)))
