"""Many HTTP clients that ask for a live run once a second, and what a server weighs after thousands of calls."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil

NEUROLOOM = Path(sys.executable).with_name("neuroloom")
NEWEST = "2026-07-28"
META = "io.modelcontextprotocol"
WHO = {"name": "crowd", "version": "1"}
ROWS = 40_000
MB = 1024 * 1024


def live_run(workspace: Path, environment: Mapping[str, str]) -> str:
    """Start a training that takes minutes; its id."""
    draw = random.Random(3)
    lines = ["a,b,c,d,won"]
    for _ in range(ROWS):
        a, b, c, d = (draw.random() for _ in range(4))
        lines.append(f"{a:.4f},{b:.4f},{c:.4f},{d:.4f},{'yes' if a * b > c * d + draw.gauss(0, 0.2) else 'no'}")
    (workspace / "live.csv").write_text("\n".join(lines) + "\n")
    words = ["run", "live.csv", "--target", "won", "--epochs", "5000", "--no-deploy", "--detach", "--json"]
    done = subprocess.run(
        [str(NEUROLOOM), *words], cwd=workspace, env=dict(environment), capture_output=True, text=True, check=True
    )
    return str(json.loads(done.stdout)["run_id"])


def show(workspace: Path, environment: Mapping[str, str], run: str) -> dict[str, Any]:
    """The run as the terminal tells it."""
    done = subprocess.run(
        [str(NEUROLOOM), "show", run, "--json"], cwd=workspace, env=dict(environment), capture_output=True, check=False
    )
    return dict(json.loads(done.stdout))


@dataclass(frozen=True)
class Door:
    """A server over HTTP: where it listens, the token it wants, and its process."""

    url: str
    token: str
    pid: int


def polled(
    workspace: Path, environment: Mapping[str, str], doors: Mapping[str, Door], asked: argparse.Namespace
) -> str:
    """What the clients saw of each server, in sentences; the run must train from the first to the last call."""
    run = live_run(workspace, environment)
    try:
        until_training(workspace, environment, run)
        told = [seen(name, door, run, asked) for name, door in doors.items()]
        status = show(workspace, environment, run)["status"]
    finally:
        subprocess.run(
            [str(NEUROLOOM), "cancel", run, "--now"],
            cwd=workspace,
            env=dict(environment),
            capture_output=True,
            check=False,
        )
    begin = f"{asked.clients} HTTP clients asked for a run that trained ({status} afterwards) once a second"
    return f"{begin} for {asked.seconds} s: {'; '.join(told)} (p99 at most 250 ms, no error)."


def seen(name: str, door: Door, run: str, asked: argparse.Namespace) -> str:
    """What the clients saw of one server."""
    server = psutil.Process(door.pid)
    before = sum(server.cpu_times()[:2])
    took, wrong = asyncio.run(crowd(door, run, asked.clients, asked.seconds))
    spent = (sum(server.cpu_times()[:2]) - before) * 1000 / len(took)
    took.sort()
    p50, p99 = (took[int(share * (len(took) - 1))] * 1000 for share in (0.5, 0.99))
    return (
        f"{name} {len(took)} calls, p50 {p50:.0f} ms, p99 {p99:.0f} ms, {wrong} errors,"
        f" {spent:.1f} ms of processor time a call"
    )


def until_training(workspace: Path, environment: Mapping[str, str], run: str) -> None:
    """Look until the run trains."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = {one["name"]: one["status"] for one in show(workspace, environment, run)["phases"]}
        if found["train"] == "running":
            return
        time.sleep(0.2)
    raise RuntimeError(f"{run} never trained: {found}")


async def crowd(door: Door, run: str, clients: int, seconds: int) -> tuple[list[float], int]:
    """Seconds of every call, and how many were no good answer."""
    own = {"protocolVersion": NEWEST, "clientInfo": WHO, "clientCapabilities": {}}
    params = {"name": "run_get", "arguments": {"run": run}, "_meta": {f"{META}/{key}": one for key, one in own.items()}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "Authorization": f"Bearer {door.token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": NEWEST,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "run_get",
    }
    took: list[float] = []
    wrong = 0
    limits = httpx2.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx2.AsyncClient(headers=headers, timeout=60, limits=limits) as http:

        async def one(number: int) -> None:
            nonlocal wrong
            begun = time.perf_counter() + number / clients
            for turn in range(seconds):
                await asyncio.sleep(max(0.0, begun + turn - time.perf_counter()))
                asked = time.perf_counter()
                answer = await http.post(door.url, json=body)
                took.append(time.perf_counter() - asked)
                wrong += (
                    answer.status_code != 200
                    or b'"isError":true' in answer.content
                    or b'"status"' not in answer.content
                )

        await asyncio.gather(*(one(number) for number in range(clients)))
    return took, wrong


def memory(workspace: Path, environment: Mapping[str, str], calls: int) -> str:
    """What a stdio server weighs after so many calls, in a sentence."""
    process = subprocess.Popen(
        [str(NEUROLOOM), "mcp"], cwd=workspace, env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    weighed = psutil.Process(process.pid)
    tools = ("run_get", "run_list", "deployment_list", "memory_get")
    marks: list[tuple[int, float]] = []
    try:
        for number in range(calls + 1):
            params: dict[str, Any] = {"name": tools[number % len(tools)], "arguments": {}}
            ask(process, number + 1, "tools/call", params) if number else greet(process)
            if number in {calls // 10, calls // 2, calls}:
                marks.append((number, weighed.memory_info().rss / MB))
    finally:
        process.kill()
        process.communicate()
    told = ", ".join(f"{size:.0f} MB after {number:,}" for number, size in marks)
    return f"A stdio server weighs {told} calls of {', '.join(tools)} (at most 120 MB, flat)."


def greet(process: subprocess.Popen[bytes]) -> None:
    """The handshake."""
    ask(process, 1, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": WHO})


def ask(process: subprocess.Popen[bytes], number: int, method: str, params: Mapping[str, Any]) -> None:
    """One request and its answer, which must be a result."""
    assert process.stdin is not None and process.stdout is not None
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()
    found = json.loads(process.stdout.readline())
    if "result" not in found or found["result"].get("isError"):
        raise RuntimeError(str(found)[:500])
