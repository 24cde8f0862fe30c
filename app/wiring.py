"""Puts the parts together: services for a door, the runner's start, and the end of everything. Parts load when used."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.settings import Settings

if TYPE_CHECKING:
    from app.services import Services
    from memory.store import Memory
    from phases.services.comparison import Comparison
    from phases.services.datasets import Datasets
    from phases.services.deployments import Deployments
    from phases.services.figures import Figures
    from phases.services.guard import Guard
    from phases.services.models import Models
    from phases.services.notes import Notes
    from phases.services.runs import Runs
    from phases.services.steering import Steering

RUNNER_MODULE = "app.runner"
STOP_SECONDS = 15.0


class OpenServices:
    """The services of this folder's workspace; a command pays only for the ones that it uses."""

    def __init__(self, settings: Settings, memory: Memory, note: Callable[[str], None] | None) -> None:
        self.settings, self.memory = settings, memory
        self._note = note

    def _ensure(self) -> None:
        """A runner lives; that it has other settings than this door is said once."""
        other = ensure_runner(self.settings)
        if other and self._note is not None:
            self._note(f"the runner that is alive keeps its own {', '.join(other)}; yours hold for the next runner")
            self._note = None

    @cached_property
    def runs(self) -> Runs:
        """Start, read and steer runs."""
        from phases.services.runs import Runs

        return Runs(self.memory, str(Path.cwd()), self._ensure, self.settings.runner)

    @cached_property
    def deployments(self) -> Deployments:
        """What is served."""
        from phases.services.deployments import Deployments

        return Deployments(self.memory, self.runs, self.settings.home)

    @cached_property
    def models(self) -> Models:
        """Predict and retrain."""
        from phases.services.models import Models

        return Models(self.memory, self.runs, self.deployments, self.settings.runner)

    @cached_property
    def steering(self) -> Steering:
        """Orders to live runs."""
        from phases.services.steering import Steering

        return Steering(self.memory, self.runs, self.settings.runner)

    @cached_property
    def comparison(self) -> Comparison:
        """Runs side by side."""
        from phases.services.comparison import Comparison

        return Comparison(self.memory, self.runs)

    @cached_property
    def figures(self) -> Figures:
        """Figures of reports."""
        from phases.services.figures import Figures

        return Figures(self.runs)

    @cached_property
    def notes(self) -> Notes:
        """Shared memory, as people read and write it."""
        from phases.services.notes import Notes

        return Notes(self.memory, self.runs)

    @cached_property
    def datasets(self) -> Datasets:
        """Tables kept by name."""
        from phases.services.datasets import Datasets

        settings = self.settings
        return Datasets(Path.cwd(), settings.runner, settings.dataset, settings.privacy)

    @cached_property
    def guard(self) -> Guard:
        """What may leave through doors other than the command line."""
        from phases.services.guard import Guard

        return Guard(self.memory, self.settings.privacy.level)


@asynccontextmanager
async def open_services(
    settings: Settings, note: Callable[[str], None] | None = None, *, confined: bool = False
) -> AsyncIterator[Services]:
    """The services, on an open memory (the embedded Redis is started when it is dead).

    Args:
        settings: The door's.
        note: Tells the person something beside the result.
        confined: Runs of other workspaces are not there for this door.

    Raises:
        RedisAway: Redis does not answer, within a second.
    """
    from memory.store import open_memory
    from phases.spool import take

    async with open_memory(settings.memory, "door") as memory:
        await take(settings.home, memory)
        opened = OpenServices(settings, memory, note)
        if confined:
            opened.runs.confined = True
        yield opened


def runner_settings_file(settings: Settings) -> Path:
    """Where the runner finds its settings: a private file, because a Redis address may hold a password."""
    return settings.home / "runner.json"


def ensure_runner(settings: Settings) -> list[str]:
    """Start a runner of this state folder unless one lives; the settings in which the living one differs."""
    from phases.lock import held
    from phases.starting import ensure_runner as ensure

    path = runner_settings_file(settings)
    if held(settings.home / "runner.lock"):
        return _differing(path, settings.runner.own())
    write_private(path, settings.runner.model_dump_json())
    ensure(settings.home, [settings.runner.python, "-P", "-m", RUNNER_MODULE, str(path)])
    return []


def _differing(path: Path, mine: dict[str, Any]) -> list[str]:
    """Names of the runner's own settings that are others in the file of the living runner."""
    try:
        living = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [name for name, value in mine.items() if living.get(name) != value]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


async def shut_down(settings: Settings) -> list[dict[str, Any]]:
    """Stop the runner, the deployments and the embedded Redis of this state folder, in that order.

    Returns:
        One row per part: `{"what", "stopped", "detail"}`; `stopped` is False where nothing ran.
    """
    return [
        {"what": "runner", **await asyncio.to_thread(_stop_runner, settings)},
        {"what": "deployments", **await _stop_supervisor(settings)},
        {"what": "redis", **await asyncio.to_thread(_stop_redis, settings)},
    ]


def _stop_runner(settings: Settings) -> dict[str, Any]:
    import psutil

    mine = str(runner_settings_file(settings))
    found = [
        p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[-3:] == ["-m", RUNNER_MODULE, mine]
    ]
    for process in found:
        process.terminate()
    _, alive = psutil.wait_procs(found, timeout=STOP_SECONDS)
    for process in alive:
        process.kill()
    detail = "its runs go on when a command starts the next runner" if found else "none ran"
    return {"stopped": bool(found), "detail": detail}


async def _stop_supervisor(settings: Settings) -> dict[str, Any]:
    from phases.supervisor.client import shut_down

    names = await shut_down(settings.home)
    return {"stopped": bool(names), "detail": ", ".join(names) if names else "none ran"}


def _stop_redis(settings: Settings) -> dict[str, Any]:
    from memory.embedded import EmbeddedRedis

    if settings.memory.url is not None:
        return {"stopped": False, "detail": "a configured Redis is left alone"}
    began = time.monotonic()
    ran = EmbeddedRedis(settings.home).stop()
    return {"stopped": ran, "detail": f"flushed in {time.monotonic() - began:.1f} s" if ran else "none ran"}
