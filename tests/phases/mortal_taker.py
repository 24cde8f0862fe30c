"""A process that takes the spool and is killed after its n-th write: `python mortal_taker.py HOME N`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from memory.store import Memory, MemorySettings
from phases.spool import take


class Mortal(Memory):
    """Memory in which the process dies with a write."""

    left = int(sys.argv[2])

    async def assert_value(self, *args: Any, **options: Any) -> str:
        key = await super().assert_value(*args, **options)
        self._die()
        return key

    async def emit(self, *args: Any, **options: Any) -> None:
        await super().emit(*args, **options)
        self._die()

    def _die(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    home = Path(sys.argv[1])
    memory = Mortal(MemorySettings(home=home), "door")
    await memory.check()
    await take(home, memory)


if __name__ == "__main__":
    asyncio.run(main())
