"""Checks of several at once: commands of one sandbox, and sandboxes of one backend."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gpu_jobs.backends.protocol import Backend, Command, Sandbox, SandboxRequest


async def test_two_commands_of_one_sandbox_run_at_once(sandbox: Sandbox) -> None:
    words = [f"word-{number}" for number in range(4)]
    done = await asyncio.gather(*(sandbox.run(Command(argv=("echo", word))) for word in words))
    assert [one.stdout.decode().strip() for one in done] == words


async def test_two_sandboxes_work_at_once_and_share_no_file(backend: Backend, tmp_path: Path) -> None:
    names = ("one", "two")
    opened = [await backend.open(SandboxRequest(owner="r-1", label=n, root=str(tmp_path / n))) for n in names]
    try:
        meet = "echo $NAME > mine; while [ ! -e go ]; do sleep 0.01; done; cat mine"
        tasks = [
            asyncio.create_task(place.run(Command(argv=("sh", "-c", meet), env={"NAME": name}, timeout=90)))
            for place, name in zip(opened, names, strict=True)
        ]
        for place in opened:
            await place.write("go", b"")
        done = await asyncio.gather(*tasks)
        assert [one.stdout for one in done] == [b"one\n", b"two\n"]
        await backend.destroy(opened[0].info.id)
        assert await opened[1].read("mine") == b"two\n"
    finally:
        for place in opened:
            await backend.destroy(place.info.id)
