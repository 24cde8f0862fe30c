"""State folders with real supervisors and servers in them; none outlives its test."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gpu_jobs.host import processes
from phases.supervisor.client import shut_down
from phases.supervisor.request import DeployRequest
from phases.supervisor.server_process import MARK
from tests.leftovers import end_all

SERVER = Path(__file__).with_name("tiny_server.py")
ROW = {"age": 41, "city": "Köln"}


@pytest.fixture
async def home() -> AsyncIterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="nl-"))
    yield folder
    await shut_down(folder)
    await eventually(lambda: not supervisors(folder))
    left = servers(folder)
    end_all(folder)
    shutil.rmtree(folder)
    assert left == [], "servers outlived their supervisor"


def wish(home: Path, version: str, *, name: str = "churn", **behaviour: Any) -> DeployRequest:
    """A request for a tiny server of that version; keyword arguments are its behaviour."""
    models = home / "attempts" / version
    models.mkdir(parents=True, exist_ok=True)
    (models / "behaviour.json").write_text(json.dumps({"version": version} | behaviour))
    return DeployRequest(
        name=name,
        version=version,
        run_id=f"r-{version}",
        intent=f"r-{version}-deploy",
        serve=str(SERVER),
        models=str(models),
        example_request=ROW,
        python=sys.executable,
        ready_seconds=10,
        drain_seconds=5,
    )


def with_proof(home: Path, request: DeployRequest, rows: int = 20) -> DeployRequest:
    """The request with stored rows, which a tiny server that was not told otherwise answers rightly."""
    stored = {"label": "yes", "probabilities": {"yes": 0.75001, "no": 0.25}}
    path = home / "validation_rows.json"
    path.write_text(json.dumps({"rows": [ROW] * rows, "predictions": [stored] * rows}))
    return request.model_copy(update={"proof": str(path)})


def servers(home: Path) -> list[int]:
    """Pids of all tiny servers of a state folder."""
    return [pid for pid in processes.marked(MARK, str(home)) if processes.start_ticks(pid) is not None]


def supervisors(home: Path) -> list[int]:
    """Pids of the supervisors of a state folder."""
    wanted = f"phases.supervisor\0--home\0{home}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "cmdline").read_bytes() and processes.start_ticks(int(folder.name)) is not None:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def kill_supervisor(home: Path) -> None:
    """Kill -9 the supervisor of a state folder, and wait for its end."""
    for pid in supervisors(home):
        os.kill(pid, signal.SIGKILL)
    while supervisors(home):
        time.sleep(0.001)


async def eventually(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something holds; a test that waits in vain fails after a minute and a half."""
    async with asyncio.timeout(90):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


async def ask(url: str) -> dict[str, Any]:
    """One answer of an endpoint, over a connection of its own."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/predict", json=ROW)
        answer.raise_for_status()
        return dict(answer.json())


@asynccontextmanager
async def load(url: str, clients: int = 8, row: dict[str, Any] = ROW) -> AsyncIterator[Counter[str]]:
    """Concurrent clients, half of them keeping connections alive, while the block runs; their answers by version."""
    told: Counter[str] = Counter()
    over = asyncio.Event()

    async def one(keep: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if keep else 0)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:
            while not over.is_set():
                try:
                    answer = await client.post(f"{url}/predict", json=row)
                    told[answer.json()["model"]["version"] if answer.status_code == 200 else str(answer)] += 1
                except httpx.HTTPError as error:
                    told[repr(error)] += 1

    tasks = [asyncio.create_task(one(number % 2 == 0)) for number in range(clients)]
    try:
        await eventually(lambda: told.total() > clients)
        yield told
        before = told.total()
        await eventually(lambda: told.total() > before + clients)
    finally:
        over.set()
        await asyncio.gather(*tasks)
