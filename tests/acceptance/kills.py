"""Seeded `kill -9` of runner, job and embedded Redis in every phase, and what each run must still be afterwards.

    python -P tests/acceptance/kills.py --kills 20 --seed 1

Each kill has a run of its own with the recorded decisions of one undisturbed run (`--from`). After the takeover the
run must be deployed, its test metrics must be those of the undisturbed run to the last bit, no job that had finished
may have been started again, and the run must have been deployed exactly once. Prints a row per kill; exits 1 on a miss.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from app.settings import Settings, load
from app.wiring import open_services, shut_down
from memory.errors import NeuroloomError
from phases import PHASES
from phases.request import RunRequest
from phases.views import RunView

DATA = Path(__file__).resolve().parents[2] / "examples" / "penguins.csv"
TARGETS = ("runner", "job", "redis")
LONGEST = 240.0


@dataclass(frozen=True)
class Kill:
    """One planned kill: which process, in which phase, how long after the phase began (as a share of its length)."""

    phase: str
    target: str
    share: float


def plan(kills: int, seed: int) -> list[Kill]:
    """At least one kill per phase and target, then more at random, all seeded."""
    draw = random.Random(seed)
    grid = [(row.name, target) for row in PHASES for target in TARGETS]
    more = [(draw.choice(PHASES).name, draw.choice(TARGETS)) for _ in range(max(0, kills - len(grid)))]
    if kills < len(grid):
        grid = [(row.name, TARGETS[(i + seed) % 3]) for i, row in enumerate(PHASES)][:kills]
    return [Kill(phase, target, draw.uniform(0.05, 0.9)) for phase, target in [*grid, *more][:kills]]


@asynccontextmanager
async def state() -> AsyncIterator[tuple[Settings, Path]]:
    """A state folder and a workspace of their own, stopped and removed afterwards."""
    home, workspace = Path(tempfile.mkdtemp(prefix="nlk-")), Path(tempfile.mkdtemp(prefix="nlw-"))
    environment = {"NEUROLOOM_HOME": str(home), "NEUROLOOM_MEMORY_LEASE_SECONDS": "2", "PATH": os.environ["PATH"]}
    settings = load(environ=environment)
    before = Path.cwd()
    os.chdir(workspace)
    try:
        yield settings, workspace
    finally:
        os.chdir(before)
        await shut_down(settings)
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(workspace, ignore_errors=True)


async def start(settings: Settings, request: RunRequest) -> RunView:
    """Start a run as a door does."""
    async with open_services(settings) as services:
        return await services.runs.start(request)


async def look(settings: Settings, run: str) -> RunView | None:
    """The run as a door sees it; None while Redis is away."""
    try:
        async with open_services(settings) as services:
            return await services.runs.get(run)
    except NeuroloomError:
        return None


async def ended(settings: Settings, run: str) -> RunView:
    """Look until the run has ended, as a person who watches would."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        view = await look(settings, run)
        if view is not None and (view.ended or view.status == "waiting"):
            return view
        await asyncio.sleep(0.2)
    raise TimeoutError(f"run {run} has not ended in {LONGEST:.0f} s")


async def in_phase(settings: Settings, run: str, phase: str) -> RunView:
    """Look until the run is in the phase."""
    while True:
        view = await look(settings, run)
        if view is not None:
            status = next(one.status for one in view.phases if one.name == phase)
            if status == "running" or view.ended:
                return view
        await asyncio.sleep(0.01)


def processes(settings: Settings, folder: Path, target: str) -> list[int]:
    """Process ids of the target, now."""
    if target == "redis":
        return [int((settings.home / "redis.pid").read_text())]
    if target == "runner":
        mine = ["-m", "app.runner", str(settings.home / "runner.json")]
        return [one.pid for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[-3:] == mine]
    found = []
    for path in folder.glob("jobs/*/process.json"):
        if not (path.parent / "exit").exists() and psutil.pid_exists(pid := json.loads(path.read_text())["pid"]):
            found.append(pid)
    return found or served(folder)


