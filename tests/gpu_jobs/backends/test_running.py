"""Checks of `Sandbox.run`: a failing command is a value, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from gpu_jobs.backends.protocol import OUTPUT_BYTES, Command, Sandbox
from gpu_jobs.host import processes

RUNAWAY = "(setsid sh -c 'echo $$ > pid; exec sleep 300' &) ; while [ ! -s pid ]; do :; done; sleep 300"


async def test_a_command_ends_with_code_and_output(sandbox: Sandbox) -> None:
    done = await sandbox.run(Command(argv=("echo", "one", "two")))
    assert (done.code, done.stdout, done.stderr) == (0, b"one two\n", b"")
    assert not done.timed_out and not done.truncated


async def test_a_failing_command_is_a_value(sandbox: Sandbox) -> None:
    assert (await sandbox.run(Command(argv=("false",)))).code == 1


async def test_a_program_that_is_not_there_is_a_value(sandbox: Sandbox) -> None:
    done = await sandbox.run(Command(argv=("no-such-program",)))
    assert done.code == 127
    assert b"no-such-program" in done.stderr


async def test_input_is_read(sandbox: Sandbox) -> None:
    assert (await sandbox.run(Command(argv=("cat",), stdin=b"a\0b" * 50_000))).stdout == b"a\0b" * 50_000


async def test_a_command_that_reads_nothing_of_a_large_input_ends(sandbox: Sandbox) -> None:
    done = await sandbox.run(Command(argv=("sh", "-c", "exit 4"), stdin=b"x" * (4 << 20), timeout=90))
    assert done.code == 4


async def test_a_timeout_kills_the_command(sandbox: Sandbox) -> None:
    begin = time.monotonic()
    done = await sandbox.run(Command(argv=("sleep", "60"), timeout=0.2))
    assert done.timed_out and done.code == -9
    assert time.monotonic() - begin < 50


async def test_a_command_sees_its_variables_and_its_folder(sandbox: Sandbox) -> None:
    await sandbox.write("sub/file", b"")
    done = await sandbox.run(Command(argv=("sh", "-c", "echo $WORD; ls"), env={"WORD": "loom"}, cwd="sub"))
    assert done.stdout == b"loom\nfile\n"


async def test_standard_error_is_kept_apart(sandbox: Sandbox) -> None:
    done = await sandbox.run(Command(argv=("sh", "-c", "echo out; echo err >&2; exit 3")))
    assert (done.code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


async def test_a_command_killed_by_a_signal_says_which(sandbox: Sandbox) -> None:
    assert (await sandbox.run(Command(argv=("sh", "-c", "kill -15 $$")))).code == -15


async def test_ten_megabytes_of_output_are_kept_and_the_rest_is_cut(sandbox: Sandbox) -> None:
    script = f"import sys; sys.stdout.write('x' * {OUTPUT_BYTES + 5})"
    done = await sandbox.run(Command(argv=(sys.executable, "-c", script)))
    assert (done.code, len(done.stdout), done.truncated) == (0, OUTPUT_BYTES, True)
    exact = await sandbox.run(
        Command(argv=(sys.executable, "-c", script.replace(str(OUTPUT_BYTES + 5), str(OUTPUT_BYTES))))
    )
    assert (len(exact.stdout), exact.truncated) == (OUTPUT_BYTES, False)


async def test_a_timeout_kills_the_grandchildren_too(sandbox: Sandbox) -> None:
    done = await sandbox.run(Command(argv=("sh", "-c", RUNAWAY), timeout=1.0))
    assert done.timed_out
    pid = int((Path(sandbox.info.root) / "pid").read_text())
    assert processes.start_ticks(pid) is None


async def test_a_cancelled_command_is_killed(sandbox: Sandbox, eventually: Any) -> None:
    pid_file = Path(sandbox.info.root) / "pid"
    task = asyncio.create_task(sandbox.run(Command(argv=("sh", "-c", RUNAWAY))))
    await eventually(lambda: task.done() or (pid_file.exists() and pid_file.read_text().endswith("\n")))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert processes.start_ticks(int(pid_file.read_text())) is None


async def test_what_a_command_leaves_behind_with_its_output_open_is_killed_at_the_timeout(sandbox: Sandbox) -> None:
    done = await sandbox.run(Command(argv=("sh", "-c", "sleep 300 & echo $!"), timeout=0.5))
    assert done.timed_out
    assert processes.start_ticks(int(done.stdout)) is None
