"""What a local sandbox adds to a plain subprocess, without walls and with bubblewrap's. It measures no training.

    python -P -m benchmarks.sandboxes

Each round runs `true` once in every way, so that the machine's other work meets all of them alike.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from benchmarks.results import machine, write_section
from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import Command, Isolation, Sandbox, SandboxRequest
from gpu_jobs.backends.walls import why_not

ROUNDS = 60
TRUE = Command(argv=("true",))
GOALS = {"local sandbox": 10.0, "local sandbox, bubblewrap": 20.0}
Way = Callable[[], Awaitable[object]]


async def plain() -> int:
    """The same program by the standard library alone."""
    process = await asyncio.create_subprocess_exec("true", stdout=asyncio.subprocess.PIPE)
    await process.communicate()
    return process.returncode or 0


async def milliseconds(way: Way) -> float:
    """Wall clock of one try."""
    began = time.perf_counter()
    await way()
    return (time.perf_counter() - began) * 1000


async def opened(home: Path, isolation: Isolation) -> tuple[LocalBackend, Sandbox]:
    """A sandbox, used once: the first use of walls puts them up."""
    backend = LocalBackend(LocalSettings(isolation=isolation), home)
    sandbox = await backend.open(SandboxRequest(owner=isolation, root=str(home / isolation)))
    done = await sandbox.run(TRUE)
    assert done.code == 0, done
    return backend, sandbox


async def measure(rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way, one per round."""
    with tempfile.TemporaryDirectory(prefix="nlb-") as folder:
        walled: list[Isolation] = ["bubblewrap"] if why_not() is None else []
        kinds: list[Isolation] = ["none", *walled]
        places = [await opened(Path(folder), kind) for kind in kinds]
        try:
            ways: dict[str, Way] = {"plain subprocess": plain}
            for name, (_, sandbox) in zip(GOALS, places, strict=False):
                ways[name] = lambda place=sandbox: place.run(TRUE)  # type: ignore[misc]
            took: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(rounds):
                for name, way in ways.items():
                    took[name].append(await milliseconds(way))
        finally:
            for backend, sandbox in places:
                await backend.destroy(sandbox.info.id)
    return took


def main(rounds: int = ROUNDS) -> None:
    """Measure and write the section of RESULTS.md."""
    where, took = machine(), asyncio.run(measure(rounds))
    base = median(took["plain subprocess"])
    lines = [
        "| `true`, run as | median, ms | best, ms | over plain, ms | goal | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, every in took.items():
        more = median(every) - base
        goal = GOALS.get(name)
        judged = f"{goal:g} | {'met' if more <= goal else 'missed'}" if goal is not None else " | "
        lines.append(f"| {name} | {median(every):.2f} | {min(every):.2f} | {more:.2f} | {judged} |")
    lines.append(f"\n{rounds} rounds." + (f" Without walls: {why_not()}." if why_not() else ""))
    write_section("sandboxes", "What a local sandbox costs", where + "\n\n" + "\n".join(lines))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
