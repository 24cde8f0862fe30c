"""The supervisor's process: `python -P -m phases.supervisor --home DIR`. One per state folder, by a lock."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path

from phases.supervisor.service import Supervisor

LOCK = "supervisor.lock"


async def serve(home: Path, idle_seconds: float) -> None:
    """Run until idle, shut down or terminated; on TERM the servers live on."""
    supervisor = Supervisor(home, idle_seconds)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.end)
    await supervisor.run()


def main(words: list[str]) -> int:
    """Status 0 after a proper end, also when another supervisor has the folder."""
    parser = argparse.ArgumentParser(prog="phases.supervisor", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the state folder")
    parser.add_argument("--idle", type=float, default=300.0, help="leave after so many idle seconds")
    chosen = parser.parse_args(words)
    home: Path = chosen.home.absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chdir(home)  # the socket's path is relative: the full one may be too long
    os.umask(0o077)
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    asyncio.run(serve(home, chosen.idle))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
