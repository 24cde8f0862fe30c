"""The generated server beside bare web frameworks, in one run: requests per second at 64 connections, latency, size.

    python benchmarks/serving.py [--seconds 3] [--rounds 3]      # needs wrk; writes its section of RESULTS.md

Trains the penguins model once, serves it with the generated server, and loads each server in turn, round by round, with
the same wrk on the same uvicorn. Ratios of one round are what counts: absolute numbers depend on who else is at work.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.results import write_section
from gpu_jobs.serving.process import RunningServer, running
from gpu_jobs.tasks.job import Job
from templates import render
from templates.serve.context import ServeContext

ROOT = Path(__file__).resolve().parents[1]
GENERATED, BARE = "generated server, penguins model", "bare FastAPI, constant answer"
CONNECTIONS = 64
BARE_SERVER = """
import argparse, socket, sys, uvicorn
parser = argparse.ArgumentParser()
parser.add_argument("--fd", type=int)
parser.add_argument("--models")
listener = socket.socket(fileno=parser.parse_args().fd)
{app}
config = uvicorn.Config(app, http="httptools", loop="uvloop", lifespan="off", ws="none", access_log=False,
                        server_header=False, log_level="warning")
uvicorn.Server(config).run(sockets=[listener])
"""
FASTAPI = """
from fastapi import FastAPI
app = FastAPI({options})
@app.post("/predict")
async def predict(): return {{"ok": True}}
@app.get("/readyz")
async def ready(): return {{"ok": True}}
"""
HELLO = """
async def app(scope, receive, send):
    headers = [(b"content-type", b"application/json"), (b"content-length", b"11")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"ok":true}'})
"""
QUIET = 'telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False}'
SERVERS = {
    BARE: FASTAPI.format(options=""),
    "the same, its telemetry off": FASTAPI.format(options=QUIET),
    "bare uvicorn without a framework (the limit)": HELLO,
}


@dataclass(frozen=True)
class Loaded:
    """One load of one server."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    failed: int


def trained(folder: Path) -> tuple[Path, dict[str, Any]]:
    """An attempt with a real model of the penguins, and a real row."""
    from gpu_jobs.tasks import export, prepare, snapshot, train

    def job(kind: str, **args: Any) -> Job:
        made = Job(folder, {"id": kind, "kind": kind, "run": "benchmark", "args": args})
        made.folder.mkdir(parents=True)
        return made

    facts = snapshot.run(job("snapshot", source=str(ROOT / "examples" / "penguins.csv")))
    columns = [column for column in facts["columns"] if column["name"] != "species"]
    dataset = {
        "task": "multiclass",
        "target": "species",
        "metric": "accuracy",
        "labels": None,
        "features": [{"name": column["name"], "kind": column["type"]} for column in columns],
        "split": {"method": "stratified", "fractions": [0.64, 0.16, 0.2], "seed": 0},
    }
    prepared = prepare.run(job("prepare", dataset=dataset))
    architecture = {
        "kind": "tabular",
        "inputs": {key: prepared["inputs"][key] for key in ("numbers", "categories")},
        "outputs": 3,
        "task": "multiclass",
    }
    attempt = "attempts/1"
    train.run(job("train", architecture=architecture, training={"epochs": 20}, attempt_folder=attempt))
    export.run(job("export", architecture=architecture, attempt_folder=attempt))
    scripts = folder / attempt / "scripts"
    shutil.copytree(ROOT / "gpu_jobs/data/rows", scripts / "rows", ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "serve.py").write_text(render("serve", ServeContext(name="penguins", version="1.0.0", run="benchmark")))
    row = json.loads((folder / attempt / "models" / "preprocessing.json").read_text())["example"]
    return folder / attempt, row


