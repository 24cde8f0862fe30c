"""The notes service: the shared `neural/*` memory as people and chats read and write it.

What a person writes under a name of the process is kept as asserted, beside what was measured, never in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from agents.metrics import nearest
from memory.errors import InputError, UsageError
from memory.keys import RESERVED
from memory.store import Envelope, Memory
from phases.services.runs import RUN_ID, Runs, workspace_id
from phases.spool import take

ASSERTED = "asserted/"


class Notes:
    """Reads of a run's keys and asserted writes; before the first run, of what the workspace keeps for it."""

    def __init__(self, memory: Memory, runs: Runs) -> None:
        self.memory, self.runs = memory, runs

    async def get(self, run: str, key: str, envelope: bool = False) -> Any:
        """A value, or its whole envelope; an asserted value where nothing was measured or decided.

        `neural/` in front of the key is allowed, and `asserted/<name>` always means the asserted value.

        Raises:
            InputError: the run has no such key, with the nearest names.
        """
        run_id, name = await self._place(run, key)
        asserted = await self.memory.asserted(self._workspace, run_id)
        found: Envelope | None = None
        if run_id is not None and not name.startswith(ASSERTED):
            found = await self.memory.get(run_id, name)
        found = found or asserted.get(name.removeprefix(ASSERTED))
        if found is None:
            whose = f"run {run_id!r}" if run_id else "this workspace, which has no run yet,"
            raise InputError(
                f"{whose} has no key {name!r}{nearest(name, await self._names(run_id))}",
                code="input.no_such_key",
                field="key",
                fix=f"list them: neuroloom memory list {run_id or ''}".rstrip(),
            )
        return dataclasses.asdict(found) if envelope else found.value

    async def set(self, key: str, value: Any, *, run: str | None = None, by: str = "cli") -> str:
        """Keep a value as asserted; returns the key it was written to.

        Raises:
            UsageError: the key cannot be one.
        """
        run_id, name = await self._place(run or "latest", key)
        name = name.removeprefix(ASSERTED)
        if name.split("/")[0] in RESERVED:
            raise UsageError(
                f"{name!r} begins with a word that memory keeps for itself",
                code="usage.key",
                field="key",
                fix=f"choose a name that does not begin with {', '.join(sorted(RESERVED))}",
            )
        return await self.memory.assert_value(self._workspace, run_id, name, value, by=by)

    async def list(self, run: str) -> Sequence[str]:
        """Every key that has a value, the asserted ones as `asserted/<name>`."""
        return await self._names((await self._place(run, ""))[0])

    @property
    def _workspace(self) -> str:
        return workspace_id(self.runs.workspace)

    async def _place(self, run: str, key: str) -> tuple[str | None, str]:
        """The run that is meant, None for a workspace without one, and the name; a whole physical key means its run."""
        await take(self.memory.settings.home, self.memory)  # a door may stay open for long while hooks write
        name = key.removeprefix("neural/")
        first, _, rest = name.partition("/")
        if RUN_ID.fullmatch(first) and rest:
            return await self.runs.resolve(first), rest
        if run == "latest" and not await self.memory.runs(self._workspace, limit=1):
            return None, name
        return await self.runs.resolve(run), name

    async def _names(self, run_id: str | None) -> Sequence[str]:
        asserted = [ASSERTED + name for name in await self.memory.asserted(self._workspace, run_id)]
        return [*(await self.memory.names(run_id) if run_id else []), *asserted]
