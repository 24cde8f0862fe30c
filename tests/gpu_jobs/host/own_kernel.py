"""First process of a small Linux of its own (user mode): a job beyond the memory of a control group that was given.

    linux.uml rootfstype=hostfs ro init=PYTHON -- -P own_kernel.py v2

It mounts what it needs inside, runs one job that takes what it may and one that takes more, prints what they ended as
as one line of JSON, and halts. The machine outside is only read.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

KINDS = Path(__file__).parent / "kinds"
POWER_OFF = 0x4321FEDC
TREES = {"v1": ("cgroup", "memory", Path("/sys/fs/cgroup/memory")), "v2": ("cgroup2", "rw", Path("/sys/fs/cgroup"))}


def main(version: str) -> None:
    """Be the first process: have the work done in a child, bury what is orphaned, halt."""
    for kind, folder in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/mnt"), ("tmpfs", "/sys/fs/cgroup")):
        subprocess.run(["mount", "-t", kind, kind, folder], check=True)
    kind, options, tree = TREES[version]
    tree.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", kind, "-o", options, kind, str(tree)], check=True)
    given = tree / "given"
    given.mkdir()
    if version == "v2":
        (tree / "cgroup.subtree_control").write_text("+memory")
    worker = os.fork()
    if worker == 0:
        found = asyncio.run(work(given))
        os.write(1, b"\nRESULT " + json.dumps(found).encode() + b"\n")
        os._exit(0)
    while os.wait()[0] != worker:
        continue
    ctypes.CDLL(None).reboot(POWER_OFF)


async def work(given: Path) -> dict[str, Any]:
    """Both jobs in one sandbox: how each ended, what was said of its limits, and what is left of the groups."""
    from gpu_jobs.backends.local import LocalBackend, LocalSettings
    from gpu_jobs.backends.protocol import SandboxRequest
    from gpu_jobs.dispatch import HostSettings, Jobs
    from gpu_jobs.spec import JobSpec, Limits

    os.environ.update(TMPDIR="/mnt", HOME="/mnt", PATH="/usr/bin:/bin")
    root = Path("/mnt/sandbox")
    root.mkdir()
    sandbox = await LocalBackend(LocalSettings(), Path("/mnt")).open(SandboxRequest(owner="r-1", root=str(root)))
    jobs = Jobs(sandbox, HostSettings(tasks=str(KINDS), cgroup=str(given), idle_seconds=1.0))
    found: dict[str, Any] = {}
    for name, pieces in (("within", 3), ("beyond", 200)):
        said: list[dict[str, Any]] = []

        async def hear(_line: int, event: dict[str, Any], told: list[dict[str, Any]] = said) -> None:
            told.append(event)

        args = {"what": "memory", "pieces": pieces}
        spec = JobSpec(id=name, kind="greedy", run="r-1", args=args, limits=Limits(memory_mb=64))
        outcome = await jobs.run(spec, hear)
        held = next(event["memory"] for event in said if event["type"] == "limits")
        found[name] = {"state": outcome.state, "code": outcome.code, "error": outcome.error, "held": held}
    for _ in range(200):  # the host clears a moment after the end
        found["groups"] = [path.name for path in given.iterdir() if path.is_dir()]
        if not found["groups"]:
            break
        await asyncio.sleep(0.05)
    return found


if __name__ == "__main__":
    main(sys.argv[1])