@contextmanager
def servers(folder: Path, attempt: Path) -> Iterator[dict[str, RunningServer]]:
    """All servers, started one after another and all left running: idle ones cost nothing."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        started = {}
        for index, (name, app) in enumerate(SERVERS.items()):
            script = folder / f"bare{index}.py"
            script.write_text(BARE_SERVER.format(app=app))
            started[name] = stack.enter_context(running(script, folder, folder / f"bare{index}.log"))
        script = attempt / "scripts" / "serve.py"
        started[GENERATED] = stack.enter_context(running(script, attempt / "models", folder / "serve.log"))
        yield started


def load(server: RunningServer, script: Path, seconds: int, connections: int) -> Loaded:
    """Load one server with wrk."""
    process = psutil.Process(server.pid)
    before = process.cpu_times()
    url = f"http://127.0.0.1:{server.port}/predict"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = process.cpu_times()
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", text)
    if not found:
        raise RuntimeError(f"wrk said: {text}")
    requests, micros, p50, p99, failed = map(int, found.groups())
    busy = after.user + after.system - before.user - before.system
    return Loaded(requests / (micros / 1e6), p50 / 1000, p99 / 1000, busy / requests * 1e6, failed)


def wrk_script(folder: Path, row: dict[str, Any]) -> Path:
    """What wrk sends, and the line that it prints at the end."""
    body = json.dumps(row)
    level = 0
    while f"]{'=' * level}]" in body:
        level += 1
    script = folder / "wrk.lua"
    script.write_text(
        "wrk.method='POST' wrk.headers['Content-Type']='application/json'\n"
        f"wrk.body=[{'=' * level}[{body}]{'=' * level}]\n"
        "done=function(s,l) local e=s.errors io.write(string.format('\\nRESULT %d %d %d %d %d\\n',"
        "s.requests,s.duration,l:percentile(50),l:percentile(99),e.connect+e.read+e.write+e.status+e.timeout)) end\n"
    )
    return script


def measure(seconds: int, rounds: int) -> str:
    """The section of RESULTS.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        attempt, row = trained(folder)
        script = wrk_script(folder, row)
        with servers(folder, attempt) as started:
            for server in started.values():
                load(server, script, 1, 16)
            loads: dict[str, list[Loaded]] = {name: [] for name in started}
            for _ in range(rounds):
                for name, server in started.items():
                    loads[name].append(load(server, script, seconds, CONNECTIONS))
            alone = load(started[GENERATED], script, seconds, 1)
            memory = {name: server.memory_mb() for name, server in started.items()}
            ready = {name: server.ready_seconds for name, server in started.items()}
    return table(loads, memory, ready, alone)


def table(loads: dict[str, list[Loaded]], memory: dict[str, float], ready: dict[str, float], alone: Loaded) -> str:
    """Medians over the rounds, and the ratio of each round to the bare framework of that round."""
    lines = [
        f"{CONNECTIONS} connections, {len(loads[BARE])} rounds in turn, {time.strftime('%Y-%m-%d', time.gmtime())}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}.",
        "Target: at least 0.9 of bare FastAPI, p99 at most 25 ms, at most 120 MB, ready within 1.5 s.",
        "",
        "| server | requests/s | of bare FastAPI | p50 ms | p99 ms | CPU us/request | memory MB | ready s | failed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, rounds in loads.items():
        ratios = [here.rate / bare.rate for here, bare in zip(rounds, loads[BARE], strict=True)]
        middle = {
            field: statistics.median(getattr(r, field) for r in rounds)
            for field in ("rate", "p50_ms", "p99_ms", "cpu_us")
        }
        lines.append(
            f"| {name} | {middle['rate']:,.0f} | {statistics.median(ratios):.2f} | {middle['p50_ms']:.2f} "
            f"| {middle['p99_ms']:.2f} | {middle['cpu_us']:.0f} | {memory[name]:.0f} | {ready[name]:.2f} "
            f"| {sum(r.failed for r in rounds)} |"
        )
    latency = f"p50 {alone.p50_ms:.2f} ms, p99 {alone.p99_ms:.2f} ms"
    said = f"One connection, generated server: {alone.rate:,.0f} requests/s, {latency}."
    return "\n".join([*lines, "", said])


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if not shutil.which("wrk"):
        print("wrk is not installed: apt-get install wrk", file=sys.stderr)
        return 1
    text = measure(given.seconds, given.rounds)
    write_section("serving", "Serving", text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
