"""A client that speaks the protocol line by line with a server process, with no library between. It decides nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Message = dict[str, Any]
NEWEST = "2026-07-28"
META = "io.modelcontextprotocol"
WHO = {"name": "lines", "version": "1"}


def silent(request: Message) -> Message:
    """A client that nothing may be asked of."""
    raise AssertionError(f"the server asked {request}")


class Lines:
    """One conversation: requests with ids, what the server sent in between, and every line as it came.

    Attributes:
        heard: Notifications and requests of the server, oldest first.
        bytes: Everything that came.
    """

    def __init__(self, process: subprocess.Popen[bytes], answer: Callable[[Message], Message] = silent) -> None:
        self._process = process
        self._answer = answer
        self._last = 0
        self._came: dict[int, Message] = {}
        self.capabilities: Message = {}
        self.modern = False
        self.heard: list[Message] = []
        self.bytes = bytearray()

    def greet(self, revision: str = "2025-11-25", **capabilities: Any) -> Message:
        """The handshake of the older revisions; the server's answer."""
        asked = {"protocolVersion": revision, "capabilities": capabilities, "clientInfo": WHO}
        found = self.ask("initialize", asked)
        self.tell("notifications/initialized")
        return found

    def skip_greeting(self, **capabilities: Any) -> None:
        """Speak the newest revision, in which every request says who asks."""
        self.modern, self.capabilities = True, capabilities

    def ask(self, method: str, params: Message | None = None) -> Message:
        """Send a request and read until its answer: `{"result": …}` or `{"error": …}`."""
        return self.answer_to(self.begin(method, params))

    def result(self, method: str, params: Message | None = None) -> Message:
        """The result of a request that must not fail."""
        found = self.ask(method, params)
        assert "result" in found, found
        return dict(found["result"])

    def call(self, tool: str, more: Message | None = None, /, **arguments: Any) -> Message:
        """The result of a tool."""
        return self.result("tools/call", {"name": tool, "arguments": arguments, **(more or {})})

    def begin(self, method: str, params: Message | None = None) -> int:
        """Send a request; its id."""
        self._last += 1
        self.send({"jsonrpc": "2.0", "id": self._last, "method": method, "params": self._with_who(params or {})})
        return self._last

    def tell(self, method: str, params: Message | None = None) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def send(self, message: Any) -> None:
        """Send one line."""
        self.write(json.dumps(message).encode())

    def write(self, line: bytes) -> None:
        """Send one line of bytes, whatever they are."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def answer_to(self, number: int) -> Message:
        """Read until the answer to that request."""
        while number not in self._came:
            self.read()
        return self._came.pop(number)

    def read(self) -> Message:
        """Read one line, answer it where it asks, and keep it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server hung up"
        self.bytes += line
        message = json.loads(line)
        assert isinstance(message, dict) and message["jsonrpc"] == "2.0", line
        if "method" not in message:
            self._came[message["id"]] = message
            return message
        self.heard.append(message)
        if "id" in message:
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": self._answer(message)})
        return message

    def notified(self, method: str) -> list[Message]:
        """The parameters of what the server told so far under this method."""
        return [one["params"] for one in self.heard if one["method"] == method]

    def hang_up(self) -> int:
        """Close the server's input, read what it still says; its exit code."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self.bytes += self._process.stdout.read()
        return self._process.wait(timeout=60)

    def _with_who(self, params: Message) -> Message:
        if not self.modern:
            return params
        who = {"protocolVersion": NEWEST, "clientInfo": WHO, "clientCapabilities": self.capabilities}
        own = {f"{META}/{name}": value for name, value in who.items()}
        return {**params, "_meta": {**own, **params.get("_meta", {})}}


@contextmanager
def speaking(
    command: Sequence[str], cwd: Path, environment: dict[str, str], answer: Callable[[Message], Message] = silent
) -> Iterator[Lines]:
    """A conversation with a fresh process, which is ended afterwards; what it says on standard error is in `cwd`."""
    with (cwd / "server.err").open("ab") as words:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words
        )
    try:
        yield Lines(process, answer)
    finally:
        process.kill()
        process.wait(timeout=60)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
