"""Does harm, in the way that `act` names; what it could get at is its result."""

import mmap
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gpu_jobs.tasks.job import Job

LEAVE = "setsid env -i flock {lock} sleep 300 </dev/null >/dev/null 2>&1 &"


def fork_bomb(job: Job) -> dict[str, Any]:
    """Every process forks as long as there were fewer than `most`: bounded, so that the test cannot hurt a machine."""
    shared = mmap.mmap(-1, 8)
    job.emit("ready")
    while True:
        number = int.from_bytes(shared[:8], "little")
        if number >= job.args["most"]:
            time.sleep(0.05)
            continue
        shared[:8] = (number + 1).to_bytes(8, "little")
        os.fork()
        time.sleep(0.01)


def leave(job: Job) -> dict[str, Any]:
    """A grandchild without our environment, our session, our parents and our open files."""
    subprocess.run(["sh", "-c", LEAVE.format(lock=job.path("held"))], check=True, close_fds=True)
    return {}


def read_secrets(job: Job) -> dict[str, Any]:
    """Looks for a secret in the environment, in files, in other runs and in other processes."""
    secret, found = job.args["secret"].encode()[::-1], []
    for pattern in ("/proc/*/environ", *job.args["places"]):
        for path in Path("/").glob(pattern.lstrip("/")):
            try:
                if secret in path.read_bytes():
                    found.append(pattern)
            except OSError:
                continue
    return {"found": sorted(set(found))}


def scan(job: Job) -> dict[str, Any]:
    """Knocks at ports of this machine, and names the network's devices."""
    open_ = []
    for port in job.args["ports"]:
        with socket.socket() as knock:
            knock.settimeout(5)
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                open_.append(port)
    return {"open": open_, "devices": [name for _, name in socket.if_nameindex()]}


def ignore_term(job: Job) -> dict[str, Any]:
    """A program of its own that ignores every signal that can be ignored."""
    script = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in range(1, 32) if n not in (9, 19)]"
    child = subprocess.Popen([sys.executable, "-c", script + "; print('deaf', flush=True); time.sleep(300)"], stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    job.emit("ready")
    while True:
        time.sleep(1)


def run(job: Job) -> dict[str, Any]:
    acts = {act.__name__: act for act in (fork_bomb, leave, read_secrets, scan, ignore_term)}
    return acts[job.args["act"]](job)
