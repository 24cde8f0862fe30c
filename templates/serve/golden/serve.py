"""Serves the model penguins over HTTP. Generated for run r-20261121-094501-k3f9; it needs only requirements.txt.

    python -P serve.py --port 8000          # then open http://127.0.0.1:8000/

Reads ../models (or --models DIR) and the folder rows/ beside this file. One event loop, one ONNX Runtime
session: POST /predict goes past the web framework (orjson in, one batch per turn of the event loop, orjson
out); FastAPI answers /docs, /openapi.json, /health, /readyz, /metrics and the form at /. No page loads anything from
elsewhere.
It keeps no requests, sends nothing anywhere and has no accounts: put a gateway in front for those.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import importlib.util
import ipaddress
import json
import logging
import os
import re
import shlex
import signal
import socket
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

NAME = "penguins"
VERSION = "1.0.0"
HERE = Path(__file__).absolute().parent  # not resolved: the published scripts/serve.py may be a link into an attempt
LATENCY_EDGES = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.025, 0.05, 0.067, 0.1, 0.25, 0.5, 1.0, 2.5)
INLINE_SECONDS = 0.001  # a batch that takes longer would hold up the event loop: it runs in a thread
INLINE_ROWS = 64  # so would checking and encoding a longer list
INLINE_BYTES = 1 << 16  # or reading a larger body
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
log = logging.getLogger("serve")


@dataclass(frozen=True)
class Settings:
    """Every flag of the command line; `--batch-wait-ms` sets `batch_wait_ms`, and so on."""

    host: str = "127.0.0.1"
    port: int = 8000
    fd: int = -1  # a listening socket handed down by whoever started us; replaces host and port
    models: str = str(HERE.parent / "models")
    batch_wait_ms: float = 0.0  # wait so long for more requests before a batch runs; 0 = this turn's only
    max_batch: int = 32  # rows per call of the model
    queue: int = 1024  # rows that may wait; beyond it 503 with Retry-After
    max_rows: int = 10000  # per request
    max_body_mb: float = 2.0
    header_seconds: float = 10.0  # a connection whose next request line and headers take longer is closed
    body_seconds: float = 10.0  # a body that takes longer to arrive is given up
    allow_host: tuple[str, ...] = ()  # may be repeated: on loopback, another name that requests may be addressed to
    drain_seconds: float = 2.0  # after SIGTERM: time for kept-alive connections to be told to close
    threads: int = 1  # ONNX Runtime threads


class Refused(Exception):
    """A request that gets an error answer: HTTP status, then the members of its `error` object."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None, expected: Any = None):
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "field": field, "message": message, "expected": expected}

    @classmethod
    def of_query(cls, query: bytes) -> Refused:
        """The 400 of a query that would else be ignored: a client that asked for more must not think it got it."""
        name = query.decode("latin-1").partition("&")[0].partition("=")[0][:80]
        message = f"/predict takes no query parameters, and {name!r} was given; all that it takes is in the body"
        return cls(400, "unknown_parameter", message, name, "no query parameters")

    @classmethod
    def from_row(cls, error: Any) -> Refused:
        """The 422 of a RowError; `row` is the place of the row in its list, from 0."""
        refused = cls(422, error.code, error.message, error.field, error.expected)
        if error.row is not None:
            refused.error["row"] = error.row
        return refused


