"""The generated server as a real process, asked over real sockets; the documented contract, and what breaks servers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_jobs.data.rows import load
from gpu_jobs.serving.load import Connection, request, whole_answer
from gpu_jobs.serving.process import RunningServer, running
from tests.templates.model_kit import EXAMPLE, LABELS, write_attempt

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def attempt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_attempt(tmp_path_factory.mktemp("attempt"))


@pytest.fixture(scope="module")
def server(attempt: Path) -> Iterator[RunningServer]:
    flags = ["--max-body-mb", "0.5", "--body-seconds", "0.3", "--max-rows", "2000"]
    with running(attempt / "scripts" / "serve.py", attempt / "models", attempt / "log", flags) as started:
        yield started


@pytest.fixture
def ask(server: RunningServer) -> Iterator[Ask]:
    with Connection(server.port) as connection:

        def send(payload: object, raw: bytes | None = None) -> tuple[int, Any]:
            status, body = connection.exchange(request(payload) if raw is None else raw)
            return status, json.loads(body)

        yield send


def _get(server: RunningServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    with Connection(server.port) as connection:
        return connection.exchange(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def _expected(attempt: Path, rows: list[dict[str, Any]]) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(attempt / "models" / "model.onnx"))
    encoder = load(json.loads((attempt / "models" / "preprocessing.json").read_text()))
    return encoder.decode(session.run(None, encoder.encode(rows))[0])


def test_a_row_is_answered_as_the_model_answers(ask: Ask, attempt: Path) -> None:
    status, answer = ask(EXAMPLE)
    assert status == 200
    assert answer["predictions"] == _expected(attempt, [EXAMPLE])
    assert answer["model"] == {"name": "penguins", "version": "1.0.0"}
    assert 0 < answer["latency_ms"] < 10_000
    assert sum(answer["predictions"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("count", [2, 64, 65, 1500])
def test_a_list_and_rows_are_answered_row_by_row_in_order(ask: Ask, attempt: Path, count: int) -> None:
    rows = [{**EXAMPLE, "bill_length_mm": 30 + i / 50} for i in range(count)]
    expected = _expected(attempt, rows)
    for payload in (rows, {"rows": rows}):
        status, answer = ask(payload)
        assert status == 200
        assert [p["label"] for p in answer["predictions"]] == [p["label"] for p in expected]
        found = [list(p["probabilities"].values()) for p in answer["predictions"]]
        assert np.allclose(found, [list(p["probabilities"].values()) for p in expected], atol=1e-6)


def test_features_are_values_in_the_order_of_the_schema(ask: Ask) -> None:
    assert ask({"features": list(EXAMPLE.values())})[1]["predictions"] == ask(EXAMPLE)[1]["predictions"]


def test_a_field_left_out_or_null_is_missing(ask: Ask) -> None:
    without = {name: value for name, value in EXAMPLE.items() if name != "bill_length_mm"}
    assert ask(without)[1]["predictions"] == ask({**EXAMPLE, "bill_length_mm": None})[1]["predictions"]


@pytest.mark.parametrize(
    ("payload", "code", "field"),
    [
        ({"islnd": "Dream"}, "unknown_field", "islnd"),
        ({**EXAMPLE, "bill_length_mm": "long"}, "wrong_type", "bill_length_mm"),
        ({**EXAMPLE, "island": ["Dream"]}, "wrong_type", "island"),
        ({**EXAMPLE, "male": "perhaps"}, "wrong_type", "male"),
        ({}, "empty_row", None),
        ([], "wrong_length", None),
        ({"rows": []}, "wrong_length", None),
        ([EXAMPLE] * 2001, "wrong_length", None),
        ({"features": [1]}, "wrong_length", None),
        (5, "wrong_shape", None),
        ("row", "wrong_shape", None),
        (None, "wrong_shape", None),
        ([5], "wrong_type", None),
        ([[1, 2]], "wrong_type", None),
    ],
)
def test_a_wrong_field_is_a_422_that_names_it_and_those_there_are(
    ask: Ask, payload: object, code: str, field: str | None
) -> None:
    status, answer = ask(payload)
    assert status == 422
    assert (answer["error"]["code"], answer["error"]["field"]) == (code, field)
    assert {"code", "field", "message", "expected", "known_fields"} <= answer["error"].keys()
    assert answer["error"]["known_fields"] == list(EXAMPLE)


def test_an_error_in_a_list_names_the_row(ask: Ask) -> None:
    for place in (1, 1300):
        rows: list[Any] = [EXAMPLE] * 1400
        rows[place] = {"x": 1}
        _, answer = ask(rows[: place + 1] if place < 64 else rows)
        assert answer["error"]["row"] == place
        assert answer["error"]["message"].startswith(f"row {place}: unknown field 'x'")
    for one in ([{"x": 1}], {"rows": [{"x": 1}]}):  # a list of one is a list
        _, answer = ask(one)
        assert (answer["error"]["row"], answer["error"]["field"]) == (0, "x")
    assert "row" not in ask({"x": 1})[1]["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 5000])
def test_a_body_that_is_not_json_is_a_400(ask: Ask, body: bytes) -> None:
    raw = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    status, answer = ask(None, raw)
    assert (status, answer["error"]["code"]) == (400, "not_json")


def test_a_body_that_is_too_large_is_refused_with_413(server: RunningServer) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"
    with Connection(server.port) as connection:
        status, body = connection.exchange(head + b" " * 900_000)
    assert (status, json.loads(body)["error"]["code"]) == (413, "too_large")


def test_a_body_that_does_not_arrive_is_given_up(server: RunningServer) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"
    with Connection(server.port) as connection:
        status, body = connection.exchange(head)
    assert (status, json.loads(body)["error"]["code"]) == (408, "slow_body")


def test_predict_takes_only_post(server: RunningServer) -> None:
    status, body = _get(server, "/predict")
    assert (status, json.loads(body)["error"]["code"]) == (405, "method_not_allowed")
    assert _get(server, "/nowhere")[0] == 404


def test_health_names_the_model_and_readiness_follows_the_warm_up(server: RunningServer) -> None:
    for path in ("/health", "/healthz"):
        status, body = _get(server, path)
        assert status == 200
        assert json.loads(body)["model"] == {"name": "penguins", "version": "1.0.0"}
    assert _get(server, "/readyz")[0] == 200


def _counted(server: RunningServer, line: str) -> float:
    text = _get(server, "/metrics")[1].decode()
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def test_metrics_count_requests_by_status_latency_and_labels(server: RunningServer, ask: Ask) -> None:
    good, bad = 'inference_requests_total{code="200"}', 'inference_requests_total{code="422"}'
    before = {line: _counted(server, line) for line in (good, bad, "inference_latency_seconds_count")}
    label = ask(EXAMPLE)[1]["predictions"][0]["label"]
    ask({"x": 1})
    assert _counted(server, good) == before[good] + 1
    assert _counted(server, bad) == before[bad] + 1
    assert _counted(server, "inference_latency_seconds_count") == before["inference_latency_seconds_count"] + 2
    assert _counted(server, f'inference_predictions_total{{label="{label}"}}') >= 1
    text = _get(server, "/metrics")[1].decode()
    for edge in ('le="0.067"', 'le="0.1"', 'inference_model_info{name="penguins",version="1.0.0"} 1.0'):
        assert edge in text


def test_the_schema_has_the_real_fields_and_a_row_that_works(server: RunningServer, ask: Ask) -> None:
    operation = json.loads(_get(server, "/openapi.json")[1])["paths"]["/predict"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    assert list(content["schema"]["anyOf"][0]["properties"]) == list(EXAMPLE)
    assert ask(content["example"])[0] == 200


def test_many_clients_at_once_each_get_their_own_answer(server: RunningServer, attempt: Path) -> None:
    rows = [{**EXAMPLE, "bill_length_mm": 30.0 + i} for i in range(100)]
    expected = _expected(attempt, rows)
    connections = [Connection(server.port) for _ in rows]
    for connection, row in zip(connections, rows, strict=True):
        connection.socket.sendall(request(row))
    for connection, wanted in zip(connections, expected, strict=True):
        received = b""
        while (answer := whole_answer(received)) is None:
            received += connection.socket.recv(1 << 16)
        connection.socket.close()
        found = json.loads(received[answer[1] : answer[2]])["predictions"][0]["probabilities"]
        assert found == pytest.approx(wanted["probabilities"], abs=1e-6)


def test_a_full_queue_is_a_503_that_says_when_to_come_back(attempt: Path) -> None:
    flags = ["--queue", "1", "--batch-wait-ms", "2000"]
    with (
        running(attempt / "scripts" / "serve.py", attempt / "models", attempt / "log2", flags) as busy,
        Connection(busy.port) as first,
        Connection(busy.port) as second,
    ):
        first.socket.sendall(request(EXAMPLE))
        while not _counted(busy, "inference_queue_rows"):
            pass
        second.socket.sendall(request(EXAMPLE))
        refused = second.socket.recv(1 << 16)
        assert refused.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in refused.lower()
        assert first.socket.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_regression_answers_with_a_value_and_its_interval(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path, regression=True)
    log = tmp_path / "log"
    with (
        running(attempt / "scripts" / "serve.py", attempt / "models", log) as started,
        Connection(started.port) as connection,
    ):
        answer = json.loads(connection.exchange(request([EXAMPLE, EXAMPLE]))[1])
    first = answer["predictions"][0]
    assert first["interval"] == pytest.approx([first["value"] - 0.5, first["value"] + 0.5])
    assert answer["predictions"][1] == first


def test_metadata_beside_the_model_names_it(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path)
    (attempt / "models" / "model-metadata.json").write_text('{"name": "others", "version": "2.1.0"}')
    with running(attempt / "scripts" / "serve.py", attempt / "models", tmp_path / "log") as started:
        assert json.loads(_get(started, "/health")[1])["model"] == {"name": "others", "version": "2.1.0"}


def _start(attempt: Path, listener: socket.socket, *flags: str) -> subprocess.Popen[bytes]:
    fd = listener.fileno()
    command = [sys.executable, "-P", str(attempt / "scripts" / "serve.py"), "--fd", str(fd), *flags]
    return subprocess.Popen(command, pass_fds=[fd], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_sigterm_answers_what_is_on_its_way_says_goodbye_and_exits_with_0(attempt: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = _start(attempt, listener, "--batch-wait-ms", "400")
        port = listener.getsockname()[1]
    with Connection(port) as connection:
        assert connection.exchange(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200
        connection.socket.sendall(request(EXAMPLE))
        with Connection(port) as other:
            while (
                b"inference_queue_rows 1.0"
                not in other.exchange(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")[1]
            ):
                pass
        process.send_signal(signal.SIGTERM)
        received = connection.socket.recv(1 << 16)
        assert received.startswith(b"HTTP/1.1 200") and b"connection: close" in received.lower()
    assert process.wait(60) == 0


class _Client(threading.Thread):
    """Sends rows over a kept-alive connection, and over a new one when told to, as HTTP clients do."""

    def __init__(self, port: int, stop: threading.Event) -> None:
        super().__init__()
        self.port, self.stop = port, stop
        self.statuses: list[int] = []
        self.failure: OSError | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self._converse()
        except OSError as error:
            self.failure = error

    def _converse(self) -> None:
        with Connection(self.port) as connection:
            for _ in range(50):
                connection.socket.sendall(request(EXAMPLE))
                received = b""
                while (answer := whole_answer(received)) is None:
                    part = connection.socket.recv(1 << 16)
                    if not part:
                        raise ConnectionResetError("closed without an answer")
                    received += part
                self.statuses.append(answer[0])
                if b"connection: close" in received[: answer[1]].lower():
                    return


def test_one_server_follows_another_on_the_same_socket_without_a_failed_request(attempt: Path) -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        port = listener.getsockname()[1]
        old = _start(attempt, listener)
        with Connection(port) as connection:
            assert connection.exchange(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200
        clients = [_Client(port, stop) for _ in range(4)]
        for client in clients:
            client.start()
        new = _start(attempt, listener)
        _wait_for_both(port)
        old.send_signal(signal.SIGTERM)
        assert old.wait(60) == 0
        before = [len(client.statuses) for client in clients]
        while any(c.is_alive() and len(c.statuses) < n + 50 for c, n in zip(clients, before, strict=True)):
            pass
        stop.set()
        for client in clients:
            client.join()
        new.send_signal(signal.SIGTERM)
        assert new.wait(60) == 0
    assert [client.failure for client in clients] == [None] * 4
    assert {status for client in clients for status in client.statuses} == {200}


def _wait_for_both(port: int) -> None:
    """New connections are shared by whoever accepts: wait until both processes have answered."""
    seen: set[float] = set()
    while len(seen) < 2:
        with Connection(port) as connection:
            text = connection.exchange(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")[
                1
            ].decode()
        found = re.search(r"^process_start_time_seconds (\S+)$", text, re.MULTILINE)
        assert found
        seen.add(float(found.group(1)))


def test_a_model_that_cannot_be_read_is_said_and_ends_with_3(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path)
    (attempt / "models" / "model.onnx").write_bytes(b"no model")
    done = subprocess.run(
        [sys.executable, "-P", str(attempt / "scripts" / "serve.py"), "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3
    assert "cannot be served" in done.stderr and "Traceback" not in done.stderr


def test_a_file_named_rows_or_orjson_in_the_working_folder_is_not_imported(tmp_path: Path, attempt: Path) -> None:
    for name in ("rows", "orjson", "uvicorn"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    done = subprocess.run(
        [sys.executable, "-P", str(attempt / "scripts" / "serve.py"), "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert "--batch-wait-ms" in done.stdout


def test_the_labels_of_the_kit_are_those_the_server_gives(ask: Ask) -> None:
    assert list(ask(EXAMPLE)[1]["predictions"][0]["probabilities"]) == LABELS
