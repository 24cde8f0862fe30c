"""The near side of the link: one connection, one far process that answers frames, many questions at once.

A connection that is lost fails what was under way with `backend.lost`; the next question opens another one.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gpu_jobs.backends.far_place import FarPlace, prepare
from gpu_jobs.backends.frames import pack, unpack
from gpu_jobs.backends.ssh_connect import WAITS, connect, lost
from gpu_jobs.backends.ssh_settings import SshSettings
from memory.errors import BackendError

if TYPE_CHECKING:
    import asyncssh

STOP_SECONDS = 30.0


class SshLink:
    """Asks the far side, over a connection that it opens when there is none.

    Args:
        settings: The machine.
        waits: Seconds between tries to connect.
    """

    def __init__(self, settings: SshSettings, waits: Sequence[float] = WAITS) -> None:
        self.settings = settings
        self._waits = waits
        self._opening = asyncio.Lock()
        self._channel: _Channel | None = None

    async def ask(self, do: str, data: bytes = b"", **fields: Any) -> tuple[Any, bytes]:
        """What the far side answers: a value and bytes. Cancelling stops it there too.

        Raises:
            BackendError: its own, or `backend.lost` when the connection went meanwhile: then it may have been done.
            OSError: the far machine's.
        """
        return await (await self._open()).ask({"do": do, **fields}, data)

    async def place(self) -> FarPlace:
        """Where things are there."""
        return (await self._open()).place

    async def close(self) -> None:
        """Hang up; what was started detached goes on there."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def _open(self) -> _Channel:
        async with self._opening:
            if self._channel is not None and self._channel.lost:
                await self.close()
            if self._channel is None:
                connection = await connect(self.settings, self._waits)
                self._channel = await self._begin(connection)
            return self._channel

    async def _begin(self, connection: asyncssh.SSHClientConnection) -> _Channel:
        import asyncssh

        try:
            place = await prepare(connection, self.settings)
            argv = ["env", f"PYTHONPATH={place.code}", place.python, "-P", "-m", "gpu_jobs.backends.far", place.root]
            process = await connection.create_process(shlex.join(argv), encoding=None)
            channel = _Channel(connection, process, place, self.settings.address)
            await channel.greet()
        except (OSError, asyncssh.Error) as problem:
            connection.close()
            raise lost(self.settings.address, str(problem)) from problem
        except BaseException:
            connection.close()
            raise
        return channel


class _Channel:
    """One far process and the questions that it has not answered yet."""

    def __init__(self, connection: asyncssh.SSHClientConnection, process: Any, place: FarPlace, address: str) -> None:
        self.place = place
        self.lost = False
        self._connection, self._process, self._address = connection, process, address
        self._asked: dict[int, asyncio.Future[tuple[Any, bytes]]] = {}
        self._number = 0
        self._reading: asyncio.Task[None] | None = None

    async def greet(self) -> None:
        """Wait for its first word.

        Raises:
            BackendError: `backend.far`, it ended without one; `backend.lost`.
        """
        if await unpack(self._process.stdout) is None:
            told = bytes(await self._process.stderr.read()).decode(errors="replace").strip()[-500:]
            if self._process.exit_status is None:
                raise lost(self._address)
            raise BackendError(f"our process on {self._address} did not start: {told}", code="backend.far")
        self._reading = asyncio.create_task(self._read())

    async def ask(self, message: dict[str, Any], data: bytes) -> tuple[Any, bytes]:
        """Send a question and wait for its answer."""
        self._number += 1
        number = self._number
        answer: asyncio.Future[tuple[Any, bytes]] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            await self._send({"id": number, **message}, data)
            await asyncio.wait([answer])
            return answer.result()
        except asyncio.CancelledError:
            await self._stop(number, answer)
            raise
        finally:
            self._asked.pop(number, None)

    async def close(self) -> None:
        """Close the connection and wait until it is closed."""
        self.lost = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._connection.abort()
        await self._connection.wait_closed()

    async def _send(self, message: dict[str, Any], data: bytes) -> None:
        if self.lost:
            raise lost(self._address)
        try:
            self._process.stdin.write(pack(message, data))
            await self._process.stdin.drain()
        except (OSError, EOFError) as problem:
            raise lost(self._address, str(problem)) from problem

    async def _stop(self, number: int, answer: asyncio.Future[tuple[Any, bytes]]) -> None:
        """Have it stopped there, and wait for that: who cancels may rely on it being gone."""
        with suppress(BackendError):
            await self._send({"id": number, "do": "stop"}, b"")
            await asyncio.wait([answer], timeout=STOP_SECONDS)
        if answer.done():
            answer.exception()
        else:
            answer.cancel()

    async def _read(self) -> None:
        import asyncssh

        try:
            while (frame := await unpack(self._process.stdout)) is not None:
                self._take(*frame)
        except (OSError, asyncssh.Error):
            pass  # the same as the end: below
        finally:
            self.lost = True
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(lost(self._address))

    def _take(self, message: dict[str, Any], data: bytes) -> None:
        answer = self._asked.get(message["id"])
        if answer is None or answer.done():
            return
        if (error := message.get("error")) is not None:
            told = {name: error.get(name) for name in ("code", "field", "fix")}
            answer.set_exception(BackendError(str(error.get("message")), **told))
        elif (system := message.get("os")) is not None:
            answer.set_exception(OSError(*system))
        else:
            answer.set_result((message.get("value"), data))
