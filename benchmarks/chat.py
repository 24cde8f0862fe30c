"""The chat door beside the bare SDK, in one run: its start, what a call costs, many clients at once, and its memory.

    python -P -m benchmarks.chat [--calls 300] [--rounds 5] [--clients 200] [--seconds 15] [--memory-calls 10000]

The bare server gives the very answer that ours gives, from a variable, so the difference is all that ours does: names
of arguments, scopes, limits, redaction, audit, the look at the run, privacy. Rounds alternate between the two. The 200
clients are a process of their own that asks for a run that trains meanwhile; limits are set high for it, and printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from benchmarks import bare_chat, crowd
from benchmarks.results import machine, write_section

ROOT = Path(__file__).resolve().parents[1]
NEUROLOOM = Path(sys.executable).with_name("neuroloom")
PENGUINS = ROOT / "examples" / "penguins.csv"
BARE = ROOT / "benchmarks" / "bare_chat.py"
LIMITS = {
    "NEUROLOOM_CHAT_CALLS_PER_MINUTE": "10000000",
    "NEUROLOOM_CHAT_CALLS_PER_SECOND": "100000",
    "NEUROLOOM_CHAT_CALLS_AT_ONCE": "10000",
}
METHOD = (
    "The call is `run_get` of a finished run; the bare server gives the same answer from a variable. Medians of"
    " alternating rounds; a ratio or difference is the median over rounds. Clients are the Python SDK's, and check the"
    " answer against its schema on both sides."
)
GREETING = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
Opened = Callable[[], AbstractAsyncContextManager[Client]]
Row = tuple[str, str, str, str]
Doors = Mapping[str, crowd.Door]
FLOOR, OURS = "the bare SDK", "Neuroloom"


@dataclass(frozen=True)
class Place:
    """A state folder, a workspace with a finished run, and the file from which the bare server answers."""

    home: Path
    workspace: Path
    run: str
    answer: Path

    @property
    def environment(self) -> dict[str, str]:
        """What our processes need to live here."""
        return {**os.environ, **LIMITS, "NEUROLOOM_HOME": str(self.home)}


@contextmanager
def prepared() -> Iterator[Place]:
    """Train the penguins once, and keep what `run_get` answers about it."""
    home, workspace = Path(tempfile.mkdtemp(prefix="nlb-")), Path(tempfile.mkdtemp(prefix="nlw-"))
    place = Place(home, workspace, "latest", workspace / "answer.json")
    shutil.copy(PENGUINS, workspace)
    try:
        say(place, "run", "penguins.csv", "--target", "species", "--epochs", "3", "--no-deploy", "--json")
        asyncio.run(_keep_answer(place))
        yield place
    finally:
        say(place, "down")
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(workspace, ignore_errors=True)


async def _keep_answer(place: Place) -> None:
    async with Client(ours_stdio(place)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        answer = await client.call_tool("run_get", {"run": place.run})
    kept = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    kept.pop("_meta", None)
    document = {"answer": kept, "schema": tools["run_get"].output_schema}
    place.answer.write_text(json.dumps(document), encoding="utf-8")


def say(place: Place, *words: str) -> str:
    """A command of ours; some end with a code of their own, such as a run whose model a gate rejected."""
    command = [str(NEUROLOOM), *words]
    return subprocess.run(
        command, cwd=place.workspace, env=place.environment, capture_output=True, text=True, check=False
    ).stdout


def ours_stdio(place: Place) -> StdioServerParameters:
    """Our server over stdio."""
    return StdioServerParameters(command=str(NEUROLOOM), args=["mcp"], cwd=str(place.workspace), env=place.environment)


def bare_stdio(place: Place) -> StdioServerParameters:
    """The bare server over stdio."""
    return StdioServerParameters(command=sys.executable, args=["-P", str(BARE), str(place.answer)])


def start_seconds(command: Sequence[str], place: Place) -> float:
    """Seconds from the spawn of a server to its first list of tools."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=place.workspace, env=place.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdin is not None and process.stdout is not None
        for number, method, params in ((1, "initialize", GREETING), (2, "tools/list", {})):
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()
            if "result" not in json.loads(process.stdout.readline()):
                raise RuntimeError(f"{command[0]} did not answer {method}")
        return time.perf_counter() - begun
    finally:
        process.kill()
        process.communicate()


def starts(place: Place, rounds: int) -> list[Row]:
    """Spawn to first `tools/list`, ours beside the bare server's."""
    ours, bare = [str(NEUROLOOM), "mcp"], [sys.executable, "-P", str(BARE), str(place.answer)]
    pairs = [(start_seconds(bare, place), start_seconds(ours, place)) for _ in range(rounds)]
    ratio = statistics.median(mine / floor for floor, mine in pairs)
    floor, mine = (statistics.median(column) for column in zip(*pairs, strict=True))
    return [("spawn to first `tools/list`", f"{floor:.2f} s", f"{mine:.2f} s", f"{ratio:.2f} × (at most 1.5 ×)")]


