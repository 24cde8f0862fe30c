"""Programs of the MCP project that run on Node, in exact versions, installed once for all tests and test processes.

`NODE_FOR_TESTS` names the folder they are kept in; without it, one below pytest's own temporary folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NODE = f"node-linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}"
PACKAGES = {
    NODE: "22.23.5",
    "@modelcontextprotocol/conformance": "0.2.0-alpha.12",
    "@modelcontextprotocol/inspector": "2.12.0",
    "@modelcontextprotocol/sdk": "1.32.2",
    "@modelcontextprotocol/client": "2.4.0",
}
INSTALL = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Node:
    """Where the packages are."""

    folder: Path

    @property
    def path(self) -> Path:
        """The `node` program itself, version 22."""
        return self.folder / "node_modules" / NODE / "bin" / "node"

    def command(self, package: str, script: str) -> list[str]:
        """The command that runs a script of a package."""
        return [str(self.path), str(self.folder / "node_modules" / package / script)]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node and the packages, installed by whoever comes first; the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = Path(os.environ.get("NODE_FOR_TESTS") or shared / "node")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(folder)
    return Node(folder)


def _install(folder: Path) -> None:
    wanted = json.dumps({"private": True, "dependencies": PACKAGES}, indent=1)
    done = folder / ".installed"
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(folder / "node_modules", ignore_errors=True)
    (folder / "package.json").write_text(wanted, encoding="utf-8")
    result = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    assert result.returncode == 0, f"npm could not install {', '.join(PACKAGES)}:\n{result.stdout}\n{result.stderr}"
    done.write_text(wanted, encoding="utf-8")
