"""A house to live in for a whole journey: state folder, workspace, and the real `neuroloom` command."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from app.cli.figures import json_text
from app.settings import load
from app.wiring import open_services
from tests.leftovers import end_all

NEUROLOOM = Path(sys.executable).with_name("neuroloom")
PENGUINS = Path(__file__).resolve().parents[2] / "examples" / "penguins.csv"


@dataclass(frozen=True)
class House:
    """One state folder and one workspace."""

    home: Path
    workspace: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to live here; a short lease, so that takeovers are quick."""
        own = {"NEUROLOOM_HOME": str(self.home), "NEUROLOOM_MEMORY_LEASE_SECONDS": "2", "COLUMNS": "160"}
        return {**os.environ, **own, **self.more}

    def say(self, *words: object, code: int | None = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in the workspace and look at its exit code."""
        done = subprocess.run(
            [NEUROLOOM, *map(str, words)],
            capture_output=True,
            text=True,
            cwd=cwd or self.workspace,
            env=self.environment,
            timeout=380,
            stdin=subprocess.DEVNULL,
        )
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def document(self, *words: object, code: int | None = 0) -> dict[str, Any]:
        """Run a command with `--json` and return its one document."""
        found: dict[str, Any] = json.loads(self.say(*words, "--json", code=code).stdout)
        return found

    def memory(self, run: str) -> dict[str, Any]:
        """The value of every key that a run has, as `memory get` prints it, without a process for each."""

        async def read() -> dict[str, Any]:
            async with open_services(load(environ=self.environment)) as services:
                names = await services.notes.list(run)
                found = {name: await services.notes.get(run, name, envelope=True) for name in names}
            return {name: json.loads(json_text(one["value"])) for name, one in found.items()}

        return asyncio.run(read())

    def events(self, run: str) -> list[dict[str, Any]]:
        """Everything that was told of a run, oldest first."""

        async def read() -> list[dict[str, Any]]:
            async with open_services(load(environ=self.environment)) as services:
                return [event for _, event in await services.runs.events(run)]

        return asyncio.run(read())

    def start(self, *words: object) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            [NEUROLOOM, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.workspace,
            env=self.environment,
            stdin=subprocess.DEVNULL,
        )


def wait_for(house: House, run: str, statuses: set[str], seconds: float = 300) -> dict[str, Any]:
    """Look until the run has one of the statuses."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = json.loads(house.say("show", run, "--json", code=None).stdout)
        if found["status"] in statuses:
            return dict(found)
        Event().wait(0.2)
    failed = [check for phase in found["phases"] for check in phase["gate"] if not check["passed"]]
    raise AssertionError(f"{run} did not become {statuses}: {found['status']}, {found['error']}, {failed}")


def of_test(found: dict[str, Any]) -> dict[str, float]:
    """The metrics of the test split of a run's document; latencies are measured anew in each run."""
    rows = found["metrics"].items()
    return {name: one["value"] for name, one in rows if one["provenance"]["split"] == "test"}


def heard(lines: Iterable[str], pattern: str) -> str:
    """The first line that matches, read as a person reads it: as it is printed."""
    seen = []
    for line in lines:
        seen.append(line)
        if re.search(pattern, line):
            return line
    raise AssertionError(f"{pattern!r} was never said in:\n{''.join(seen)}")


@contextmanager
def a_house(more: dict[str, str] | None = None) -> Iterator[House]:
    """A house; everything in it is stopped and removed afterwards."""
    home, workspace = Path(tempfile.mkdtemp(prefix="nlh-")), Path(tempfile.mkdtemp(prefix="nlw-"))
    found = House(home, workspace, more or {})
    try:
        yield found
    finally:
        try:
            found.say("down", code=None)
        finally:
            end_all(home, workspace)  # `down` leaves a run's job host to its idle time
            shutil.rmtree(home, ignore_errors=True)
            shutil.rmtree(workspace, ignore_errors=True)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A house for the tests of one module, in whose workspace a person has modules of their own."""
    with a_house() as found:
        for name in ("agents", "app", "gpu_jobs", "memory", "phases", "templates"):  # a person's own files, never ours
            (found.workspace / f"{name}.py").write_text("raise RuntimeError('this file belongs to the person')\n")
        yield found


@pytest.fixture(scope="module")
def churn(house: House) -> Path:
    """A seeded table of 600 customers: numbers, categories, missing cells; who leaves is mostly learnable."""
    draw = random.Random(7)
    lines = ["age,plan,calls,city,churned"]
    for _ in range(600):
        age, calls, plan = draw.randint(18, 80), draw.randint(0, 9), draw.choice(["basic", "plus", "max"])
        leaves = (calls > 5) != (draw.random() < 0.06)
        shown = "" if draw.random() < 0.05 else str(age)
        lines.append(f"{shown},{plan},{calls},{draw.choice('ABCD')},{'yes' if leaves else 'no'}")
    path = house.workspace / "churn.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def noise(house: House) -> Path:
    """A seeded table whose target has nothing to do with its columns."""
    draw = random.Random(11)
    lines = [f"{draw.random():.3f},{draw.random():.3f},{draw.choice(['yes', 'no'])}" for _ in range(300)]
    path = house.workspace / "noise.csv"
    path.write_text("\n".join(["a,b,won", *lines]) + "\n")
    return path
