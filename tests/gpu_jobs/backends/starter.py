"""`python -m tests.gpu_jobs.backends.starter KIND SETTINGS HOME ROOT`: starts a process in a sandbox, and waits.

It tells the handle and is there to be killed: see the test of re-attachment.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from gpu_jobs.backends.protocol import Command, SandboxRequest
from tests.gpu_jobs.backends.rows import rebuilt


async def main(kind: str, settings: str, home: str, root: str) -> None:
    sandbox = await rebuilt(kind, settings, Path(home)).open(SandboxRequest(owner="r-1", root=root))
    process = await sandbox.start(Command(argv=("sh", "-c", "read word; echo $word; sleep 300"), stdin=b"begun\n"))
    sys.stdout.write(json.dumps({"id": sandbox.info.id, "handle": dict(process.handle)}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    time.sleep(300)
