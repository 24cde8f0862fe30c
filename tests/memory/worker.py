"""A toy runner and a toy writer as processes of their own, for the tests that kill and stop them.

`worker.py run HOME URL` takes runs and writes five steps each, until killed. `worker.py pause HOME RUN` leases a run,
writes, stops itself, and says what became of its next writes once woken. `worker.py ensure HOME` starts the server.
"""
# ruff: noqa: T201  (printing is how it answers)

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from memory.embedded import EmbeddedRedis
from memory.errors import NeuroloomError, StaleEpoch
from memory.records import MemorySettings, Taken
from memory.store import Memory, open_memory

STEPS = ("setup", "configure", "train", "validate", "deploy")
LEASE_SECONDS = 0.4


async def drive(memory: Memory, taken: Taken, log: Path) -> None:
    """Five steps, each finished by one fenced, named write; an effect outside has the run's own key."""
    run, lease = taken.lease.run, taken.lease
    kept = await memory.get(run, "finished")
    finished = list(kept.value) if kept else []
    for step in STEPS[len(finished) :]:
        note(log, f"begin {run} {step}")
        await asyncio.sleep(random.uniform(0.001, 0.02))
        if step == "deploy":
            (log.parent / "deployed" / run).touch()
        finished.append(step)
        await memory.put(run, "finished", finished, by="worker", lease=lease, write_id=f"finished-{step}")
        await memory.emit(run, {"step": step}, event_id=f"finished-{step}", lease=lease)
        note(log, f"end {run} {step}")


async def beat(memory: Memory, taken: Taken) -> None:
    while True:
        if not await memory.keep(taken):
            return
        await asyncio.sleep(LEASE_SECONDS / 3)


async def work(home: Path, url: str | None) -> None:
    settings = MemorySettings(home=home, url=url, lease_seconds=LEASE_SECONDS)
    async with open_memory(settings, "runner") as memory:
        while True:
            taken = await memory.take(f"worker-{os.getpid()}", block_ms=200)
            if taken is None:
                continue
            heart = asyncio.create_task(beat(memory, taken))
            try:
                await drive(memory, taken, home / "log")
                await memory.done(taken)
            except StaleEpoch:
                note(home / "log", f"stale {taken.lease.run} {taken.lease.epoch}")
            finally:
                heart.cancel()
                await asyncio.gather(heart, return_exceptions=True)


async def pause(home: Path, run: str) -> None:
    async with open_memory(MemorySettings(home=home, lease_seconds=LEASE_SECONDS), "runner") as memory:
        lease = await memory.acquire(run)
        await memory.put(run, "state", "before", by="paused", lease=lease)
        os.kill(os.getpid(), signal.SIGSTOP)  # a suspended laptop, a frozen machine
        for write in (
            memory.put(run, "state", "after", by="paused", lease=lease),
            memory.append(run, "decisions", 1, by="paused", write_id="d", lease=lease),
            memory.emit(run, {}, event_id="e", lease=lease),
        ):
            try:
                await write
            except NeuroloomError as error:
                print(error.code, flush=True)


def note(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    verb, home, *rest = sys.argv[1:]
    if verb == "run":
        asyncio.run(work(Path(home), rest[0] if rest else None))
    elif verb == "pause":
        asyncio.run(pause(Path(home), rest[0]))
    else:
        print(EmbeddedRedis(Path(home)).ensure())