async def calls(client: Client, run: str, count: int) -> float:
    """Median milliseconds of a call."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        answer = await client.call_tool("run_get", {"run": run})
        took.append((time.perf_counter() - begun) * 1000)
        if answer.is_error:
            raise RuntimeError(str(answer.content))
    return statistics.median(took)


async def beside(bare: Opened, ours: Opened, run: str, asked: argparse.Namespace) -> list[tuple[float, float]]:
    """Medians of alternating rounds: the bare server's and ours."""
    async with bare() as floor, ours() as mine:
        await calls(floor, run, 30)
        await calls(mine, run, 30)
        return [
            (await calls(floor, run, asked.calls), await calls(mine, run, asked.calls)) for _ in range(asked.rounds)
        ]


def row(name: str, pairs: Sequence[tuple[float, float]], *, added: bool) -> Row:
    """A row of the table; what is added in milliseconds, or the ratio."""
    floor, mine = (statistics.median(column) for column in zip(*pairs, strict=True))
    if added:
        more = statistics.median(one - other for other, one in pairs)
        return name, f"{floor:.2f} ms", f"{mine:.2f} ms", f"+{more:.2f} ms (at most 1 ms)"
    ratio = statistics.median(one / other for other, one in pairs)
    return name, f"{floor:.2f} ms", f"{mine:.2f} ms", f"{ratio:.2f} × (at most 1.3 ×)"


async def per_call(place: Place, http: Doors, asked: argparse.Namespace) -> list[Row]:
    """A call in memory, over stdio and over HTTP."""
    from app.settings import load
    from mcp_server.serving import guarded

    os.chdir(place.workspace)
    server = guarded(load(environ=place.environment))
    bare = bare_chat.from_file(place.answer)
    memory = await beside(lambda: Client(bare), lambda: Client(server), place.run, asked)
    stdio = await beside(lambda: Client(bare_stdio(place)), lambda: Client(ours_stdio(place)), place.run, asked)
    over = await beside(lambda: with_token(http[FLOOR]), lambda: with_token(http[OURS]), place.run, asked)
    return [
        row("a call in memory", memory, added=True),
        row("a call over stdio", stdio, added=False),
        row("a call over HTTP", over, added=False),
    ]


def with_token(door: crowd.Door) -> Client:
    """A client over HTTP."""
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {door.token}"}, timeout=60)
    return Client(streamable_http_client(door.url, http_client=http))


@contextmanager
def bare_http(place: Place) -> Iterator[crowd.Door]:
    """The bare server over HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-P", str(BARE), str(place.answer), "--http", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port), process)
        yield crowd.Door(f"http://127.0.0.1:{port}/mcp", "none", process.pid)
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


@contextmanager
def ours_http(place: Place) -> Iterator[crowd.Door]:
    """Our server over HTTP."""
    words = place.workspace / "http.err"
    with words.open("wb") as log:
        command = [str(NEUROLOOM), "mcp", "--http", "--port", "0"]
        process = subprocess.Popen(command, cwd=place.workspace, env=place.environment, stderr=log, stdout=log)
    try:
        until(lambda: "nlm_" in words.read_text(), process)
        said = words.read_text()
        url, token = re.search(r"listens at (\S+:(\d+)/mcp)", said), re.search(r"nlm_[\w-]{43}", said)
        if url is None or token is None:
            raise RuntimeError(said)
        until(lambda: _answers(int(url[2])), process)
        yield crowd.Door(url[1], token[0], process.pid)
    finally:
        process.terminate()
        process.wait()


def until(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Look until it is true; the process must live."""
    deadline = time.monotonic() + 60
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not come up")
        time.sleep(0.05)


def main() -> None:
    """Measure everything, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, most in (("calls", 300), ("rounds", 5), ("clients", 200), ("seconds", 15), ("memory-calls", 10_000)):
        parser.add_argument(f"--{name}", type=int, default=most)
    asked = parser.parse_args()
    where = machine()
    with prepared() as place:
        rows = starts(place, asked.rounds)
        with ours_http(place) as ours, bare_http(place) as bare:
            doors = {FLOOR: bare, OURS: ours}
            rows += asyncio.run(per_call(place, doors, asked))
            polled = crowd.polled(place.workspace, place.environment, doors, asked)
        flat = crowd.memory(place.workspace, place.environment, asked.memory_calls)
    table = ["| what | bare SDK | Neuroloom | difference |", "| --- | --- | --- | --- |"]
    table += [f"| {' | '.join(one)} |" for one in rows]
    limits = ", ".join(f"{name}={value}" for name, value in LIMITS.items())
    told = [where, "", *table, "", polled, "", flat, "", f"Limits during the run: {limits}.", "", METHOD]
    write_section("chat", "The chat door beside the bare SDK", "\n".join(told))
    sys.stdout.write("\n".join(told) + "\n")


if __name__ == "__main__":
    main()
