"""Other people's clients behind one face: each call is made by their code, in a process of its own. None is ours."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.journeys.conftest import NEUROLOOM, House
from tests.mcp_server.served import Served
from tests.node import Node

HERE = Path(__file__).parent
INSPECTOR = ("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
PATIENCE = 150


@dataclass(frozen=True)
class Heard:
    """What a client heard for one tool call: its answer, progress meanwhile, and what it was asked."""

    answer: Mapping[str, Any]
    progress: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        """The structured answer of a call that went well."""
        assert not self.answer.get("isError"), self.answer
        return dict(self.answer["structuredContent"])

    @property
    def words(self) -> str:
        """Its texts."""
        return "\n".join(part["text"] for part in self.answer["content"] if part["type"] == "text")

    @property
    def pictures(self) -> list[bytes]:
        """Its images."""
        return [base64.b64decode(part["data"]) for part in self.answer["content"] if part["type"] == "image"]


class Chat(Protocol):
    """A client in the middle of a conversation."""

    def call(self, tool: str, **arguments: Any) -> Heard:
        """Call a tool."""

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        """`tools/list`, `resources/read` or `prompts/get`."""


@dataclass
class Driven:
    """A client program that takes a request a line (`bridge.mjs`, `python_1.py`)."""

    process: subprocess.Popen[str]
    progress: list[str] = field(default_factory=list)

    def call(self, tool: str, **arguments: Any) -> Heard:
        found = self._ask("tools/call", {"name": tool, "arguments": arguments})
        return Heard(found["result"], tuple(found["progress"]), tuple(found["asked"]))

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        return dict(self._ask(method, params)["result"])

    def begin(self, tool: str, **arguments: Any) -> None:
        """Call a tool, and do not wait for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"method": "tools/call", "params": {"name": tool, "arguments": arguments}}))
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def _ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"method": method, "params": params}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the client ended"
        found = json.loads(line)
        assert "result" in found, found
        return dict(found)


@dataclass(frozen=True)
class Inspector:
    """The Inspector's command line, one process a request, over HTTP."""

    node: Node
    served: Served
    folder: Path
    era: str = "legacy"

    def call(self, tool: str, **arguments: Any) -> Heard:
        found = self._run("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        return Heard(found)

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        if method == "resources/read":
            return self._run(method, "--uri", params["uri"])
        if method == "prompts/get":
            pairs = [f"{name}={value}" for name, value in params["arguments"].items()]
            return self._run(method, "--prompt-name", params["name"], "--prompt-args", *pairs)
        return self._run(method, *(f"--{flag}" for flag in params))

    def _run(self, method: str, *more: str) -> dict[str, Any]:
        where = ["--server-url", self.served.url, "--header", f"Authorization: Bearer {self.served.token}"]
        how = ["--protocol-era", self.era, "--format", "json", "--connect-timeout", "60000", "-q"]
        done = subprocess.run(
            [*self.node.command(*INSPECTOR), "--cli", *where, *how, "--method", method, *more],
            env={"HOME": str(self.folder), "PATH": f"{self.node.path.parent}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode in {0, 5}, done.stderr + done.stdout
        found = json.loads(done.stdout)
        return dict(found.get("result", found))


@contextmanager
def driven(program: list[str], wanted: Mapping[str, Any], cwd: Path) -> Iterator[Driven]:
    """Start a client program; it is ended afterwards."""
    with (cwd / "client.err").open("ab") as words:
        process = subprocess.Popen(
            [*program, json.dumps(wanted)],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
        )
    try:
        yield Driven(process)
    finally:
        process.kill()
        process.wait(timeout=60)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def over_stdio(house: House) -> dict[str, Any]:
    """The server that a client starts itself."""
    return {"command": str(NEUROLOOM), "args": ["mcp"], "cwd": str(house.workspace), "env": dict(house.environment)}


def typescript(node: Node, version: int, server: Mapping[str, Any], form: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """The program of a TypeScript client, and what it is to do; a form is what its person answers with."""
    program = [str(node.path), str(HERE / f"typescript_{version}.mjs")]
    return program, {"packages": str(node.folder), "server": server, "form": form}


def python_1(folder: Path) -> Path:
    """An environment with the newest 1.x of the Python SDK, made once; its interpreter."""
    interpreter = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(folder)], check=True, timeout=300)
        install = [*uv, "pip", "install", "--python", str(interpreter), "mcp==1.30.0"]
        subprocess.run(install, check=True, timeout=600)
        (folder / ".installed").touch()
    return interpreter
