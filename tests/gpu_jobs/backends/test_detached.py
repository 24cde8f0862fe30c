"""Checks of `Sandbox.start` and handles: a process outlives who started it and is known by plain data."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gpu_jobs.backends.protocol import Backend, Command, Process, Sandbox
from tests.gpu_jobs.backends.rows import Row
from tests.gpu_jobs.backends.runaway import RUNAWAY, begun, lives, until

CHECKOUT = Path(__file__).parents[3]


async def output(process: Process, offset: int = 0) -> bytes:
    return b"".join([chunk async for chunk in process.stream(offset)])


async def ended(process: Process) -> bool:
    return (await process.poll()).state != "running"


async def test_a_started_process_ends_with_its_code(sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(argv=("false",)))
    await output(process)
    state = await process.poll()
    assert (state.state, state.code) == ("exited", 1)


async def test_its_output_is_kept(sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(argv=("cat",), stdin=b"kept"))
    assert await output(process) == b"kept"
    assert await output(process, 2) == b"pt"


async def test_a_handle_is_plain_data_that_finds_the_process_again(sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(argv=("sleep", "60")))
    again = sandbox.process(json.loads(json.dumps(process.handle)))
    assert (await again.poll()).state == "running"
    await again.kill()
    assert (await process.poll()).state != "running"


async def test_killing_what_has_ended_does_nothing(sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(argv=("true",)))
    await output(process)
    await process.kill(grace=1)
    assert (await process.poll()).state == "exited"


async def test_the_log_is_streamed_from_an_offset_while_it_grows(sandbox: Sandbox) -> None:
    script = "for i in 1 2 3; do echo line $i; sleep 0.05; done; exit 7"
    process = await sandbox.start(Command(argv=("sh", "-c", script)))
    assert await output(process, 7) == b"line 2\nline 3\n"
    assert (await process.poll()).code == 7


async def test_a_started_process_is_found_again_after_its_starter_was_killed(
    row: Row, home: Path, another: Callable[[], Backend], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    words = [sys.executable, "-m", "tests.gpu_jobs.backends.starter", *row.rebuilt(request), home, tmp_path / "root"]
    starter = await asyncio.create_subprocess_exec(*map(str, words), stdout=asyncio.subprocess.PIPE, cwd=CHECKOUT)
    try:
        assert starter.stdout is not None
        told = json.loads(await starter.stdout.readline())
    finally:
        starter.kill()
        await starter.wait()
    place = another()
    try:
        process = (await place.attach(told["id"])).process(told["handle"])
        async with asyncio.timeout(60):
            assert await anext(process.stream()) == b"begun\n"
        assert (await process.poll()).state == "running"
        await process.kill()
        assert (await process.poll()).state != "running"
    finally:
        await place.destroy(told["id"])


async def test_term_lets_a_process_end_itself_and_its_code_is_kept(sandbox: Sandbox) -> None:
    script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"
    process = await sandbox.start(Command(argv=("sh", "-c", script)))
    async with asyncio.timeout(60):
        assert await anext(process.stream()) == b"up\n"
    await process.kill(grace=60)
    state = await process.poll()
    assert (state.state, state.code) == ("exited", 3)
    assert (await output(process)).endswith(b"bye\n")


async def test_kill_reaches_grandchildren_in_other_sessions(sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(argv=("sh", "-c", RUNAWAY)))
    await begun(sandbox, process)
    assert await lives(sandbox)
    await process.kill()
    assert not await lives(sandbox)


async def test_a_killed_keeper_is_lost(sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(argv=("sleep", "60")))
    killed = await sandbox.run(Command(argv=("sh", "-c", f"kill -9 {process.handle['pid']}"), detaches=True))
    assert killed.code == 0
    await until(lambda: ended(process))
    assert (await process.poll()).state == "lost"


async def test_a_recycled_pid_is_not_taken_for_the_process(sandbox: Sandbox) -> None:
    handle = (await sandbox.start(Command(argv=("sleep", "60")))).handle
    named = {key: handle[key] for key in ("pid", "ticks", "boot")}
    assert (await sandbox.process(named).poll()).state == "running"
    assert (await sandbox.process({**named, "ticks": handle["ticks"] - 1}).poll()).state == "lost"
    assert (await sandbox.process({**named, "boot": "another"}).poll()).state == "lost"
