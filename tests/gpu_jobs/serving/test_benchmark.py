"""The benchmark job against a real generated server, and the small client that it measures with."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.serving.errors import ServingError
from gpu_jobs.serving.load import Connection, many_clients, one_client, request, whole_answer
from gpu_jobs.serving.lock import LOCK_NAME, machine_lock
from gpu_jobs.serving.process import running
from gpu_jobs.tasks import benchmark
from gpu_jobs.tasks.job import Cancelled, Job
from memory.measurement import Measurement
from tests.templates.model_kit import EXAMPLE, write_attempt

Document = dict[str, Any]


def _job(root: Path, rows: list[Document], seconds: float = 0.2) -> Job:
    args = {"attempt_folder": "attempts/1", "example_rows": rows, "seconds": seconds}
    job = Job(root, {"id": "benchmark-1", "kind": "benchmark", "run": "r-1", "code_version": "1", "args": args})
    job.folder.mkdir(parents=True)
    return job


def test_the_benchmark_measures_the_generated_server(tmp_path: Path) -> None:
    write_attempt(tmp_path / "attempts" / "1")
    job = _job(tmp_path, [EXAMPLE, {**EXAMPLE, "bill_length_mm": 50.0}])
    found = benchmark.run(job)
    flat = {**found, **{f"batch32.{name}": value for name, value in found["batch32"].items()}}
    measures = {name: Measurement.model_validate(v) for name, v in flat.items() if isinstance(v, dict) and "value" in v}
    assert set(measures) >= {
        *(f"{prefix}latency_p{p}_ms" for p in (50, 95, 99) for prefix in ("", "batch32.")),
        *("throughput_rps", "model_alone_ms", "memory_mb", "model_bytes", "ready_seconds"),
    }
    value = {name: measure.value for name, measure in measures.items()}
    assert value["model_alone_ms"] < value["latency_p50_ms"] <= value["latency_p95_ms"] <= value["latency_p99_ms"]
    assert value["batch32.rows_per_second"] == pytest.approx(32 * value["batch32.throughput_rps"])
    models = tmp_path / "attempts" / "1" / "models"
    assert value["model_bytes"] == sum((models / name).stat().st_size for name in ("model.onnx", "preprocessing.json"))
    assert 20 < value["memory_mb"] < 500
    assert sum(found["histogram"]["counts"]) >= 200
    assert len(found["histogram"]["counts"]) == len(found["histogram"]["edges_ms"]) + 1
    assert measures["latency_p95_ms"].provenance.job == "benchmark-1"


def test_a_row_that_the_server_refuses_fails_the_benchmark_and_is_quoted(tmp_path: Path) -> None:
    write_attempt(tmp_path / "attempts" / "1")
    with pytest.raises(ServingError, match=r"answered 422.*unknown field 'x'") as failure:
        benchmark.run(_job(tmp_path, [{"x": 1}]))
    assert failure.value.code == "serving.status"


def test_a_server_that_dies_at_the_start_is_said_at_once_with_its_log(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path / "attempts" / "1")
    (attempt / "models" / "preprocessing.json").unlink()
    with pytest.raises(ServingError, match=r"did not become ready.*preprocessing\.json") as failure:
        benchmark.run(_job(tmp_path, [EXAMPLE]))
    assert failure.value.code == "serving.not_ready"


def test_a_benchmark_that_waits_for_the_machine_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    job = _job(tmp_path, [EXAMPLE])
    with machine_lock(lambda: None):
        job.stop()
        with pytest.raises(Cancelled):
            benchmark.run(job)


def test_two_holders_of_the_machine_follow_one_another(tmp_path: Path) -> None:
    order: list[str] = []
    waited = threading.Event()

    def second() -> None:
        with machine_lock(waited.set, tmp_path):
            order.append("second")

    with machine_lock(lambda: None, tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        assert waited.wait(60)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2), (0.95, 4), (0.25, 1), (1.0, 4), (0.0, 1)])
def test_a_quantile_is_a_latency_that_happened(share: float, expected: int) -> None:
    assert benchmark.quantile([1, 2, 3, 4], share) == expected


class _Teapot(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(418 if b"tea" in body else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class _Kitchen(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is nothing to report."""


@pytest.fixture
def teapot() -> Iterator[int]:
    with _Kitchen(("127.0.0.1", 0), _Teapot) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_client_reads_whole_answers_however_they_are_cut(teapot: int) -> None:
    payload = {"text": "x" * 300_000}
    with Connection(teapot) as connection:
        for _ in range(2):
            status, body = connection.exchange(request(payload))
            assert (status, json.loads(body)) == (200, payload)
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert [whole_answer(whole[:n]) for n in (0, 10, len(whole) - 1)] == [None] * 3
    assert whole_answer(whole) == (200, len(whole) - 2, len(whole))


def test_the_client_counts_requests_and_refuses_any_other_status(teapot: int) -> None:
    load = one_client(teapot, [request(1), request(2)], 0.0, at_least=20)
    assert len(load.latencies) == 20 and load.rate == pytest.approx(20 / load.seconds)
    assert sum(load.latencies) <= load.seconds + 1e-6
    assert len(many_clients(teapot, [request(1)], 0.1, clients=3).latencies) > 0
    with pytest.raises(ServingError, match="answered 418"):
        one_client(teapot, [request("tea")], 1)
    with pytest.raises(ServingError, match="answered 418"):
        many_clients(teapot, [request("tea")], 1)


def test_a_running_server_is_stopped_when_its_block_ends(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path)
    with running(attempt / "scripts" / "serve.py", attempt / "models", tmp_path / "log") as server:
        assert server.ready_seconds > 0
    with pytest.raises(ConnectionRefusedError):
        Connection(server.port)
