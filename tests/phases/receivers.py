"""Receivers of notifications: a small HTTP server and a small SMTP server on loopback, which keep what they get."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Received:
    """Where the server listens, and what came."""

    port: int = 0
    status: int = 200
    silent: bool = False
    bodies: list[dict[str, Any]] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)


@asynccontextmanager
async def webhook(status: int = 200, silent: bool = False) -> AsyncIterator[Received]:
    """An HTTP server that answers `status`, or never."""
    found = Received(status=status, silent=silent)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            found.bodies.append(json.loads(await reader.readexactly(length)))
            if found.silent:
                await reader.read()  # until the client has enough
            place = b"location: http://127.0.0.1:9/elsewhere\r\n" if found.status == 302 else b""
            writer.write(
                b"HTTP/1.1 %d Said\r\n%scontent-length: 0\r\nconnection: close\r\n\r\n" % (found.status, place)
            )
            await writer.drain()
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


@asynccontextmanager
async def mailbox(refuse: bool = False) -> AsyncIterator[Received]:
    """An SMTP server that takes every mail, or refuses the recipient."""
    found = Received()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 sink\r\n")
            while line := await reader.readline():
                word = line.split(None, 1)[0].upper() if line.strip() else b""
                if word == b"DATA":
                    writer.write(b"354 go on\r\n")
                    found.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                answers = {b"QUIT": b"221 bye\r\n", **({b"RCPT": b"550 nobody here\r\n"} if refuse else {})}
                writer.write(answers.get(word, b"250 fine\r\n"))
                if word == b"QUIT":
                    break
            await writer.drain()
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found
