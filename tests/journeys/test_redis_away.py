"""Redis stalls, is killed and cannot be started, or is away: runs wait and go on, doors say so at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from app.settings import load
from app.wiring import open_services
from memory.embedded import newest_server
from memory.errors import RedisAway
from tests.journeys.conftest import PENGUINS, House, a_house, heard, of_test
from tests.ports import free_port

pytestmark = pytest.mark.slow
SPECIES = (PENGUINS, "--target", "species", "--no-deploy")
OUTAGE = 30.0
AT_ONCE = 15.0  # seconds; within one on a quiet machine, here only long before the outage ends


@contextmanager
def redis_server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server of somebody else's on loopback, with its data in `folder`."""
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes", "--save", ""]
    with subprocess.Popen([newest_server()[0], *words], stdout=subprocess.DEVNULL) as process:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            Event().wait(0.01)
        try:
            yield process
        finally:
            process.kill()


def seconds_to_refusal(house: House) -> float:
    """How long a door takes to say that Redis is away."""

    async def ask() -> float:
        settings, began = load(environ=house.environment), time.monotonic()
        with pytest.raises(RedisAway):
            async with open_services(settings) as services:
                await services.runs.list()
        return time.monotonic() - began

    return asyncio.run(ask())


@pytest.mark.timeout(600)
def test_runs_ride_out_half_a_minute_without_redis_and_doors_say_so_at_once(tmp_path: Path) -> None:
    port = free_port()
    configured = {"NEUROLOOM_REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    with (
        a_house() as house, a_house(configured) as other, redis_server(tmp_path, port) as server,
        house.start("run", *SPECIES) as mine, other.start("run", *SPECIES) as theirs,
    ):  # fmt: skip
        assert mine.stdout is not None and theirs.stdout is not None
        heard(mine.stdout, "^train: started")
        heard(theirs.stdout, "^train: started")
        embedded = int((house.home / "redis.pid").read_text())
        os.kill(embedded, signal.SIGSTOP)
        server.kill()
        began = time.monotonic()
        for one in (house, other):
            assert seconds_to_refusal(one) <= AT_ONCE
            told = one.document("runs", code=3)["error"]
            assert told["code"] == "memory.away" and told["fix"]
        Event().wait(OUTAGE - (time.monotonic() - began))
        os.kill(embedded, signal.SIGCONT)
        with redis_server(tmp_path, port):
            heard(theirs.stdout, "Redis is back")
            heard(mine.stdout, "^validate: started")
            refused_to_start(house)
            ends = [process.communicate(timeout=300)[0] for process in (mine, theirs)]
            assert (mine.returncode, theirs.returncode) == (0, 0), ends
            for one in (house, other):
                found = one.document("show", "latest")
                assert found["status"] == "finished" and of_test(found)
            other.say("down")


def refused_to_start(house: House) -> None:
    """Kill the embedded server, and refuse doors a start for five seconds: its data say they are of a newer one."""
    note = house.home / "redis.version"
    version = note.read_text()
    note.write_text("99.0")
    os.kill(int((house.home / "redis.pid").read_text()), signal.SIGKILL)
    deadline = time.monotonic() + 90  # one who starts it holds the lock until it is refused, and others wait meanwhile
    while (code := house.document("runs", code=3)["error"]["code"]) != "memory.older_server":
        assert code == "memory.away" and time.monotonic() < deadline, code
    Event().wait(5.0)
    note.write_text(version)
