"""Seeded `kill -9` of runner, job and embedded Redis in every phase, and what each run must still be afterwards.

    python -P tests/acceptance/kills.py --kills 20 --seed 1
    python -P tests/acceptance/kills.py --kills 10 --seed 1 --targets host supervisor

Each kill has a run of its own with the recorded decisions of one undisturbed run (`--from`). A kill counts only where
the run's state says, while its runner is held still, that it is in the phase that was meant; else the run ends in peace
and another is drawn. After the takeover the run must be deployed, its test metrics must be those of the undisturbed run
to the last bit, no job that had finished may have been started again, and the run must have been deployed exactly once.
Prints a row per kill; exits 1 on a miss.
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
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from app.settings import Settings, load
from app.wiring import open_services, shut_down
from memory.errors import NeuroloomError
from memory.store import open_memory
from phases import PHASES
from phases.request import RunRequest
from phases.views import RunView
from tests.leftovers import end_all

DATA = Path(__file__).resolve().parents[2] / "examples" / "penguins.csv"
TARGETS = ("runner", "job", "redis")
MORE_TARGETS = ("host", "supervisor")
MOST_DRAWS = 6
LONGEST = 240.0


@dataclass(frozen=True)
class Kill:
    """One planned kill: which process, in which phase, how long after the phase began (as a share of its length)."""

    phase: str
    target: str
    share: float


@dataclass(frozen=True)
class Struck:
    """One kill that was made: the phase that the state named then, how far into it, and what had finished before."""

    phase: str
    seconds: float
    done: dict[str, int]


def plan(kills: int, draw: random.Random, targets: tuple[str, ...] = TARGETS) -> list[Kill]:
    """At least one kill per phase and target, then more at random; fewer go through the phases and targets in turn."""
    grid = [(row.name, target) for row in PHASES for target in targets]
    more = [(draw.choice(PHASES).name, draw.choice(targets)) for _ in range(max(0, kills - len(grid)))]
    if kills < len(grid):
        turn = draw.randrange(len(targets))
        grid = [(row.name, targets[(i + turn) % len(targets)]) for i, row in enumerate(PHASES * kills)]
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
        end_all(home, workspace)
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


async def state_now(settings: Settings, run: str) -> dict[str, Any]:
    """The run's state as memory has it; empty before there is one."""
    async with open_memory(settings.memory, "door") as memory:
        envelope = await memory.get(run, "state")
    return dict(envelope.value) if envelope else {}


async def phase_now(settings: Settings, run: str) -> str | None:
    """The phase that the run is in by its state; None when it has ended."""
    state = await state_now(settings, run)
    running = [one["name"] for one in state.get("phases") or [] if one["status"] == "running"]
    return running[0] if running and state["state"] == "running" else None


async def in_phase(settings: Settings, run: str, phase: str) -> bool:
    """Look until the run is in the phase; False when it was over before it was seen.

    Raises:
        TimeoutError: the run never came so far.
    """
    deadline = time.monotonic() + LONGEST
    while await phase_now(settings, run) != phase:
        phases = (await state_now(settings, run)).get("phases") or []
        if any(one["name"] == phase and one.get("finished_at") for one in phases):
            return False
        if time.monotonic() > deadline:
            raise TimeoutError(f"run {run} was never seen in {phase}")
        await asyncio.sleep(0.005)
    return True


def processes(settings: Settings, folder: Path, target: str) -> list[int]:
    """Process ids of the target, now."""
    match target:
        case "redis":
            return [int((settings.home / "redis.pid").read_text())]
        case "runner":
            return named("-m", "app.runner", str(settings.home / "runner.json"))
        case "supervisor":
            return named("-m", "phases.supervisor", "--home", str(settings.home))
        case "host":
            path = folder / "jobs" / "host.json"
            return [json.loads(path.read_text())["pid"]] if path.exists() else []
    found = []
    for path in folder.glob("jobs/*/process.json"):
        if not (path.parent / "exit").exists() and psutil.pid_exists(pid := json.loads(path.read_text())["pid"]):
            found.append(pid)
    return found or served(folder)


