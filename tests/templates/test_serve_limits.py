"""What one request may cost the generated server, and whose requests it answers."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gpu_jobs.data.rows import RowError, load
from gpu_jobs.data.snapshot import snapshot
from gpu_jobs.serving.load import Connection, request
from gpu_jobs.serving.process import RunningServer, running
from tests.gpu_jobs.data.conftest import people, prepare
from tests.templates.model_kit import EXAMPLE, write_attempt


@pytest.fixture(scope="module")
def attempt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_attempt(tmp_path_factory.mktemp("attempt"))


@pytest.fixture(scope="module")
def server(attempt: Path) -> Iterator[RunningServer]:
    flags = [
        "--header-seconds",
        "0.5",
        "--body-seconds",
        "0.3",
        "--allow-host",
        "churn.example",
        "--allow-host",
        "10.0.0.7",
    ]
    with running(attempt / "scripts" / "serve.py", attempt / "models", attempt / "log", flags) as started:
        yield started


@pytest.fixture(scope="module")
def module(attempt: Path) -> ModuleType:
    """The generated file as a module."""
    spec = importlib.util.spec_from_file_location("generated_serve", attempt / "scripts" / "serve.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules["generated_serve"] = found
    spec.loader.exec_module(found)
    return found


def _asked(server: RunningServer, raw: bytes) -> tuple[int, Any]:
    with Connection(server.port) as connection:
        status, body = connection.exchange(raw)
    return status, json.loads(body)


def test_headers_without_a_body_are_given_up_too(server: RunningServer) -> None:
    status, answer = _asked(server, b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
    assert (status, answer["error"]["code"]) == (408, "slow_body")


@pytest.mark.parametrize("rows", [[{}, {}], [EXAMPLE, {}], [{}], {"rows": [EXAMPLE] * 70 + [{}]}, {}])
def test_a_row_without_fields_is_refused_in_every_shape(server: RunningServer, rows: Any) -> None:
    status, answer = _asked(server, request(rows))
    assert (status, answer["error"]["code"]) == (422, "empty_row")
    place = (1 if rows == [EXAMPLE, {}] else 0) if isinstance(rows, list) else None
    assert answer["error"].get("row") == (70 if rows != {} and isinstance(rows, dict) else place)


@pytest.mark.parametrize("row", [[[]], [0], [""], [None, None]])
def test_what_is_no_row_is_of_the_wrong_type(server: RunningServer, row: Any) -> None:
    status, answer = _asked(server, request(row))
    assert (status, answer["error"]["code"]) == (422, "wrong_type")


def test_a_body_above_two_megabytes_is_refused_by_default(server: RunningServer) -> None:
    status, answer = _asked(server, request({"island": "x" * 2_000_000}))
    assert (status, answer["error"]["code"]) == (413, "too_large")
    assert _asked(server, request({"island": "x" * (2_000_000 - 100)}))[0] == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1", "[::1]:99", "churn.example:80", "10.0.0.7"]
)
@pytest.mark.parametrize("path", ["/health", "/predict"])
def test_names_of_this_machine_and_those_allowed_are_answered(server: RunningServer, host: str, path: str) -> None:
    body = json.dumps(EXAMPLE).encode()
    start = "GET /health" if path == "/health" else "POST /predict"
    raw = f"{start} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    assert [_asked(server, raw)[0] for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io", ""]
)
@pytest.mark.parametrize("start", ["GET /", "GET /health", "POST /predict"])
def test_a_page_that_rebinds_its_name_to_loopback_is_refused(server: RunningServer, host: str, start: str) -> None:
    status, answer = _asked(server, f"{start} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode())
    assert (status, answer["error"]["code"]) == (421, "wrong_host")
    assert "--allow-host" in answer["error"]["message"]


def test_a_server_for_other_machines_answers_to_any_name(attempt: Path, module: ModuleType) -> None:
    assert module.Hosts.on("0.0.0.0", ()) is None and module.Hosts.on("::", ()) is None
    assert module.Hosts.on("192.168.1.5", ()) is None and module.Hosts.on("", ()) is None
    for address in ("127.0.0.1", "::1", "localhost", "127.0.0.2"):
        hosts = module.Hosts.on(address, ())
        assert hosts.trusts([(b"host", f"[{address}]:80".encode() if ":" in address else address.encode())])


def test_the_schema_claims_exactly_the_types_that_are_accepted(tmp_path: Path, module: ModuleType) -> None:
    people().write_csv(tmp_path / "people.csv")
    snapshot({"data": tmp_path / "people.csv"}, tmp_path / "data", None)
    prepare(tmp_path, "kind", "multiclass")
    encoder = load(json.loads((tmp_path / "data" / "preprocessing.json").read_text()))
    model = SimpleNamespace(fields=encoder.fields, example={})
    content = module.predict_operation(model)["requestBody"]["content"]["application/json"]
    claimed = content["schema"]["anyOf"][0]["properties"]
    assert {field["kind"] for field in encoder.fields} == {"number", "category", "boolean", "date", "text"}
    for field in encoder.fields:
        values = {
            "number": 1,
            "boolean": True,
            "string": str(field["example"]),
            "null": None,
            "array": [],
            "object": {},
        }
        accepted = {kind for kind, value in values.items() if _takes(encoder, field["name"], value)}
        assert set(claimed[field["name"]]["type"]) == accepted, field["name"]


def _takes(encoder: Any, name: str, value: Any) -> bool:
    try:
        encoder.encode_one({name: value})
    except RowError:
        return False
    return True


@pytest.mark.parametrize("payload", [EXAMPLE, [EXAMPLE] * 3])
def test_a_large_body_is_read_and_encoded_beside_the_event_loop(
    attempt: Path, module: ModuleType, payload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = module.Front(module.Model(attempt / "models", 1), module.Settings())
    here = threading.current_thread()
    threads: list[threading.Thread] = []
    for owner, name in ((front, "read"), (front.model.encoder, "encode_one"), (front.model.encoder, "encode")):
        monkeypatch.setattr(owner, name, _watched(getattr(owner, name), threads))

    def used(body: bytes) -> list[bool]:
        threads.clear()
        assert asyncio.run(front.predict(body))
        return [thread is here for thread in threads]

    body = json.dumps(payload).encode()
    assert used(body) == [True, True]
    assert used(body + b" " * (1 << 16)) == [False, False]


def _watched(call: Callable[..., Any], threads: list[threading.Thread]) -> Callable[..., Any]:
    def watched(*args: Any) -> Any:
        threads.append(threading.current_thread())
        return call(*args)

    return watched


def test_a_closed_socket_while_the_body_is_awaited_harms_nobody(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as gone:
        gone.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
    assert _asked(server, request(EXAMPLE))[0] == 200


DEEP = "[" * 1000 + "]" * 1000


@pytest.mark.parametrize("field", list(EXAMPLE))
@pytest.mark.parametrize("value", [DEEP, '{"a":' * 1000 + "1" + "}" * 1000, "[true]", "{}"])
@pytest.mark.parametrize("many", [False, True])
def test_a_list_or_object_where_a_value_belongs_is_refused_however_deep(
    server: RunningServer, field: str, value: str, many: bool
) -> None:
    row = f"{{{json.dumps(field)}: {value}}}"
    body = (f"[{row}, {row}]" if many else row).encode()
    raw = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    status, answer = _asked(server, raw)
    assert (status, answer["error"]["code"]) == (422, "wrong_type")
    kind = "a list" if value.startswith("[") else "an object"
    assert f"{field!r} is {kind}; it takes" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ([[1]], "a row is a list"),
        ([None], "a row is null"),
        ([True], "a row is true"),
        ([7], "a row is a number"),
        (["x"], "a row is a text"),
        (None, "the body is null"),
        ("x", "the body is a text"),
        ({"island": True}, "is true; it takes"),
        ({"male": 7}, "is 7; it takes"),
        ({"male": 1e300}, "is a number; it takes"),
        ({"male": "perhaps"}, "is 'perhaps'; it takes"),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_json(server: RunningServer, payload: Any, words: str) -> None:
    status, answer = _asked(server, request(payload))
    assert status == 422
    assert words in answer["error"]["message"]


@pytest.mark.parametrize(
    ("query", "name"),
    [("explain=1", "explain"), ("verbose", "verbose"), ("a=1&explain=1", "a"), ("%27%3Cb%3E=", "%27%3Cb%3E")],
)
def test_a_query_parameter_of_predict_is_refused_and_named(server: RunningServer, query: str, name: str) -> None:
    status, answer = _asked(server, request(EXAMPLE).replace(b"/predict", f"/predict?{query}".encode(), 1))
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (400, "unknown_parameter", name)
    assert "no query parameters" in answer["error"]["message"]


def _until_closed(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(1 << 16):
        received += part
    return received


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nHost: localh"])
def test_a_client_that_never_finishes_its_headers_is_cut(server: RunningServer, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as slow:
        slow.sendall(sent)
        assert _until_closed(slow) == b""


def test_so_is_one_that_sends_them_byte_by_byte_after_a_request_that_was_answered(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as slow:
        slow.sendall(request(EXAMPLE))
        assert slow.recv(1 << 16).startswith(b"HTTP/1.1 200")
        slow.sendall(b"GET / HTTP/1.1\r\nX: ")
        begun = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - begun < 90:
                slow.sendall(b"x")
                readable, _, _ = select.select([slow], [], [], 0.05)
                if readable and not slow.recv(1):
                    raise ConnectionResetError
        assert time.monotonic() - begun < 60


def test_a_connection_that_waits_between_requests_is_not_cut_with_them(server: RunningServer) -> None:
    with Connection(server.port) as idle:
        assert idle.exchange(request(EXAMPLE))[0] == 200
        idle.socket.settimeout(1.2)
        with pytest.raises(TimeoutError):
            idle.socket.recv(1)


def test_a_server_on_any_free_port_tells_which_one_it_became(attempt: Path) -> None:
    script = [sys.executable, "-P", str(attempt / "scripts" / "serve.py"), "--models", str(attempt / "models")]
    with subprocess.Popen([*script, "--port", "0"], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            told = next(line for line in process.stderr if "http://" in line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", told)
            assert found is not None and int(found[1]) > 0, told
            with Connection(int(found[1]), timeout=60) as connection:
                status, _ = connection.exchange(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status == 200
        finally:
            process.terminate()
