"""A server process of the chat door, found by what it says on standard error, and ended by the test."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE = 120.0


@dataclass(frozen=True)
class Served:
    """Where it listens, the token that it made, and its process."""

    url: str
    token: str | None
    home: Path
    process: subprocess.Popen[bytes]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def root(self) -> str:
        return self.url.removesuffix("/mcp")

    def said(self) -> str:
        return (self.home / "stderr").read_text(encoding="utf-8")


@contextmanager
def served(
    home: Path,
    settings: dict[str, Any],
    *flags: str,
    program: Sequence[str] = (),
    cwd: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Start the tiny server (or another program), wait until it says where it listens, and end it."""
    command = [*(program or (sys.executable, "-m", "tests.mcp_server.tiny_server", json.dumps(settings)))]
    environment = os.environ | {"NEUROLOOM_HOME": str(home)} | dict(more or {})
    root = Path(__file__).resolve().parents[2]
    with (home / "stderr").open("wb") as words:
        process = subprocess.Popen([*command, *flags], cwd=cwd or root, env=environment, stderr=words, stdout=words)
    try:
        yield _found(home, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=DEADLINE)
        finally:
            process.kill()


def _found(home: Path, process: subprocess.Popen[bytes]) -> Served:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        said = (home / "stderr").read_text(encoding="utf-8")
        address = re.search(r"listens at (\S+/mcp)", said)
        if address is not None and _answers(address[1].removesuffix("/mcp")):
            token = re.search(r"nlm_[\w-]{43}", (home / "stderr").read_text(encoding="utf-8"))
            return Served(address[1], token[0] if token else None, home, process)
        assert process.poll() is None, said
        time.sleep(0.05)
    raise AssertionError((home / "stderr").read_text(encoding="utf-8"))


def _answers(root: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{root}/health").status_code == 200
    except httpx.TransportError:
        return False
