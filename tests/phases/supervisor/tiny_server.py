"""A real HTTP server with the generated server's command line and contract, and with faults that a test asks for.

What it does is in `<models>/behaviour.json`: version, answer, status of `/predict`, ready_after, exit_at_start, slow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any


class Server:
    def __init__(self, behaviour: dict[str, Any]) -> None:
        self.behaviour, self.draining, self.connections = behaviour, False, 0
        self.ready_at = asyncio.get_running_loop().time() + behaviour.get("ready_after", 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = [line.split(": ")[1] for line in head.split("\r\n") if line.startswith("content-length")]
                asked = await reader.readexactly(int(length[0]) if length else 0)
                status, body = await self.answer(head.split()[1], asked)
                last = self.draining or "connection: close" in head
                text = json.dumps(body).encode()
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(text)}\r\n".encode())
                writer.write((b"connection: close\r\n\r\n" if last else b"\r\n") + text)
                await writer.drain()
                if last:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.connections -= 1
            writer.close()

    async def answer(self, path: str, asked: bytes) -> tuple[int, Any]:
        if path == "/readyz":
            ready = asyncio.get_running_loop().time() >= self.ready_at and not self.draining
            return (200 if ready else 503), {"ready": ready}
        await asyncio.sleep(self.behaviour.get("slow", 0))
        rows = json.loads(asked or b"{}").get("rows", [None])
        one = {"label": self.behaviour.get("answer", "yes"), "probabilities": {"yes": 0.75, "no": 0.25}}
        model = {"name": "m", "version": self.behaviour["version"]}
        return self.behaviour.get("status", 200), {"predictions": [one] * len(rows), "model": model, "pid": os.getpid()}

    async def drained(self, listening: asyncio.Server) -> None:
        self.draining = True
        listening.close()
        until, quiet = asyncio.get_running_loop().time() + 20, 0
        while quiet < 5 and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
            quiet = 0 if self.connections else quiet + 1  # one that was accepted a moment ago is not counted yet


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--models", type=Path, required=True)
    chosen = parser.parse_args()
    behaviour = json.loads((chosen.models / "behaviour.json").read_text())
    sys.stdout.write(f"version {behaviour['version']} starts\n")
    sys.stdout.flush()
    if behaviour.get("exit_at_start") is not None:
        sys.exit(f"cannot load the model: {behaviour['exit_at_start']}")
    server, over = Server(behaviour), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    listening = await asyncio.start_server(server.serve, sock=socket.socket(fileno=chosen.fd))
    await over.wait()
    await server.drained(listening)


if __name__ == "__main__":
    asyncio.run(main())