class Model:
    """The network and its rows code: raw rows in, predictions out."""

    def __init__(self, folder: Path, threads: int) -> None:
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the import: the official wheels report home without it
        import onnxruntime

        rows = _load_package("rows", HERE / "rows")
        preprocessing = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
        self.encoder = rows.load(preprocessing)
        self.row_error: type[Exception] = rows.RowError
        self.json_kind: Callable[[Any], str] = rows.json_kind
        self.fields: list[dict[str, Any]] = list(self.encoder.fields)
        self.known = [field["name"] for field in self.fields]
        self.example: dict[str, Any] = preprocessing["example"]
        self.identity = {"name": NAME, "version": VERSION}
        metadata = folder / "model-metadata.json"
        if metadata.is_file():
            said = json.loads(metadata.read_text(encoding="utf-8"))
            self.identity = {key: str(said.get(key, value)) for key, value in self.identity.items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        path = str(folder / "model.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [entry.name for entry in self.session.get_inputs()]
        self.output = self.session.get_outputs()[0].name

    def encode(self, row: Any, listed: bool = False) -> dict[str, np.ndarray]:
        """One row as arrays; an error names it where it came `listed`. Raises Refused when it is no row of this model."""
        if listed:
            return self.encode_many([row], 0)
        if row == {}:
            raise self._empty()
        try:
            return self.encoder.encode_one(row)
        except self.row_error as error:
            raise Refused.from_row(error) from None

    def encode_many(self, rows: list[Any], start: int) -> dict[str, np.ndarray]:
        """Rows as arrays; an error names the row by its place, counted from `start`."""
        try:
            if {} in rows:
                raise self._empty(rows.index({}))
            return self.encoder.encode(rows)
        except self.row_error as error:
            refused = Refused.from_row(error)
        except Refused as error:
            refused = error
        refused.error["row"] = start + refused.error.get("row", 0)
        refused.error["message"] = f"row {refused.error['row']}: {refused.error['message']}"
        raise refused from None

    def _empty(self, row: int | None = None) -> Refused:
        refused = Refused(422, "empty_row", "the row has no field", None, "at least one known field")
        if row is not None:
            refused.error["row"] = row
        return refused

    def predict(self, arrays: list[dict[str, np.ndarray]]) -> list[dict[str, Any]]:
        """Predictions of the rows encoded in `arrays`, in order."""
        if len(arrays) == 1:
            feed = {name: arrays[0][name] for name in self.inputs}
        else:
            feed = {name: np.concatenate([a[name] for a in arrays]) for name in self.inputs}
        return self.encoder.decode(self.session.run([self.output], feed)[0])


class Batcher:
    """Runs what arrived in one turn of the event loop as one batch. No timer unless `batch_wait_ms` asks for one."""

    def __init__(self, model: Model, settings: Settings, on_batch: Callable[[int], None]) -> None:
        self.model, self.max_batch, self.limit = model, settings.max_batch, settings.queue
        self.wait, self.on_batch = settings.batch_wait_ms / 1000, on_batch
        self.queue: list[tuple[dict[str, np.ndarray], asyncio.Future]] = []
        self.armed = False
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self.inline = self._warm_up() <= INLINE_SECONDS

    def _warm_up(self) -> float:
        """Run the model at batch 1 and at the largest batch; seconds of the latter."""
        one = self.model.encode(self.model.example)
        best = float("inf")
        for size in (1, self.max_batch, self.max_batch, self.max_batch):
            begun = time.perf_counter()
            self.model.predict([one] * size)
            best = min(best, time.perf_counter() - begun) if size > 1 else best
        return best

    def submit(self, arrays: dict[str, np.ndarray]) -> asyncio.Future:
        """A future of the row's prediction. Raises Refused (503) when the queue is full."""
        if len(self.queue) >= self.limit:
            raise Refused(503, "busy", f"{self.limit} rows are waiting already; try again in a second")
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.queue.append((arrays, future))
        if not self.armed:
            self.armed = True
            _ = loop.call_later(self.wait, self._flush) if self.wait > 0 else loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        batch = [(a, f) for a, f in self.queue[: self.max_batch] if not f.done()]
        del self.queue[: self.max_batch]
        if self.inline or not batch:
            self._settle(batch, *self._run([a for a, _ in batch]))
            self._again()
        else:
            running = asyncio.get_running_loop().run_in_executor(self.thread, self._run, [a for a, _ in batch])
            running.add_done_callback(partial(self._finished, batch))

    def _finished(self, batch: list[tuple[Any, asyncio.Future]], running: asyncio.Future) -> None:
        self._settle(batch, *running.result())
        self._again()

    def _again(self) -> None:
        self.armed = bool(self.queue)
        if self.armed:
            asyncio.get_running_loop().call_soon(self._flush)

    def _run(self, arrays: list[dict[str, np.ndarray]]) -> tuple[list[dict[str, Any]], Exception | None]:
        try:
            return (self.model.predict(arrays) if arrays else []), None
        except Exception as error:  # whatever the runtime raises must reach the requests that wait for it
            return [], error

    def _settle(self, batch: list[tuple[Any, asyncio.Future]], answers: list, error: Exception | None) -> None:
        for index, (_, future) in enumerate(batch):
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(answers[index])
        if batch:
            self.on_batch(len(batch))


class Metrics:
    """Plain counters on the hot path; turned into Prometheus families only when /metrics is read."""

    def __init__(self) -> None:
        self.codes: dict[int, int] = {200: 0}
        self.buckets = [0] * (len(LATENCY_EDGES) + 1)
        self.seconds = 0.0
        self.rows = self.batches = 0
        self.labels: dict[str, int] = {}
        self.waiting: Callable[[], int] = lambda: 0
        self.identity: dict[str, str] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def answered(self, status: int, seconds: float) -> None:
        """Count one answer to POST /predict."""
        self.codes[status] = self.codes.get(status, 0) + 1
        self.buckets[bisect_left(LATENCY_EDGES, seconds)] += 1
        self.seconds += seconds

    def predicted(self, predictions: list[dict[str, Any]]) -> None:
        """Count what was predicted: a drift of these counts is the first sign of a drift of the data."""
        for prediction in predictions:
            label = prediction.get("label")
            if label is not None:
                self.labels[str(label)] = self.labels.get(str(label), 0) + 1

    def batch(self, rows: int) -> None:
        """Count one call of the model."""
        self.rows += rows
        self.batches += 1

    def describe(self) -> list[Metric]:
        """Nothing up front: the families are made on reading."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The families of /metrics."""
        requests = CounterMetricFamily("inference_requests", "Answers to POST /predict by status", labels=["code"])
        for code, count in self.codes.items():
            requests.add_metric([str(code)], count)
        total, pairs = 0, []
        for edge, count in zip((*map(str, LATENCY_EDGES), "+Inf"), self.buckets, strict=True):
            total += count
            pairs.append((edge, total))
        latency = HistogramMetricFamily("inference_latency_seconds", "Time from request to answer")
        latency.add_metric([], buckets=pairs, sum_value=self.seconds)
        labels = CounterMetricFamily("inference_predictions", "Predictions by label", labels=["label"])
        for label, count in self.labels.items():
            labels.add_metric([label], count)
        model = GaugeMetricFamily("inference_model_info", "The model that answers", labels=list(self.identity))
        model.add_metric(list(self.identity.values()), 1)
        yield from (requests, latency, labels, model)
        yield CounterMetricFamily("inference_rows", "Rows predicted", value=self.rows)
        yield CounterMetricFamily("inference_batches", "Calls of the model", value=self.batches)
        yield GaugeMetricFamily("inference_queue_rows", "Rows that wait for the model", value=self.waiting())


class Hosts:
    """Names that requests may be addressed to, so that no web page reaches a local server by a name of its own.

    A page may let its own name lead to 127.0.0.1 (DNS rebinding); the browser then still sends that name as Host.
    """

    def __init__(self, address: str, more: tuple[str, ...]) -> None:
        bound = f"[{address}]" if ":" in address else address
        self.names = frozenset(name.lower() for name in (*LOOPBACK_NAMES, bound, *more))
        self._known: set[bytes] = set()  # Host headers found good, with their ports

    @classmethod
    def on(cls, address: Any, more: tuple[str, ...]) -> Hosts | None:
        """The names of a server that listens at this address; None where others than this machine may ask."""
        try:
            alone = address == "localhost" or ipaddress.ip_address(address).is_loopback
        except ValueError:  # another name, or the path of a Unix socket
            return None
        return cls(address, more) if alone else None

    def trusts(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether the request's Host is one of the names, with any port."""
        host = next((value for name, value in headers if name == b"host"), b"")
        if host in self._known:
            return True
        name = re.sub(r":\d*$", "", host.decode("latin-1").strip().lower())
        if name not in self.names:
            return False
        if len(self._known) < 1000:
            self._known.add(host)
        return True


class Front:
    """The ASGI application: answers POST /predict itself and hands everything else to FastAPI."""

    def __init__(self, model: Model, settings: Settings) -> None:
        self.model, self.settings, self.metrics = model, settings, Metrics()
        self.batcher = Batcher(model, settings, self.metrics.batch)
        self.metrics.waiting = lambda: len(self.batcher.queue)
        self.metrics.identity = model.identity
        self.max_body = int(settings.max_body_mb * 1e6)
        self.hosts: Hosts | None = None  # set when it is known where the server listens
        self.draining = False
        self.ready = True  # the batcher has run the model
        self.api = build_api(self)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """The ASGI entry point."""
        if self.hosts is not None and not self.hosts.trusts(scope["headers"]):
            await self._misdirected(send)
            return
        if scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"] != "/predict":
            scope = {**scope, "method": "GET"}  # answered alike; the web server, which knows better, sends no body
        if scope["type"] != "http" or scope["path"] != "/predict":
            await self.api(scope, receive, self._closing(send) if self.draining else send)
            return
        begun = time.perf_counter()
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            if scope["method"] != "POST":
                extra = ((b"allow", b"POST"),)
                raise Refused(405, "method_not_allowed", f"/predict takes POST, not {scope['method']}", None, "POST")
            if scope["query_string"]:
                raise Refused.of_query(scope["query_string"])
            predictions = await self.predict(await self._body(receive))
            self.metrics.predicted(predictions)
            status, milliseconds = 200, round((time.perf_counter() - begun) * 1000, 3)
            answer = {"predictions": predictions, "model": self.model.identity, "latency_ms": milliseconds}
        except Refused as refused:
            status, answer = refused.status, {"error": {**refused.error, "known_fields": self.model.known}}
            extra = ((b"retry-after", b"1"),) if status == 503 else extra
        except Exception:  # the door: log it whole, tell the caller only that it was not their request
            log.exception("POST /predict failed")
            status, answer = (
                500,
                {"error": {"code": "server_error", "message": "the server failed; its log says why"}},
            )
        self.metrics.answered(status, time.perf_counter() - begun)
        await self._send(send, status, orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), extra)

    async def _misdirected(self, send: Any) -> None:
        known = ", ".join(sorted(self.hosts.names)) if self.hosts else ""
        message = f"this server answers requests to {known}; start it with --allow-host NAME to add the name you used"
        answer = {"error": {"code": "wrong_host", "field": None, "message": message, "expected": known}}
        await self._send(send, 421, orjson.dumps(answer), ((b"connection", b"close"),))

    async def _send(self, send: Any, status: int, body: bytes, extra: tuple[tuple[bytes, bytes], ...]) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *extra]
        if self.draining or status in (408, 413):  # the rest of an unread body is not a next request
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _closing(self, send: Any) -> Any:
        async def closing(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        return closing

    async def _body(self, receive: Any) -> bytes:
        try:
            async with asyncio.timeout(self.settings.body_seconds):
                message = await receive()
                body: bytes = message.get("body", b"")
                if message.get("more_body"):
                    parts = [body]
                    while message.get("more_body") and sum(map(len, parts)) <= self.max_body:
                        message = await receive()
                        parts.append(message.get("body", b""))
                    body = b"".join(parts)
        except TimeoutError:
            limit = f"{self.settings.body_seconds:g} s"
            raise Refused(408, "slow_body", f"the body did not arrive within {limit}", None, limit) from None
        if len(body) > self.max_body:
            limit = f"at most {self.max_body} bytes"
            raise Refused(413, "too_large", f"the body is larger than {self.max_body} bytes", None, limit)
        return body

    async def predict(self, body: bytes) -> list[dict[str, Any]]:
        """The predictions for a request's body; a large one is read and encoded in a thread. Raises Refused."""
        if len(body) <= INLINE_BYTES:
            rows, listed = self.read(body)
            if len(rows) == 1:
                return [await self.batcher.submit(self.model.encode(rows[0], listed))]
            if len(rows) <= INLINE_ROWS:
                return self.predict_many(rows)
        run = partial(asyncio.get_running_loop().run_in_executor, self.batcher.thread)
        rows, listed = await run(self.read, body) if len(body) > INLINE_BYTES else (rows, listed)
        if len(rows) == 1:
            return [await self.batcher.submit(await run(self.model.encode, rows[0], listed))]
        return await run(self.predict_many, rows)

    def read(self, body: bytes) -> tuple[list[Any], bool]:
        """The rows of a body, and whether they came as a list of rows. Raises Refused."""
        try:
            return self.rows(orjson.loads(body))
        except orjson.JSONDecodeError as error:
            raise Refused(400, "not_json", f"the body is not JSON: {error}", None, "a JSON object or list") from None

    def predict_many(self, rows: list[Any]) -> list[dict[str, Any]]:
        """A list is a batch already: encoded together and predicted in pieces of 1024 rows."""
        predictions: list[dict[str, Any]] = []
        for start in range(0, len(rows), 1024):
            piece = rows[start : start + 1024]
            predictions += self.model.predict([self.model.encode_many(piece, start)])
            self.metrics.batch(len(piece))
        return predictions

    def rows(self, payload: Any) -> tuple[list[Any], bool]:
        """The rows of a body: an object, a list of them, {"rows": [...]}, or {"features": [values in order]}."""
        if type(payload) is dict:
            if len(payload) != 1:
                return [payload], False
            if type(payload.get("features")) is list:
                return self._from_list(payload["features"]), False
            if type(payload.get("rows")) is not list:
                return [payload], False
            payload = payload["rows"]
        if type(payload) is not list:
            kinds = 'a row, a list of rows, {"rows": [...]} or {"features": [...]}'
            raise Refused(422, "wrong_shape", f"the body is {self.model.json_kind(payload)}, not {kinds}", None, kinds)
        if not 0 < len(payload) <= self.settings.max_rows:
            limit = f"1 to {self.settings.max_rows} rows"
            raise Refused(422, "wrong_length", f"the body holds {len(payload)} rows", None, limit)
        return payload, True

    def _from_list(self, values: list[Any]) -> list[Any]:
        try:
            return [self.model.encoder.from_list(values)]
        except self.model.row_error as error:
            raise Refused.from_row(error) from None


def build_api(front: Front) -> FastAPI:
    """FastAPI for all that is not hot: health, metrics, documentation, the form. Its own telemetry is off."""
    model = front.model
    about = "Predictions of a trained network. A field that is left out or null counts as missing."
    quiet = {
        "tracing": False,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
    }
    api = FastAPI(
        title=model.identity["name"],
        version=model.identity["version"],
        description=about,
        telemetry=quiet,
        docs_url=None,  # its viewers load their code from elsewhere
        redoc_url=None,
    )
    started = time.time()

    @api.get("/health", summary="Is the process alive, and which model does it serve?")
    @api.get("/healthz", include_in_schema=False)
    async def health() -> dict[str, Any]:
        uptime = round(time.time() - started, 1)
        return {
            "status": "ok",
            "ready": front.ready and not front.draining,
            "model": model.identity,
            "uptime_s": uptime,
        }

    draining = {503: {"description": "The server drains"}}

    @api.get("/readyz", summary="May requests be sent here?", responses=draining)
    async def readyz() -> JSONResponse:
        ready = front.ready and not front.draining
        return JSONResponse({"status": "ready" if ready else "draining"}, 200 if ready else 503)

    @api.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(front.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    text = form_page(model)

    @api.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def form() -> HTMLResponse:
        return shown(text)

    @api.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return shown(docs_page(api.openapi(), str(request.base_url)))

    @api.exception_handler(HTTPException)
    async def problem(_: Request, error: HTTPException) -> JSONResponse:
        body = {
            "error": {
                "code": "not_found" if error.status_code == 404 else f"http_{error.status_code}",
                "message": str(error.detail),
            }
        }
        return JSONResponse(body, error.status_code, headers=error.headers)

    generated = api.openapi

    def described() -> dict[str, Any]:
        schema = generated()
        schema["paths"] = {"/predict": {"post": predict_operation(model)}, **schema["paths"]}
        return schema

    api.openapi = described  # type: ignore[method-assign]
    return api


def predict_operation(model: Model) -> dict[str, Any]:
    """The OpenAPI operation of POST /predict, with the model's own field names and a real row as the example."""
    kinds = {
        "boolean": {"type": ["boolean", "string", "number", "null"]},
        "date": {"type": ["string", "null"]},
    }
    properties = {}
    for field in model.fields:
        known: dict[str, Any] = dict(kinds.get(field["kind"], {"type": ["string", "number", "null"]}))
        if field.get("levels"):
            known["description"] = "Levels seen in training: " + ", ".join(map(str, field["levels"][:50]))
        if field.get("example") is not None:
            known["examples"] = [field["example"]]
        properties[field["name"]] = known
    row = {"type": "object", "title": "Row", "properties": properties, "additionalProperties": False}
    many = {"type": "array", "items": row}
    values = {"type": "array", "description": "values in the order of the row's properties"}
    shapes = [
        row,
        many,
        *({"type": "object", "required": [k], "properties": {k: v}} for k, v in (("rows", many), ("features", values))),
    ]
    error = {"type": "object", "properties": {"error": {"type": "object"}}}
    answer = {
        "type": "object",
        "required": ["predictions", "model", "latency_ms"],
        "properties": {
            "predictions": {"type": "array", "items": {"type": "object"}},
            "model": {"type": "object"},
            "latency_ms": {"type": "number"},
        },
    }
    content = {"application/json": {"schema": {"anyOf": shapes}, "example": model.example}}
    told = {"200": ("Predictions in the order of the rows", answer), "422": ("A field is wrong", error)}
    told |= {"400": ("Not JSON, or a query", error), "413": ("Too large", error), "503": ("Busy: see Retry-After", error)}
    responses = {k: {"description": d, "content": {"application/json": {"schema": s}}} for k, (d, s) in told.items()}
    return {
        "summary": "Predict one row or many",
        "requestBody": {"required": True, "content": content},
        "responses": responses,
    }


def form_page(model: Model) -> str:
    """The HTML of the form, which holds what it is made from."""
    data = {"model": model.identity, "fields": model.fields, "example": model.example}
    return PAGE.replace("__STYLE__", STYLE).replace("__DATA__", json.dumps(data).replace("<", "\\u003c"))


def docs_page(schema: dict[str, Any], base: str) -> str:
    """The operations of the OpenAPI document as HTML without a script, each with a request that can be pasted."""
    about = schema["info"]
    operations = [
        operation_html(method, path, operation, base)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    parts = {"NAME": escape(about["title"]), "VERSION": escape(about["version"]), "ABOUT": escape(about["description"])}
    text = DOCS.replace("__STYLE__", STYLE)
    for mark, value in {**parts, "OPERATIONS": "\n".join(operations)}.items():
        text = text.replace(f"__{mark}__", value, 2)
    return text


def operation_html(method: str, path: str, operation: dict[str, Any], base: str) -> str:
    """One operation: what it is for, its fields, an example, its answers, the command."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    command = "curl -s " + shlex.quote(base.rstrip("/") + path)
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2>", f"<p>{escape(operation.get('summary', ''))}</p>"]
    if content:
        row = content["schema"]["anyOf"][0]["properties"]
        lines = []
        for name, known in row.items():
            takes = [" or ".join(known["type"]), *([known["description"]] if "description" in known else [])]
            shown_example = json.dumps(known.get("examples", [None])[0], ensure_ascii=False)
            lines.append([name, ". ".join(takes), shown_example])
        example = json.dumps(content["example"])
        command += f" \\\n  -H 'content-type: application/json' \\\n  -d {shlex.quote(example)}"
        shapes = 'Takes one row, a list of rows, {"rows": [...]} or {"features": [values in the order below]}.'
        parts += [f"<p>{escape(shapes)}</p>", _table(("Field", "Takes", "Example"), lines)]
    parts.append(f'<pre tabindex="0">{escape(command)}</pre>')
    answers = [[code, known["description"]] for code, known in operation["responses"].items()]
    parts.append(_table(("Status", "Answer"), answers))
    return f'<section class="card">{"".join(parts)}</section>'


def _table(titles: tuple[str, ...], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def shown(text: str) -> HTMLResponse:
    """A page with the content security policy that lets only its own script and style run."""
    allow = {}
    for kind in ("script", "style"):
        block = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.group(1).encode()).digest()).decode() if block else ""
        allow[kind] = f"'sha256-{digest}'" if block else "'none'"
    rules = f"script-src {allow['script']}; style-src {allow['style']}; connect-src 'self'; base-uri 'none'"
    policy = f"default-src 'none'; {rules}; form-action 'none'; frame-ancestors 'none'; img-src data:"
    return HTMLResponse(text, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})


class Connection(HttpToolsProtocol):
    """A connection that is closed when a request's line and headers take too long; uvicorn would wait for ever."""

    def __init__(self, header_seconds: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.header_seconds = header_seconds
        self.late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Opened: the first request may take only so long."""
        super().connection_made(transport)
        self.late = self.loop.call_later(self.header_seconds, transport.close)

    def data_received(self, data: bytes) -> None:
        """Some bytes came: was it the rest of a request's headers, or is some still to come?"""
        super().data_received(data)
        if self.scope is None or "method" not in self.scope:  # uvicorn notes it when the headers are complete
            if self.late is None:
                self.late = self.loop.call_later(self.header_seconds, self.transport.close)
        elif self.late is not None:
            self.late.cancel()
            self.late = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed: nothing is waited for."""
        super().connection_lost(exc)
        if self.late is not None:
            self.late.cancel()


class Server(uvicorn.Server):
    """Drains on SIGTERM: accepts nothing new, closes each connection with its next answer, then leaves with 0."""

    front: Front
    until: float | None = None

    def handle_exit(self, sig: int, frame: Any) -> None:
        """The first SIGTERM drains; a second one, or Ctrl-C, stops at once after the answers on their way."""
        if sig == signal.SIGTERM and self.until is None:
            self.front.draining = True
            self.until = time.monotonic() + self.front.settings.drain_seconds
        else:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s: is there a reason to leave?"""
        if self.until is not None:
            for listener in self.servers:
                listener.close()
            if not self.server_state.connections or time.monotonic() > self.until:
                return True
        return await super().on_tick(counter)


def _load_package(name: str, folder: Path) -> Any:
    """Import the package in `folder` under `name` without putting its parent on the path."""
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not (folder / "__init__.py").is_file():
        raise FileNotFoundError(f"{folder} is missing: keep the folder rows/ beside serve.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def parse(argv: list[str] | None = None) -> Settings:
    """Settings from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Settings):
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, tuple):
            parser.add_argument(flag, action="append", default=[], help="may be repeated")
        else:
            parser.add_argument(flag, type=type(field.default), default=field.default, help=f"default {field.default}")
    given = vars(parser.parse_args(argv))
    return Settings(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def main(argv: list[str] | None = None) -> int:
    """Load, warm up, listen. Exit status 0 after a drain, 3 when the model cannot be loaded."""
    settings = parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        front = Front(Model(Path(settings.models), settings.threads), settings)
    except Exception as error:  # the outermost frame: say which model, and why
        log.error("the model in %s cannot be served: %s: %s", settings.models, type(error).__name__, error)
        return 3
    config = uvicorn.Config(
        front,
        settings.host,
        settings.port,
        http=partial(Connection, settings.header_seconds),
        loop="uvloop" if os.name == "posix" else "auto",
        lifespan="off",
        ws="none",
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
    )
    server = Server(config)
    server.front = front
    handed = None
    if settings.fd >= 0:
        handed = [socket.socket(fileno=settings.fd)]
    elif settings.port == 0:  # bound here, so that the port which it becomes can be told
        handed = [config.bind_socket()]
        handed[0].listen(config.backlog)
    where = handed[0].getsockname() if handed else (settings.host, settings.port)
    front.hosts = Hosts.on(where[0] if isinstance(where, tuple) else "", settings.allow_host)
    log.info("%s %s: http://%s:%s/", front.model.identity["name"], front.model.identity["version"], *where[:2])
    server.run(sockets=handed)
    return 0 if server.started else 3


STYLE = r""":root { color-scheme: light dark; --page: #f5f6f8; --card: #fff; --ink: #1c2430; --soft: #5b6675; --line: #d9dee5;
  --accent: #2563c9; --on: #fff; --bar: #dbe6f8; --bad: #b3261e; --badbg: #fdecea; --code: #f0f2f5; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --card: #1b212a; --ink: #e6eaf0; --soft: #9aa6b5;
  --line: #303946; --accent: #7fb0ff; --on: #0d1420; --bar: #2b3a52; --bad: #ff9c92; --badbg: #3a1f1d; --code: #242c37; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, main, footer { max-width: 64rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; padding-bottom: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h1 small { font-size: .85rem; font-weight: 500; color: var(--soft); border: 1px solid var(--line); border-radius: 1rem;
  padding: .15rem .6rem; margin-left: .4rem; vertical-align: .2em; white-space: nowrap; }
header p { margin: .4rem 0 0; color: var(--soft); }
main { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1.25rem; align-items: start; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; min-width: 0; }
h2 { font-size: 1rem; margin: 0 0 .9rem; }
.fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .9rem 1rem; }
label { display: block; font-size: .85rem; color: var(--soft); overflow-wrap: anywhere; }
label b { color: var(--ink); font-weight: 600; }
input, select, textarea { width: 100%; margin-top: .25rem; padding: .5rem .6rem; font: inherit; font-size: 1rem; color: var(--ink);
  background: var(--page); border: 1px solid var(--line); border-radius: .45rem; min-height: 2.6rem; }
textarea { resize: vertical; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.wrong :is(input, select, textarea) { border-color: var(--bad); }
.actions { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: 1.1rem; }
button { font: inherit; font-weight: 600; border-radius: .45rem; padding: .55rem 1.1rem; min-height: 2.75rem; cursor: pointer;
  border: 1px solid var(--accent); background: var(--accent); color: var(--on); }
button.plain { background: transparent; color: var(--accent); border-color: var(--line); }
button[disabled] { opacity: .6; cursor: progress; }
.answer { position: sticky; top: 1rem; }
.big { font-size: 2rem; line-height: 1.15; font-weight: 700; margin: 0 0 1rem; overflow-wrap: anywhere; }
.bars { list-style: none; margin: 0; padding: 0; display: grid; gap: .7rem; }
.bars div { display: flex; justify-content: space-between; gap: 1rem; font-size: .9rem; }
.bars span:first-child { overflow-wrap: anywhere; }
.bars span:last-child { font-variant-numeric: tabular-nums; color: var(--soft); white-space: nowrap; }
.track { height: .55rem; border-radius: .3rem; background: var(--bar); overflow: hidden; margin-top: .2rem; }
.track i { display: block; height: 100%; background: var(--accent); border-radius: .3rem; transition: width .25s; }
.note { color: var(--soft); font-size: .85rem; margin: 1rem 0 0; }
.error { background: var(--badbg); color: var(--bad); padding: .7rem .9rem; border-radius: .45rem; margin: 0; overflow-wrap: anywhere; }
.wide { grid-column: 1 / -1; }
.call { position: relative; }
pre { background: var(--code); border-radius: .45rem; padding: .9rem; margin: 0; overflow: auto; max-height: 16rem;
  font: .82rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { padding-top: 1rem; padding-bottom: 2.5rem; color: var(--soft); font-size: .9rem; }
a { color: var(--accent); }
@media (max-width: 46rem) { main { grid-template-columns: minmax(0, 1fr); } .answer { position: static; } header { padding-top: 1.25rem; } }
@media (prefers-reduced-motion: reduce) { .track i { transition: none; } }
.scroll { overflow-x: auto; margin: .9rem 0 0; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-top: 1px solid var(--line); overflow-wrap: break-word; }
th:first-child { width: 30%; }
thead th { border-top: 0; color: var(--soft); font-weight: 500; }
.list { grid-template-columns: minmax(0, 1fr); }
.list p { margin: 0 0 .9rem; }
"""

PAGE = r"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Model endpoint</title>
<link rel="icon" href="data:,">
<style>__STYLE__</style>
</head>
<body>
<header><h1><span id="name"></span> <small id="version"></small></h1>
<p>The form holds a real row of the training data. Change a value and ask again; what you leave empty counts as missing.</p></header>
<main>
<form class="card" id="form" autocomplete="off" novalidate><h2>One row</h2><div class="fields" id="fields"></div>
<div class="actions"><button id="ask">Predict</button><button class="plain" type="button" id="reset">Back to the example</button></div></form>
<section class="card answer" aria-live="polite"><h2>Answer</h2><div id="answer"><p class="note">No answer yet.</p></div></section>
<section class="card wide call"><h2>The same request from a terminal</h2><pre id="curl" tabindex="0"></pre>
<div class="actions"><button class="plain" type="button" id="copy">Copy</button></div></section>
</main>
<footer>More: <a href="openapi.json">OpenAPI</a> · <a href="docs">documentation</a> ·
<a href="health">health</a> · <a href="metrics">metrics</a></footer>
<script type="application/json" id="data">__DATA__</script>
<noscript><p>The form needs JavaScript; POST /predict does not.</p></noscript>
<script>
"use strict";
const { model, fields, example } = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const make = (tag, text, cls) => { const e = document.createElement(tag); if (text != null) e.textContent = text; if (cls) e.className = cls; return e; };
const number = v => Number(v).toLocaleString(undefined, { maximumSignificantDigits: 6 });
$("name").textContent = model.name; $("version").textContent = model.version; document.title = model.name;
const controls = fields.map((field, i) => {
  const label = make("label"); label.append(make("b", field.name)); label.id = "field" + i;
  let control;
  const levels = field.levels || (field.kind === "boolean" ? [true, false] : null);
  if (levels && levels.length <= 200) {
    control = make("select"); control.append(new Option("(missing)", ""));
    levels.forEach((level, k) => control.append(new Option(String(level), String(k))));
    control.read = () => control.value === "" ? null : levels[+control.value];
    control.show = v => { const k = levels.findIndex(level => String(level) === String(v)); control.value = k < 0 ? "" : String(k); };
  } else {
    control = make(field.kind === "text" ? "textarea" : "input");
    if (field.kind === "text") control.rows = 3;
    if (field.kind === "number") control.inputMode = "decimal";
    if (field.kind !== "number") control.append(document.createTextNode(""));
    control.placeholder = "(missing)";
    control.read = () => {
      const v = control.value.trim();
      if (v === "") return null;
      return field.kind === "number" && v !== "" && Number.isFinite(+v) ? +v : control.value;
    };
    control.show = v => { control.value = v == null ? "" : String(v); };
  }
  label.append(control); $("fields").append(label);
  return control;
});
const row = () => Object.fromEntries(fields.map((field, i) => [field.name, controls[i].read()]).filter(([, v]) => v !== null));
const curl = () => {
  const body = JSON.stringify(row()).replace(/'/g, "'\\''");
  $("curl").textContent = "curl -s " + new URL("predict", location.href).href + " \\\n  -H 'content-type: application/json' \\\n  -d '" + body + "'";
};
function bars(probabilities) {
  const list = make("ul", null, "bars");
  const all = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  for (const [label, p] of all.slice(0, 12)) {
    const item = make("li"), head = make("div"), track = make("div", null, "track"), fill = make("i");
    head.append(make("span", label), make("span", (100 * p).toFixed(p > 0 && p < 0.001 ? 3 : 1) + " %"));
    fill.style.width = 100 * p + "%"; track.append(fill); item.append(head, track); list.append(item);
  }
  if (all.length > 12) list.append(make("li", "and " + (all.length - 12) + " less likely", "note"));
  return list;
}
function show(reply) {
  const p = reply.predictions[0], box = $("answer");
  box.replaceChildren(make("p", p.label !== undefined ? String(p.label) : number(p.value), "big"));
  if (p.probabilities) box.append(bars(p.probabilities));
  if (p.interval) box.append(make("p", "Between " + number(p.interval[0]) + " and " + number(p.interval[1]) + ", as far as the held-out rows tell.", "note"));
  box.append(make("p", "Answered in " + reply.latency_ms.toFixed(2) + " ms by " + reply.model.name + " " + reply.model.version + ".", "note"));
}
function refuse(error) {
  $("answer").replaceChildren(make("p", error.message || "The request was refused.", "error"));
  if (error.expected) $("answer").append(make("p", "Expected: " + (typeof error.expected === "string" ? error.expected : JSON.stringify(error.expected)), "note"));
  const wrong = fields.findIndex(field => field.name === error.field);
  if (wrong >= 0) $("field" + wrong).classList.add("wrong");
}
async function ask() {
  document.querySelectorAll(".wrong").forEach(e => e.classList.remove("wrong"));
  $("ask").disabled = true;
  try {
    const reply = await fetch("predict", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(row()) });
    const body = await reply.json();
    reply.ok ? show(body) : refuse(body.error || {});
  } catch (problem) { refuse({ message: "No answer from the server: " + problem.message }); }
  $("ask").disabled = false;
}
const reset = () => { fields.forEach((field, i) => controls[i].show(example[field.name])); curl(); };
$("form").addEventListener("submit", event => { event.preventDefault(); ask(); });
$("form").addEventListener("input", curl);
$("reset").addEventListener("click", () => { reset(); ask(); });
$("copy").addEventListener("click", async () => {
  try { await navigator.clipboard.writeText($("curl").textContent); $("copy").textContent = "Copied"; }
  catch { getSelection().selectAllChildren($("curl")); }
});
reset(); ask();
</script>
</body>
</html>
"""

DOCS = r"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>__NAME__: documentation</title>
<link rel="icon" href="data:,">
<style>__STYLE__</style>
</head>
<body>
<header><h1>__NAME__ <small>__VERSION__</small></h1>
<p>__ABOUT__</p></header>
<main class="list">
__OPERATIONS__
</main>
<footer>More: <a href="./">form</a> · <a href="openapi.json">OpenAPI</a> · <a href="health">health</a> · <a href="metrics">metrics</a></footer>
</body>
</html>
"""

if __name__ == "__main__":
    sys.exit(main())