def served(folder: Path) -> list[int]:
    """Servers of this run's model: what runs in the deploy phase in place of a job."""
    mine = str(folder / "attempts")
    return [
        one.pid
        for one in psutil.process_iter(["cmdline"])
        if any(w.startswith(mine) for w in one.info["cmdline"] or [])
    ]


def finished_jobs(folder: Path) -> dict[str, int]:
    """Jobs that have ended well, and how often each was started."""
    done = {}
    for path in folder.glob("jobs/*/exit"):
        if json.loads(path.read_text())["state"] == "done":
            done[path.parent.name] = int(json.loads((path.parent / "process.json").read_text())["starts"])
    return done


async def strike(settings: Settings, folder: Path, kill: Kill, seconds: float) -> tuple[bool, dict[str, int]]:
    """Wait into the phase, then kill; returns whether a process was hit, and what had finished by then."""
    await asyncio.sleep(kill.share * seconds)
    deadline = time.monotonic() + (5.0 if kill.target == "job" else 1.0)
    while time.monotonic() < deadline:
        done = finished_jobs(folder)
        if pids := processes(settings, folder, kill.target):
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            return True, done
        await asyncio.sleep(0.005)
    return False, finished_jobs(folder)


def numbers(view: RunView) -> dict[str, float]:
    """The run's test metrics; latency and the like are measured anew and differ."""
    return {name: one.value for name, one in view.metrics.items() if one.provenance.split == "test"}


def misses(view: RunView, reference: dict[str, float], done: dict[str, int], settings: Settings) -> list[str]:
    """What is wrong with the run after its kill; an empty list when all is right."""
    wrong = [] if view.status == "deployed" else [f"ended {view.status}: {view.error}"]
    if numbers(view) != reference:
        wrong.append(f"test metrics {numbers(view)} are not {reference}")
    again = {job: (starts, done[job]) for job, starts in finished_jobs(Path(view.workspace)).items() if job in done}
    wrong += [f"{job} had finished and was started again" for job, (after, before) in again.items() if after != before]
    record = json.loads((settings.home / "deployments" / "kills.json").read_text())
    if record["intents"].count(f"{view.run_id}-deploy") != 1 or record["current"]["run_id"] != view.run_id:
        wrong.append(f"deployed by intents {record['intents']}")
    return wrong


async def one(settings: Settings, request: RunRequest, kill: Kill, lengths: dict[str, float]) -> tuple[RunView, Any]:
    """Start a run, kill in it, and let it end."""
    view = await start(settings, request)
    await in_phase(settings, view.run_id, kill.phase)
    hit, done = await strike(settings, Path(view.workspace), kill, lengths[kill.phase])
    return await ended(settings, view.run_id), (hit, done)


async def main() -> int:
    """Run the undisturbed run, then one run per kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--target", default="species")
    parser.add_argument("--only", choices=[row.name for row in PHASES], help="kills of this phase only")
    asked = parser.parse_args()
    failed = 0
    async with state() as (settings, workspace):
        request = RunRequest(data=str(asked.data), target=asked.target, name="kills", workspace=str(workspace))
        first = await ended(settings, (await start(settings, request)).run_id)
        reference, lengths = numbers(first), {one.name: one.seconds or 0.0 for one in first.phases}
        sys.stdout.write(f"undisturbed: {first.status}, {first.metric} {reference[str(first.metric)]:.6f}, {lengths}\n")
        again = request.model_copy(update={"from_run": first.run_id})
        chosen = [kill for kill in plan(asked.kills, asked.seed) if asked.only in {None, kill.phase}]
        for number, kill in enumerate(chosen, 1):
            began = time.monotonic()
            view, (hit, done) = await one(settings, again, kill, lengths)
            wrong = misses(view, reference, done, settings)
            failed += bool(wrong) or not hit
            told = "; ".join(wrong) or ("right" if hit else "nothing was there to kill")
            took = time.monotonic() - began
            sys.stdout.write(
                f"{number:2d} {kill.phase:9s} {kill.target:6s} {len(done)} jobs done, {took:5.1f} s: {told}\n"
            )
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen)} kills, {failed} not right\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
