"""A loopback stand-in for the Messages API that a real Claude Code talks to: scripted answers, every request kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MOST_WAITS = 60


Block = dict[str, Any]


class Standin:
    """Answers requests that offer tools with the script's blocks, one after another; others with a word.

    A tool that is not offered yet (its server is still starting) is waited for with a short command.
    """

    def __init__(self, script: list[Block]) -> None:
        self.script, self.port, self.lock = script, 0, threading.Lock()
        self.bodies: list[dict[str, Any]] = []

    def block(self, body: dict[str, Any]) -> Block:
        """The next content block."""
        with self.lock:
            if not body.get("tools"):
                return {"type": "text", "text": "ok"}
            self.bodies.append(body)
            if not self.script:
                return {"type": "text", "text": "done"}
            offered = {tool["name"] for tool in body["tools"]}
            if self.script[0].get("name", "Bash") in offered | {"Bash"} or len(self.bodies) > MOST_WAITS:
                return self.script.pop(0)
            wait = {"command": "sleep 1", "description": "wait for the server"}
            return {"type": "tool_use", "id": f"toolu_wait_{len(self.bodies)}", "name": "Bash", "input": wait}


def events(block: dict[str, Any], model: str) -> Iterator[dict[str, Any]]:
    """One message as the events of a stream."""
    usage = {"input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    is_tool = block["type"] == "tool_use"
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [], "usage": usage}
    yield {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}}
    empty = {**block, "input": {}} if is_tool else {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    delta = {"type": "input_json_delta", "partial_json": json.dumps(block.get("input"))}
    said = delta if is_tool else {"type": "text_delta", "text": block.get("text")}
    yield {"type": "content_block_delta", "index": 0, "delta": said}
    yield {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": "tool_use" if is_tool else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 5}}
    yield {"type": "message_stop"}


class Handler(BaseHTTPRequestHandler):
    """Speaks the API for the server's stand-in."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.path.startswith("/v1/messages") or "count_tokens" in self.path:
            self.answer("application/json", b'{"input_tokens": 10}')
            return
        block = self.server.found.block(body)  # type: ignore[attr-defined]
        told = list(events(block, str(body.get("model"))))
        if body.get("stream"):
            lines = [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in told]
            self.answer("text/event-stream", "".join(lines).encode())
        else:
            whole = {**told[0]["message"], "content": [block], **told[-2]["delta"]}
            self.answer("application/json", json.dumps(whole).encode())

    def do_GET(self) -> None:
        self.answer("application/json", b"{}")

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def standing_in(script: list[dict[str, Any]]) -> Iterator[Standin]:
    """The stand-in on a port of its own."""
    found = Standin(script)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.found = found  # type: ignore[attr-defined]
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
