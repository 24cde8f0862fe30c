"""What the machinery costs: the demo, five phases with empty jobs, help and reads. Nothing here measures a model.

    python -P -m benchmarks.overhead

Empty jobs answer at once with what a real run's jobs recorded, so everything but the jobs' own work is there: queue,
lease, graph, checkpoints, job host, decisions, templates, report, published workspace (without a server).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from app.settings import Settings, load
from app.wiring import open_services, shut_down
from benchmarks.results import machine, write_section
from phases.request import RunRequest
from phases.views import RunView

ROOT = Path(__file__).resolve().parents[1]
PENGUINS = ROOT / "examples" / "penguins.csv"
NEUROLOOM = Path(sys.executable).with_name("neuroloom")
KINDS = (
    "snapshot",
    "profile",
    "prepare",
    "preflight",
    "noop",
    "train",
    "export",
    "evaluate",
    "test",
    "benchmark",
    "plots",
)
EMPTY = '''"""Answers with what a real run's job recorded, and leaves the files that it left."""

import json
import shutil
from pathlib import Path

RECORDED = Path(__file__).parent / "recorded"
FILES = {"snapshot": "data", "train": "attempts", "test": "tests", "plots": "reports"}


def run(job):
    folder = FILES.get(job.kind)
    if folder:
        shutil.copytree(RECORDED / folder, job.root / folder, dirs_exist_ok=True)
    name = "round-trip" if job.kind == "noop" else job.id
    found = next(iter(sorted((RECORDED / "jobs").glob(f"{name}*/result.json"))))
    return json.loads(found.read_text())
'''


def folder() -> tuple[Path, Path]:
    """A state folder and a workspace of their own."""
    return Path(tempfile.mkdtemp(prefix="nlb-")), Path(tempfile.mkdtemp(prefix="nlw-"))


def settings_of(home: Path, tasks: Path | None = None) -> Settings:
    """Settings of that state folder; with `tasks`, empty jobs."""
    found = load(environ={"NEUROLOOM_HOME": str(home), "PATH": os.environ["PATH"]})
    return found.model_copy(update={"runner": found.runner.model_copy(update={"tasks": tasks})})


async def whole(settings: Settings, request: RunRequest) -> tuple[float, RunView]:
    """Seconds from the request to the run's end, and the run."""
    async with open_services(settings) as services:
        began = time.perf_counter()
        run = (await services.runs.start(request)).run_id
        after = "0"
        while True:
            for position, event in await services.runs.events(run, after, block_ms=200):
                after = position
                if event["type"] == "state" and event["state"] not in {"running", "queued"}:
                    return time.perf_counter() - began, await services.runs.get(run)


def command(home: Path, workspace: Path, *words: object) -> float:
    """Seconds of one whole command."""
    environment = {**os.environ, "NEUROLOOM_HOME": str(home)}
    began = time.perf_counter()
    subprocess.run([NEUROLOOM, *map(str, words)], cwd=workspace, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def record(view: RunView, tasks: Path) -> None:
    """Keep what the run's jobs said and left, and write the empty kinds beside it."""
    source = Path(view.workspace)
    for name in ("data", "attempts", "tests", "reports", "jobs"):
        shutil.copytree(source / name, tasks / "recorded" / name)
    for path in (tasks / "recorded").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for kind in KINDS:
        (tasks / f"{kind}.py").write_text(EMPTY)
        (tasks / f"{kind}.light").touch()


async def empty_jobs(repeats: int) -> list[tuple[str, float, float]]:
    """Rows (what, seconds, goal): five phases with empty jobs, cold and warm."""
    home, workspace = folder()
    tasks = home / "tasks"
    request = RunRequest(data=str(PENGUINS), target="species", workspace=str(workspace), deploy=False)
    os.chdir(workspace)
    try:
        _, view = await whole(settings_of(home), request)
        assert view.status == "finished", view.error
        record(view, tasks)
        await shut_down(settings_of(home))
        settings = settings_of(home, tasks)
        cold, view = await whole(settings, request)
        assert view.status == "finished", view.error
        warm = [(await whole(settings, request))[0] for _ in range(repeats)]
        await shut_down(settings)
    finally:
        os.chdir(ROOT)
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(workspace, ignore_errors=True)
    return [("five phases, empty jobs, cold", cold, 3.0), ("five phases, empty jobs, warm runner", median(warm), 0.3)]


def commands(repeats: int) -> list[tuple[str, float, float]]:
    """Rows (what, seconds, goal): the demo's run, cold and warm, then help and reads."""
    home, workspace = folder()
    run = ("run", PENGUINS, "--target", "species", "--name", "penguins")

    def often(*words: object) -> float:
        return median(command(home, workspace, *words) for _ in range(repeats))

    try:
        rows = [("the demo's run, cold", command(home, workspace, *run), 20.0)]
        rows.append(("the demo's run, runner alive", command(home, workspace, *run), 20.0))
        rows.append(("neuroloom --help", often("--help"), 0.4))
        reads: tuple[tuple[object, ...], ...] = (("runs",), ("show", "latest"), ("deployments",), ("memory", "list"))
        rows += [(f"neuroloom {' '.join(map(str, words))}", often(*words), 0.7) for words in reads]
        command(home, workspace, "down")
    finally:
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(workspace, ignore_errors=True)
    return rows


def main(repeats: int = 7) -> None:
    """Measure and write the section of RESULTS.md."""
    rows = [*commands(repeats), *asyncio.run(empty_jobs(repeats))]
    lines = ["| what | seconds | goal | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {what} | {took:.2f} | {goal:g} | {'met' if took <= goal else 'missed'} |" for what, took, goal in rows
    ]
    lines.append(f"\nMedians of {repeats}, except the two demo runs and the cold run (one each).")
    write_section("overhead", "What the machinery costs", machine() + "\n\n" + "\n".join(lines))
    sys.stdout.write("\n".join(lines) + "\n" + json.dumps({what: took for what, took, _ in rows}) + "\n")


SECTIONS: dict[str, Callable[[], None]] = {"overhead": main}

if __name__ == "__main__":
    main()
