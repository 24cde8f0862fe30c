"""Checks of `Sandbox.run`: a failing command is a value, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import sys
import time

from gpu_jobs.backends.protocol import OUTPUT_BYTES, Command, Sandbox
from tests.gpu_jobs.backends.runaway import LEAVE, RUNAWAY, begun, lives, up


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


async def test_exit_codes_come_back_as_they_are(sandbox: Sandbox) -> None:
    codes = [0, 1, 2, 77, 126, 127, 255]
    ended = [(await sandbox.run(Command(argv=("sh", "-c", f"exit {code}")))).code for code in codes]
    assert ended == codes


async def test_a_timeout_kills_the_grandchildren_too(sandbox: Sandbox) -> None:
    done = await sandbox.run(Command(argv=("sh", "-c", RUNAWAY), timeout=3.0))
    assert done.timed_out
    assert await up(sandbox) and not await lives(sandbox)


async def test_a_cancelled_command_is_killed(sandbox: Sandbox) -> None:
    task = asyncio.create_task(sandbox.run(Command(argv=("sh", "-c", RUNAWAY))))
    await begun(sandbox, task)
    assert await lives(sandbox)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not await lives(sandbox)


async def test_what_a_command_leaves_behind_with_its_output_open_is_killed_at_the_timeout(sandbox: Sandbox) -> None:
    done = await sandbox.run(Command(argv=("sh", "-c", LEAVE), timeout=3.0))
    assert done.timed_out
    assert await up(sandbox) and not await lives(sandbox)
