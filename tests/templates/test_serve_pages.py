"""The pages of the generated server, over real sockets: what they show, what they may load, what HEAD says of them."""

from __future__ import annotations

import html
import json
import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_jobs.serving.load import Connection, request
from gpu_jobs.serving.process import RunningServer, running
from tests.templates.model_kit import EXAMPLE, write_attempt


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    attempt: Path = write_attempt(tmp_path_factory.mktemp("attempt"))
    with running(attempt / "scripts" / "serve.py", attempt / "models", attempt / "log") as started:
        yield started


def _page(server: RunningServer, path: str, method: str = "GET") -> tuple[str, bytes]:
    """The head of an answer, and what follows it."""
    raw = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(raw)
        while part := connection.recv(1 << 16):
            received += part
    head, _, page = received.partition(b"\r\n\r\n")
    return head.decode(), page


def test_the_page_holds_the_fields_and_lets_only_its_own_script_run(server: RunningServer) -> None:
    head, page = _page(server, "/")
    policy = re.search("content-security-policy: ([^\r]+)", head, re.IGNORECASE)
    assert policy and "default-src 'none'" in policy.group(1) and "unsafe-inline" not in policy.group(1)
    data = re.search(rb'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data and json.loads(data.group(1))["example"] == EXAMPLE
    assert b"<b>" not in data.group(1)


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json"])
def test_no_page_refers_to_anything_elsewhere(server: RunningServer, path: str) -> None:
    head, page = _page(server, path)
    assert head.startswith("HTTP/1.1 200")
    assert set(re.findall(rb"""(?:https?:)?//[^/\s"'<>&\\]+""", page)) <= {b"http://localhost"}


def test_the_documentation_shows_every_operation_with_its_fields_and_a_command_that_works(
    server: RunningServer,
) -> None:
    head, raw = _page(server, "/docs")
    assert "script-src 'none'" in head and b"<script" not in raw
    page = raw.decode()
    assert f"<td>{html.escape(list(EXAMPLE)[2])}</td>" in page and "<b>" not in page
    for path, methods in json.loads(_page(server, "/openapi.json")[1])["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}<" in page
    command = html.unescape(re.findall("<pre[^>]*>(.*?)</pre>", page, re.DOTALL)[0])
    words = shlex.split(command.replace("\\\n", ""))
    assert words[2] == "http://localhost/predict"
    with Connection(server.port) as connection:
        assert connection.exchange(request(json.loads(words[-1])))[0] == 200


def test_the_viewers_that_load_foreign_code_are_gone(server: RunningServer) -> None:
    assert _page(server, "/redoc")[0].startswith("HTTP/1.1 404")


@pytest.mark.parametrize("path", ["/", "/health", "/healthz", "/readyz", "/nowhere"])
def test_head_answers_like_get_without_a_body(server: RunningServer, path: str) -> None:
    (head, body), (wanted, shown) = _page(server, path, "HEAD"), _page(server, path)
    assert body == b"" and shown

    def told(text: str) -> list[str]:
        lines = text.lower().split("\r\n")
        return [line for line in lines if not line.startswith(("date:", "content-length:"))]

    assert told(head) == told(wanted)
