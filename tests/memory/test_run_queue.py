"""The queue and its leases, under kill -9, stopped processes and outages."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from memory.embedded import EmbeddedRedis
from memory.errors import StaleEpoch
from memory.records import MemorySettings
from memory.store import Memory, open_memory

from .conftest import eventually, kill_server
from .worker import STEPS

RUN, WORKSPACE = "r-20261121-094501-k3f9", "0123456789ab"
WORKER = Path(__file__).with_name("worker.py")


async def spawn(verb: str, home: Path, *more: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(WORKER), verb, str(home), *more, stdout=asyncio.subprocess.PIPE
    )


async def end(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.communicate()


async def test_a_run_is_queued_once_taken_once_and_done_for_good(memory: Memory) -> None:
    assert await memory.enqueue(RUN, {"data": "x.csv"}, WORKSPACE)
    assert not await memory.enqueue(RUN, {"data": "other.csv"}, WORKSPACE)
    assert await memory.queue() == [{"run": RUN, "position": 1, "taken": False, "lease_alive": False}]
    taken = await memory.take("one")
    assert taken is not None
    assert (taken.lease.run, taken.lease.epoch, taken.deliveries) == (RUN, 1, 1)
    assert await memory.take("two", block_ms=1) is None
    assert await memory.queue() == [{"run": RUN, "position": 0, "taken": True, "lease_alive": True}]
    await memory.done(taken)
    assert await memory.queue() == []
    assert await memory.take("two", block_ms=1) is None
    await memory.leave("one")


async def test_positions_count_the_runs_that_wait(memory: Memory) -> None:
    for number in range(3):
        await memory.enqueue(f"r-20261121-09450{number}-aaaa", {}, WORKSPACE)
    await memory.take("one")
    assert [row["position"] for row in await memory.queue()] == [0, 1, 2]


async def test_a_silent_runner_loses_its_run_to_the_next_and_is_refused(memory: Memory) -> None:
    await memory.enqueue(RUN, {}, WORKSPACE)
    first = await memory.take("one")
    assert first is not None
    second = None
    while second is None:
        second = await memory.take("two", block_ms=20)
    assert (second.lease.epoch, second.deliveries) == (2, 2)
    assert await memory.keep(first) is False
    assert await memory.keep(second) is True
    with pytest.raises(StaleEpoch):
        await memory.put(RUN, "state", 1, by="one", lease=first.lease)
    with pytest.raises(StaleEpoch):
        await memory.done(first)
    await memory.put(RUN, "state", 1, by="two", lease=second.lease)
    await memory.done(second)


async def test_a_heartbeat_after_the_end_holds_no_run_that_is_woken_meanwhile(memory: Memory) -> None:
    await memory.enqueue(RUN, {"data": "x.csv"}, WORKSPACE)
    taken = await memory.take("runner-1")
    assert taken is not None
    state = await memory.put(RUN, "state", {"state": "failed"}, by="runner", lease=taken.lease)
    await memory.done(taken)
    assert not await memory.keep(taken), "its last heartbeat was on its way when the run ended"
    await memory.wake(RUN, {"state": "queued"}, expected=state.version, by="door")
    again = await memory.take("runner-2")
    assert again is not None and again.lease.run == RUN


async def test_heartbeats_keep_a_run_longer_than_its_lease(memory: Memory) -> None:
    await memory.enqueue(RUN, {}, WORKSPACE)
    taken = await memory.take("one")
    assert taken is not None
    for _ in range(8):
        assert await memory.keep(taken)
        assert await memory.take("two", block_ms=100) is None
    assert (await memory.queue())[0]["lease_alive"] is True


async def test_a_lease_that_ran_out_untaken_is_kept_by_its_owner(memory: Memory) -> None:
    await memory.enqueue(RUN, {}, WORKSPACE)
    taken = await memory.take("one")
    assert taken is not None

    async def ran_out() -> bool:
        return not (await memory.queue())[0]["lease_alive"]

    await eventually(ran_out)
    await memory.put(RUN, "state", 1, by="one", lease=taken.lease)
    assert await memory.keep(taken)
    assert (await memory.queue())[0]["lease_alive"]


async def test_a_run_given_back_is_taken_by_another_at_once(home: Path) -> None:
    async with open_memory(MemorySettings(home=home, lease_seconds=3600), "runner") as memory:
        await memory.enqueue(RUN, {}, WORKSPACE)
        first = await memory.take("one")
        assert first is not None
        await memory.give_back(first)
        second = await memory.take("two", block_ms=1)
        assert second is not None
        assert second.lease.epoch == 2


async def test_an_answer_that_comes_while_the_run_is_being_put_down_is_not_lost(memory: Memory) -> None:
    await memory.enqueue(RUN, {}, WORKSPACE)
    taken = await memory.take("one")
    assert taken is not None
    await memory.requeue(RUN)
    await memory.requeue(RUN)
    await memory.done(taken)
    again = await memory.take("two")
    assert again is not None
    assert again.lease.run == RUN
    await memory.done(again)
    assert await memory.queue() == []


async def test_a_run_queued_while_it_is_worked_on_waits_for_its_lease(memory: Memory) -> None:
    await memory.enqueue(RUN, {}, WORKSPACE)
    taken = await memory.take("one")
    assert taken is not None
    await memory.requeue(RUN)
    assert await memory.take("two", block_ms=1) is None
    await memory.done(taken)
    again = None
    while again is None:
        again = await memory.take("two", block_ms=20)
    assert again.lease.epoch == 2


async def test_a_stopped_process_is_refused_every_write_after_its_run_was_taken_over(
    home: Path, memory: Memory
) -> None:
    paused = await spawn("pause", home, RUN)
    lease = None

    async def wrote() -> bool:
        return await memory.get(RUN, "state") is not None

    await eventually(wrote)
    while lease is None:
        lease = await memory.acquire(RUN)
    await memory.put(RUN, "state", "taken over", by="test", lease=lease)
    paused.send_signal(signal.SIGCONT)
    said, _ = await paused.communicate()
    assert said.decode().split() == ["memory.stale_epoch"] * 3
    assert (await memory.get(RUN, "state")).value == "taken over"  # type: ignore[union-attr]
    assert await memory.events(RUN) == []


async def check_all_done(memory: Memory, home: Path, runs: list[str]) -> None:
    assert await memory.queue() == []
    ended: set[tuple[str, str]] = set()
    for line in (home / "log").read_text().splitlines():
        verb, run, step = line.split()
        assert (verb, run, step)[0] != "begin" or (run, step) not in ended, f"{step} of {run} began again"
        if verb == "end":
            ended.add((run, step))
    for run in runs:
        kept = await memory.get(run, "finished")
        assert kept is not None
        assert (kept.value, kept.version) == (list(STEPS), len(STEPS))
        told = Counter(event["step"] for _, event in await memory.events(run))
        assert set(told.values()) == {1}
    assert sorted(path.name for path in (home / "deployed").iterdir()) == sorted(runs)


@pytest.mark.parametrize("outage", [False, True])
async def test_no_run_is_lost_or_done_twice_under_kill_9_of_workers_and_server(
    home: Path, memory: Memory, outage: bool
) -> None:
    """40 runs, 3 workers. Workers are killed one after another; or the server is, and stays away for a while."""
    (home / "deployed").mkdir()
    runs = [f"r-20261121-094501-aa{n:02}" for n in range(40)]
    for run in runs:
        assert await memory.enqueue(run, {}, WORKSPACE)
    # a configured address: the workers cannot restart it and have to wait
    fleet = [await spawn("run", home, f"unix://{home}/redis.sock") for _ in range(3)]
    choice = random.Random(7)
    kills = 0
    while await memory.queue():
        await asyncio.sleep(0.1)
        if outage and kills == 0 and (home / "log").exists():
            kills = 1
            kill_server(home)
            await asyncio.sleep(1.0)
            EmbeddedRedis(home).ensure()
        elif not outage and kills < 12 and (home / "log").exists():
            kills += 1
            victim = choice.randrange(len(fleet))
            await end(fleet[victim])
            fleet[victim] = await spawn("run", home, f"unix://{home}/redis.sock")
    assert kills >= 1
    assert [worker.returncode for worker in fleet] == [None] * 3
    for worker in fleet:
        await end(worker)
    await check_all_done(memory, home, runs)
    assert os.getpid() not in {worker.pid for worker in fleet}
