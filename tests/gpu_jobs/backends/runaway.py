"""A grandchild in a session of its own that holds a lock as long as it lives: found out from anywhere, by no pid."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gpu_jobs.backends.protocol import Command, Finished, Process, Sandbox

LEAVE = "(setsid flock held sh -c 'echo up > up; exec sleep 300' &) ; while [ ! -s up ]; do sleep 0.01; done"
RUNAWAY = f"{LEAVE}; sleep 300"


async def up(sandbox: Sandbox) -> bool:
    """Whether the grandchild has begun."""
    return await sandbox.read("up") == b"up\n"


async def begun(sandbox: Sandbox, leader: asyncio.Task[Finished] | Process) -> None:
    """Wait until the grandchild has begun; what leads to it must not end before."""

    async def either() -> bool:
        over = leader.done() if isinstance(leader, asyncio.Task) else (await leader.poll()).state != "running"
        return over or await up(sandbox)

    await until(either)
    assert await up(sandbox), "it ended before it began"


async def lives(sandbox: Sandbox) -> bool:
    """Whether it still runs."""
    done = await sandbox.run(Command(argv=("flock", "--nonblock", "held", "true"), timeout=60))
    assert done.code in (0, 1), done
    return done.code == 1


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something in a sandbox has become true, within a bound that only a failure reaches."""
    async with asyncio.timeout(90):
        while not await true():  # noqa: ASYNC110 - what is inside sends no event
            await asyncio.sleep(0.01)