def named(*last: str) -> list[int]:
    """Processes whose command line ends with these words."""
    every = psutil.process_iter(["cmdline"])
    return [one.pid for one in every if tuple(one.info["cmdline"] or [])[-len(last) :] == last]


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


async def strike(settings: Settings, view: RunView, kill: Kill, seconds: float) -> Struck | None:
    """Wait into the phase, then kill inside it; None when the phase was over before the target was there."""
    began = time.monotonic()
    await asyncio.sleep(kill.share * seconds)
    while await phase_now(settings, view.run_id) == kill.phase:
        if struck := await strike_now(settings, view, kill, began):
            return struck
        await asyncio.sleep(0.002)
    return None


async def strike_now(settings: Settings, view: RunView, kill: Kill, began: float) -> Struck | None:
    """Hold the runner still, so that the run cannot leave its phase, and kill the target if it lives."""
    folder = Path(view.workspace)
    runners = processes(settings, folder, "runner")
    for pid in runners:
        os.kill(pid, signal.SIGSTOP)
    try:
        phase, done, pids = await phase_now(settings, view.run_id), finished_jobs(folder), []
        if phase == kill.phase:
            pids = [pid for pid in processes(settings, folder, kill.target) if hit(pid)]
        return Struck(str(phase), time.monotonic() - began, done) if pids else None
    finally:
        for pid in runners:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def hit(pid: int) -> bool:
    """Kill; whether it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


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


async def one(
    settings: Settings, request: RunRequest, kill: Kill, lengths: dict[str, float], draw: random.Random
) -> tuple[RunView, Struck | None]:
    """Start a run, kill in it, and let it end; again with another moment while the phase was over too soon."""
    for _ in range(MOST_DRAWS):
        view = await start(settings, request)
        seen = await in_phase(settings, view.run_id, kill.phase)
        struck = await strike(settings, view, kill, lengths[kill.phase]) if seen else None
        view = await ended(settings, view.run_id)
        if struck is not None:
            break
        kill = Kill(kill.phase, kill.target, draw.uniform(0.0, kill.share))
    return view, struck


async def kill_all(settings: Settings, workspace: Path, asked: argparse.Namespace) -> tuple[int, int]:
    """The undisturbed run, then one run per kill; returns the number of kills and of those that were not right."""
    failed, draw = 0, random.Random(asked.seed)
    chosen = [kill for kill in plan(asked.kills, draw, tuple(asked.targets)) if asked.only in {None, kill.phase}]
    request = RunRequest(data=str(asked.data), target=asked.target, name="kills", workspace=str(workspace))
    first = await ended(settings, (await start(settings, request)).run_id)
    reference, lengths = numbers(first), {one.name: one.seconds or 0.0 for one in first.phases}
    sys.stdout.write(f"undisturbed: {first.status}, {first.metric} {reference[str(first.metric)]:.6f}, {lengths}\n")
    again = request.model_copy(update={"from_run": first.run_id})
    for number, kill in enumerate(chosen, 1):
        began = time.monotonic()
        view, struck = await one(settings, again, kill, lengths, draw)
        wrong = misses(view, reference, struck.done if struck else {}, settings)
        failed += bool(wrong) or struck is None
        told = "; ".join(wrong) or ("right" if struck else "nothing was there to kill")
        where = f"in {struck.phase} after {struck.seconds:4.1f} s, {len(struck.done):2d} jobs done" if struck else "-"
        took = f"{time.monotonic() - began:5.1f} s"
        sys.stdout.write(f"{number:2d} {kill.phase:9s} {kill.target:10s} killed {where}, {took}: {told}\n")
        sys.stdout.flush()
    return len(chosen), failed


async def main() -> int:
    """Read what is asked, and have it done in a state folder and a workspace of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--target", default="species")
    parser.add_argument("--targets", nargs="+", choices=[*TARGETS, *MORE_TARGETS], default=list(TARGETS))
    parser.add_argument("--only", choices=[row.name for row in PHASES], help="kills of this phase only")
    asked = parser.parse_args()
    async with state() as (settings, workspace):
        kills, failed = await kill_all(settings, workspace, asked)
    sys.stdout.write(f"{kills} kills, {failed} not right\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
