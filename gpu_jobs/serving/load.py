"""A light closed-loop HTTP client on raw sockets, to measure a server beside it. No general HTTP client."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from .errors import ServingError


def request(payload: object, path: str = "/predict") -> bytes:
    """The bytes of one POST with a JSON body, on a connection that stays open."""
    body = json.dumps(payload, allow_nan=False).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def whole_answer(data: bytes | bytearray) -> tuple[int, int, int] | None:
    """(status, start of the body, its end) of the answer in `data`, or None while some of it is missing."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    place = data.lower().find(b"content-length:", 0, head)
    length = int(data[place + 15 : data.find(b"\r\n", place)]) if place >= 0 else 0
    end = head + 4 + length
    return (int(data[9:12]), head + 4, end) if len(data) >= end else None


class Connection:
    """One keep-alive connection to a port on loopback; a request at a time. Use it in a `with` block."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def exchange(self, data: bytes) -> tuple[int, bytes]:
        """Send one request; its answer's status and body.

        Raises:
            ConnectionError: the server closed the connection before its answer was whole.
            TimeoutError: no answer in time.
        """
        self.socket.sendall(data)
        received = bytearray()
        while (answer := whole_answer(received)) is None:
            part = self.socket.recv(1 << 18)
            if not part:
                raise ConnectionResetError("the server closed the connection without an answer")
            received += part
        status, start, end = answer
        return status, bytes(received[start:end])


@dataclass(frozen=True)
class Load:
    """What a load left behind: seconds of each request, in order, and seconds of the whole."""

    latencies: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds


def one_client(port: int, requests: Sequence[bytes], seconds: float, at_least: int = 50) -> Load:
    """Send `requests` in turn over one connection for so long, and at least so many.

    Raises:
        ServingError: `serving.status`, an answer was not 200.
    """
    latencies: list[float] = []
    with Connection(port) as connection:
        begun = time.perf_counter()
        now = begun
        while now - begun < seconds or len(latencies) < at_least:
            status, body = connection.exchange(requests[len(latencies) % len(requests)])
            done = time.perf_counter()
            latencies.append(done - now)
            now = done
            if status != 200:
                raise _refused(status, body)
    return Load(latencies, now - begun)


def many_clients(port: int, requests: Sequence[bytes], seconds: float, clients: int = 16) -> Load:
    """The same over `clients` connections at once, each with one request on its way (one thread, a selector).

    Raises:
        ServingError: `serving.status`, an answer was not 200.
    """
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        flows = [_Flow(port) for _ in range(clients)]
        try:
            for flow in flows:
                selector.register(flow.connection.socket, selectors.EVENT_READ, flow)
                flow.send(requests[0])
            begun = time.perf_counter()
            while time.perf_counter() - begun < seconds:
                for key, _ in selector.select(10):
                    if key.data.receive():
                        latencies.append(key.data.finish())
                        key.data.send(requests[len(latencies) % len(requests)])
            elapsed = time.perf_counter() - begun
        finally:
            for flow in flows:
                flow.connection.socket.close()
    return Load(latencies, elapsed)


class _Flow:
    """A connection, what of its answer has arrived, and when its request left."""

    def __init__(self, port: int) -> None:
        self.connection = Connection(port)
        self.received = bytearray()
        self.sent = 0.0

    def send(self, data: bytes) -> None:
        self.received.clear()
        self.sent = time.perf_counter()
        self.connection.socket.sendall(data)

    def receive(self) -> bool:
        part = self.connection.socket.recv(1 << 18)
        if not part:
            raise ConnectionResetError("the server closed the connection without an answer")
        self.received += part
        return whole_answer(self.received) is not None

    def finish(self) -> float:
        seconds = time.perf_counter() - self.sent
        status, start, end = whole_answer(self.received) or (0, 0, 0)
        if status != 200:
            raise _refused(status, bytes(self.received[start:end]))
        return seconds


def _refused(status: int, body: bytes) -> ServingError:
    said: Any = body[:400].decode("utf-8", "replace")
    message = f"the generated server answered {status} to a row of the data: {said}"
    return ServingError(message, code="serving.status", fix="compare preprocessing.json with the data")
