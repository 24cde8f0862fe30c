"""What closes a run's jobs in, as it is asked for, told and checked. The walls themselves are the backend's."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gpu_jobs.backends.protocol import SandboxInfo
from gpu_jobs.backends.walls import why_not
from gpu_jobs.serving.lock import lock_file
from phases.active_run import ActiveRun
from phases.gates import Check, fact
from phases.request import RunRequest
from phases.settings import RunnerSettings

OPEN: Final = ("network", "files", "environment", "processes")
"""What a job of a sandbox without walls shares with this machine."""


def reads(request: RunRequest, settings: RunnerSettings) -> tuple[str, ...]:
    """What the jobs of a run read outside its folder: its data, a champion's run, further tasks, the benchmark lock."""
    champion = (request.retrain or {}).get("folder")
    named = (request.data, request.validation, request.test, champion, settings.tasks, lock_file())
    return tuple(str(path) for path in named if path is not None)


@asynccontextmanager
async def carried(info: SandboxInfo, args: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """The arguments of a job that reads `source` and writes `out`, as they are inside: walls have these carried.

    Args:
        info: The sandbox.
        args: Arguments with the two paths as a person named them; without them, or without walls, they stay.
    """
    if info.isolation == "none" or "source" not in args:
        yield args
        return
    source, out = Path(args["source"]), Path(args["out"])
    folder = Path(tempfile.mkdtemp(prefix="carried-", dir=info.root))
    try:
        inside = {"source": folder / "in" / source.name, "out": folder / "out" / out.name}
        for path in inside.values():
            path.parent.mkdir()
        if source.is_file():  # what is no file is refused by the job, in its own words
            await asyncio.to_thread(shutil.copyfile, source, inside["source"])
        yield {**args, **{name: str(path) for name, path in inside.items()}}
        if inside["out"].is_file() and not inside["out"].is_symlink():
            await asyncio.to_thread(shutil.move, inside["out"], out)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, True)


def walls(active: ActiveRun) -> dict[str, Any]:
    """What the run's jobs are closed in by, and what is open, as plain data."""
    kind = active.jobs.info.isolation if active.jobs is not None else "none"
    return {"walls": kind, "open": list(OPEN) if kind == "none" else []}


def in_words(closed: dict[str, Any]) -> str:
    """The same as a line of a report."""
    return f"{closed['walls']}; open to jobs: {', '.join(closed['open']) or 'only what they are given'}"


def isolation_check(closed: dict[str, Any], asked: str) -> Check:
    """The gate row: what was asked for is there. It does not block: who insists on walls gets an error instead."""
    why = f"open to jobs: {', '.join(closed['open'])}" if closed["open"] else "jobs see only what they are given"
    if asked == "auto" and closed["walls"] == "none":
        why = f"{why}; {why_not() or 'the sandbox was opened without walls'}"
    return fact("isolation", closed["walls"], "none" if asked == "none" else "bubblewrap", blocking=False, why=why)
