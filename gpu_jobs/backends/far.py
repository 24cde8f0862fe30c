"""`python -P -m gpu_jobs.backends.far ROOT`: the local backend of a far machine, served over standard input and output.

One per connection. What it was asked to run to the end is killed when the connection goes; what was started detached
lives on. It is reached through the login that started it and checks nobody itself.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_jobs.backends.frames import pack, unpack
from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import Command, SandboxInfo, SandboxRequest
from gpu_jobs.machine import facts
from memory.errors import BackendError

Answer = tuple[Any, bytes]
LIMIT = 1 << 22


class FarSide:
    """Answers the frames of one connection.

    Args:
        root: Folder of everything here: the registry, and the sandboxes for which no other folder was asked.
        send: Takes a frame and returns when it is on its way.
    """

    def __init__(self, root: Path, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._runs = root / "runs"
        self._root = root
        self._backend = LocalBackend(LocalSettings(), root)
        self._send = send
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._does: dict[str, Callable[[Mapping[str, Any], bytes], Awaitable[Answer]]] = {
            "facts": self._facts,
            "open": self._open,
            "attach": self._attach,
            "list": self._list,
            "destroy": self._destroy,
            "sweep": self._sweep,
            "run": self._run,
            "start": self._start,
            "poll": self._poll,
            "kill": self._kill,
            "write": self._write,
            "read": self._read,
        }

    def take(self, message: dict[str, Any], data: bytes) -> None:
        """Begin what a frame asks for, or stop what an earlier one asked for."""
        number = int(message["id"])
        if message["do"] == "stop":
            if (task := self._tasks.get(number)) is not None:
                task.cancel()
            return
        task = asyncio.create_task(self._answer(number, message, data))
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))

    async def end(self) -> None:
        """Stop everything that is still being done."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, number: int, message: Mapping[str, Any], data: bytes) -> None:
        payload = b""
        try:
            value, payload = await self._does[message["do"]](message, data)
            told = {"id": number, "value": value}
        except asyncio.CancelledError:
            told = {"id": number, "stopped": True}
        except BackendError as problem:
            told = {"id": number, "error": problem.as_dict()}
        except OSError as problem:
            told = {"id": number, "os": [problem.errno, str(problem.strerror or problem)]}
        except Exception as problem:  # the outermost frame of a request: it is told over there
            what = {"code": "backend.far", "message": f"{type(problem).__name__}: {problem}"}
            told = {"id": number, "error": {**what, "field": None, "fix": None}}
        await self._send(pack(told, payload))

    async def _facts(self, _message: Mapping[str, Any], _data: bytes) -> Answer:
        return await asyncio.to_thread(facts, self._root), b""

    async def _open(self, message: Mapping[str, Any], _data: bytes) -> Answer:
        request = SandboxRequest.model_validate(message["request"])
        if request.root is None:
            folder = str(self._runs / f"{request.owner}.{request.label}")
            request = request.model_copy(update={"root": folder})
        return (await self._backend.open(request)).info.model_dump(), b""

    async def _attach(self, message: Mapping[str, Any], _data: bytes) -> Answer:
        return (await self._backend.attach(message["sandbox"])).info.model_dump(), b""

    async def _list(self, message: Mapping[str, Any], _data: bytes) -> Answer:
        return [info.model_dump() for info in await self._backend.list(message["owner"])], b""

    async def _destroy(self, message: Mapping[str, Any], _data: bytes) -> Answer:
        known = {info.id: info for info in await self._backend.list()}
        await self._backend.destroy(message["sandbox"])
        await self._forget(known.get(message["sandbox"]))
        return None, b""

    async def _sweep(self, _message: Mapping[str, Any], _data: bytes) -> Answer:
        known = {info.id: info for info in await self._backend.list()}
        gone = await self._backend.sweep()
        for name in gone:
            await self._forget(known.get(name))
        return list(gone), b""

    async def _forget(self, info: SandboxInfo | None) -> None:
        """A folder that we chose is a copy, and goes; one that a person named stays."""
        if info is not None and Path(info.root).parent == self._runs.resolve():
            await asyncio.to_thread(shutil.rmtree, info.root, True)

    async def _run(self, message: Mapping[str, Any], data: bytes) -> Answer:
        sandbox = await self._backend.attach(message["sandbox"])
        done = await sandbox.run(_command(message, data))
        value = {**done.model_dump(exclude={"stdout", "stderr"}), "out": len(done.stdout)}
        return value, done.stdout + done.stderr

    async def _start(self, message: Mapping[str, Any], data: bytes) -> Answer:
        sandbox = await self._backend.attach(message["sandbox"])
        return dict((await sandbox.start(_command(message, data))).handle), b""

    async def _poll(self, message: Mapping[str, Any], _data: bytes) -> Answer:
        sandbox = await self._backend.attach(message["sandbox"])
        return (await sandbox.process(message["handle"]).poll()).model_dump(), b""

    async def _kill(self, message: Mapping[str, Any], _data: bytes) -> Answer:
        sandbox = await self._backend.attach(message["sandbox"])
        await sandbox.process(message["handle"]).kill(message["grace"])
        return None, b""

    async def _write(self, message: Mapping[str, Any], data: bytes) -> Answer:
        await (await self._backend.attach(message["sandbox"])).write(message["path"], data)
        return None, b""

    async def _read(self, message: Mapping[str, Any], _data: bytes) -> Answer:
        sandbox = await self._backend.attach(message["sandbox"])
        found = await sandbox.read(message["path"], message["offset"], message["limit"])
        return found is not None, found or b""


def _command(message: Mapping[str, Any], data: bytes) -> Command:
    return Command.model_validate({**message["command"], "stdin": data})


async def serve(root: Path) -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LIMIT)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)

    async def send(frame: bytes) -> None:
        with suppress(ConnectionError):  # nobody is there to be told; the input ends too
            writer.write(frame)
            await writer.drain()

    side = FarSide(root, send)
    await send(pack({"id": 0, "value": {"python": sys.executable, "pid": os.getpid()}}))
    while (frame := await unpack(reader)) is not None:
        side.take(*frame)
    await side.end()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
