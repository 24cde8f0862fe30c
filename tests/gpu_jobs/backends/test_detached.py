"""Checks of `Sandbox.start` and handles: a process outlives who started it and is known by plain data."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from gpu_jobs.backends.protocol import Command, Process, Sandbox
from gpu_jobs.host import processes


async def output(process: Process, offset: int = 0) -> bytes:
    return b"".join([chunk async for chunk in process.stream(offset)])


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


async def test_a_started_process_outlives_who_started_it(sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(argv=("sleep", "60")))
    stat = Path(f"/proc/{process.handle['pid']}/stat").read_text().rpartition(")")[2].split()
    parent, session = int(stat[1]), int(stat[3])
    assert parent != os.getpid()
    assert session == process.handle["pid"]


async def test_term_lets_a_process_end_itself_and_its_code_is_kept(sandbox: Sandbox, eventually: Any) -> None:
    script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"
    process = await sandbox.start(Command(argv=("sh", "-c", script)))
    log = Path(str(process.handle["folder"])) / "log"
    await eventually(lambda: "up" in log.read_text())
    await process.kill(grace=20)
    state = await process.poll()
    assert (state.state, state.code) == ("exited", 3)
    assert (await output(process)).endswith(b"bye\n")


async def test_kill_reaches_grandchildren_in_other_sessions(sandbox: Sandbox, eventually: Any) -> None:
    assert Path(sandbox.info.root).is_dir()
    script = "(setsid sh -c 'echo $$ > pid; exec sleep 300' &) ; sleep 300"
    process = await sandbox.start(Command(argv=("sh", "-c", script)))
    pid_file = Path(sandbox.info.root) / "pid"
    await eventually(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    await process.kill()
    assert processes.start_ticks(int(pid_file.read_text())) is None


async def test_a_killed_keeper_is_lost(sandbox: Sandbox, eventually: Any) -> None:
    process = await sandbox.start(Command(argv=("sleep", "60")))
    os.kill(process.handle["pid"], signal.SIGKILL)
    await eventually(lambda: not processes.alive(process.handle))
    assert (await process.poll()).state == "lost"


async def test_a_recycled_pid_is_not_taken_for_the_process(sandbox: Sandbox) -> None:
    mine = processes.identity(os.getpid())
    assert (await sandbox.process(mine).poll()).state == "running"
    assert (await sandbox.process({**mine, "ticks": mine["ticks"] - 1}).poll()).state == "lost"
    assert (await sandbox.process({**mine, "boot": "another"}).poll()).state == "lost"
