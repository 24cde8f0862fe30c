"""Questions to a server on loopback: is it ready, does it answer as tested, which process answers."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from memory.errors import DeployError
from phases.endpoint import same
from phases.supervisor.request import DeployRequest
from phases.supervisor.server_process import ServerProcess

ANSWER_SECONDS = 10.0
CONNECTIONS, REQUESTS = 4, 5  # of the minimal load: each connection asks so many times
PROVEN_ROWS, ROWS_PER_REQUEST = 64, 8  # of the proof: as many as tell, in bodies that fit any limit
_PAUSE = 0.02


class Proof(NamedTuple):
    """What a version was asked before it took traffic.

    Attributes:
        answered: requests of the minimal load that were answered.
        rows: stored rows that were asked again; 0 when the request brings none.
        differing: of those, how many were answered otherwise than when the model was tested.
    """

    answered: int = 0
    rows: int = 0
    differing: int = 0


class Connection:
    """One kept-alive HTTP/1.1 connection: requests one after another, answers with a length or in chunks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def ports(self) -> tuple[int, int]:
        """The server's port and ours."""
        return self._writer.get_extra_info("peername")[1], self._writer.get_extra_info("sockname")[1]

    async def ask(self, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of a GET, or of a POST when there is a body to send.

        Raises:
            OSError: The connection broke, or no answer came within `ANSWER_SECONDS`.
        """
        data = b"" if body is None else json.dumps(body, allow_nan=False).encode()
        verb = "GET" if body is None else "POST"
        head = f"{verb} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(data)}\r\n"
        self._writer.write(f"{head}content-type: application/json\r\n\r\n".encode() + data)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._answer()
        except (asyncio.IncompleteReadError, ValueError, IndexError) as error:
            raise ConnectionError(f"the answer broke off: {error}") from error

    async def _answer(self) -> tuple[int, bytes]:
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        status = int(lines[0].split()[1])
        if headers.get("transfer-encoding") != "chunked":
            return status, await self._reader.readexactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readuntil(b"\r\n")
        return status, body


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Connection]:
    """A connection to loopback, closed at the end."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), ANSWER_SECONDS)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


async def until_ready(port: int, server: ServerProcess, seconds: float) -> float:
    """Seconds until `server` itself answered 200 to `GET /readyz` on `port`, which other servers may share.

    Raises:
        DeployError: `deploy.not_ready`: it ended, or did not answer in time; `deploy.killed`: somebody killed it.
    """
    began, said = time.monotonic(), ["no answer"]
    asking, ending = asyncio.create_task(_ask_until_ready(port, server, said)), asyncio.create_task(server.ended())
    try:
        done, _ = await asyncio.wait({asking, ending}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asking.cancel()
        ending.cancel()
        await asyncio.gather(asking, ending, return_exceptions=True)
    if asking in done:
        return time.monotonic() - began
    if ending in done:
        code = "deploy.killed" if "SIGKILL" in ending.result() else "deploy.not_ready"
        raise DeployError(f"the server ended before it was ready: {ending.result()}", code=code)
    raise DeployError(f"the server was not ready after {seconds:g} s: {said[-1]}", code="deploy.not_ready")


async def _ask_until_ready(port: int, server: ServerProcess, said: list[str]) -> None:
    while True:
        try:
            async with connect(port) as connection:
                status, _ = await connection.ask("/readyz")
                if await asyncio.to_thread(_answers, server.pid, *connection.ports):
                    if status == 200:
                        return
                    said.append(f"/readyz answered {status}")
        except OSError as error:  # also the builtin TimeoutError
            said.append(str(error) or "no answer")
        await asyncio.sleep(_PAUSE)


async def minimal_load(port: int, request: DeployRequest) -> int:
    """A few requests at once with the example; every one must be answered. Returns how many were.

    Raises:
        DeployError: `deploy.load_failed`: one was not.
    """
    try:
        return sum(await asyncio.gather(*(_client(port, request) for _ in range(CONNECTIONS))))
    except OSError as error:
        raise DeployError(
            f"version {request.version!r} does not answer its example request: {error}", code="deploy.load_failed"
        ) from error


async def compare(port: int, request: DeployRequest) -> tuple[int, int]:
    """How many stored rows were asked again, and how many answers differ: none, or it raises.

    Raises:
        DeployError: `deploy.wrong_answers`: a row is answered differently or not at all; `deploy.files_gone`: the
            proof cannot be read.
    """
    if request.proof is None:
        return 0, 0
    stored = await asyncio.to_thread(_stored, Path(request.proof))
    try:
        async with connect(port) as connection:
            found = [
                prediction
                for start in range(0, len(stored), ROWS_PER_REQUEST)
                for prediction in await _predictions(
                    connection, [r for r, _ in stored[start : start + ROWS_PER_REQUEST]]
                )
            ]
        differing = sum(not same(one, wanted) for one, (_, wanted) in zip(found, stored, strict=True))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DeployError(
            f"version {request.version!r} does not answer the rows it was tested with: {error!r}",
            code="deploy.wrong_answers",
        ) from error
    if differing:
        raise DeployError(
            f"version {request.version!r} answers {differing} of {len(stored)} rows otherwise than when it was tested",
            code="deploy.wrong_answers",
        )
    return len(stored), differing


async def _predictions(connection: Connection, rows: list[Any]) -> list[Any]:
    status, body = await connection.ask("/predict", {"rows": rows})
    if status != 200:
        raise ConnectionError(f"status {status}: {body[:300].decode(errors='replace')}")
    return list(json.loads(body)["predictions"])


def _stored(path: Path) -> list[tuple[Any, Any]]:
    try:
        kept = json.loads(path.read_bytes())
        return list(zip(kept["rows"], kept["predictions"], strict=True))[:PROVEN_ROWS]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DeployError(
            f"the rows it was tested with cannot be read from {str(path)!r}: {error!r}",
            code="deploy.files_gone",
            fix="was its run removed? Deploy another one: neuroloom deploy RUN",
        ) from error


async def _client(port: int, request: DeployRequest) -> int:
    answered = 0
    async with connect(port) as connection:
        for _ in range(REQUESTS):
            status, body = await connection.ask("/predict", request.example_request)
            if status != 200:
                raise ConnectionError(f"status {status}: {body[:300].decode(errors='replace')}")
            answered += 1
    return answered


def _answers(pid: int, server_port: int, our_port: int) -> bool:
    """Whether process `pid` holds the server's end of the loopback connection between two ports."""
    ends = f":{server_port:04X}", f":{our_port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(ends[0]) and fields[2].endswith(ends[1]):
            return f"socket:[{fields[9]}]" in _open_files(pid)
    return False


def _open_files(pid: int) -> set[str]:
    found = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found.add(os.fspath(link.readlink()))
            except OSError:
                continue
    except OSError:
        return found
    return found
