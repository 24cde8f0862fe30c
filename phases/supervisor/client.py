"""The supervisor as services see it: started when it is not there, asked, answering with plain dicts."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpu_jobs.host import processes
from memory import errors
from memory.errors import DeployError, NeuroloomError
from memory.unix_socket import SocketAddress
from phases.starting import start_detached
from phases.supervisor import records
from phases.supervisor.request import DeployRequest
from phases.supervisor.service import LINE_BYTES, SOCKET

__all__ = ["DeployRequest", "SupervisorClient", "ensure", "shut_down"]

START_SECONDS = 15.0
PING_SECONDS = 5.0


class SupervisorClient:
    """The supervisor of a state folder. Each call is one connection; views are dicts as `Record.view` makes them."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()

    async def deploy(self, request: DeployRequest) -> dict[str, Any]:
        """Serve a version under its name, once per intent; returns when it answers and the old one is leaving.

        Raises:
            DeployError: `deploy.not_ready`, `deploy.load_failed`, `deploy.wrong_answers`, `deploy.port_taken`,
                `deploy.files_gone`: it does not serve; the version before still does.
        """
        return dict(await self._ask_surely("deploy", request=request.model_dump(mode="json")))

    async def rollback(self, name: str, *, of: str | None = None) -> dict[str, Any]:
        """Serve the version before.

        Args:
            name: The deployment.
            of: Only take the version of this intent out, however often that is asked: what somebody else deployed
                meanwhile stays, and nobody can go back to the version that was taken out.

        Raises:
            DeployError: `deploy.not_found`, `deploy.no_previous`, or as `deploy`.
        """
        if of is None:
            return dict(await self.ask("rollback", name=name))
        return dict(await self._ask_surely("rollback", name=name, of=of))

    async def start(self, name: str) -> dict[str, Any]:
        """Serve a stopped or failed deployment's current version again."""
        return dict(await self._ask_surely("start", name=name))

    async def undeploy(self, name: str, *, of: str | None = None) -> dict[str, Any]:
        """Stop serving and forget the name; its log stays. With `of`, only while that intent's version serves.

        Raises:
            DeployError: `deploy.not_found`.
        """
        return dict(await self.ask("undeploy", name=name, of=of))

    async def list(self) -> Sequence[dict[str, Any]]:
        """All deployments, by name."""
        return tuple(await self._ask_surely("list"))

    async def get(self, name: str) -> dict[str, Any]:
        """One deployment.

        Raises:
            DeployError: `deploy.not_found`.
        """
        return dict(await self._ask_surely("get", name=name))

    async def logs(self, name: str, lines: int = 100) -> str:
        """The end of a server's log."""
        return str(await self._ask_surely("logs", name=name, lines=lines))

    async def shutdown(self) -> Sequence[str]:
        """Stop all deployments and the supervisor; the names that were stopped. They stay known, as stopped."""
        return tuple(await self.ask("shutdown"))

    async def ask(self, do: str, **words: Any) -> Any:
        """The result of one request.

        Raises:
            NeuroloomError: What the supervisor answered, or `deploy.supervisor_away` when there is no answer.
        """
        try:
            answer = await self._converse(json.dumps({"do": do, **words}).encode() + b"\n")
        except OSError as error:
            raise _away(self.home, str(error)) from error
        if not answer:
            raise _away(self.home, "it ended while it was asked")
        said = json.loads(answer)
        if not said["ok"]:
            raise _error(said["error"])
        return said["result"]

    async def _ask_surely(self, do: str, **words: Any) -> Any:
        """As `ask`, once more after a restart of the supervisor: for what may be asked twice."""
        try:
            return await self.ask(do, **words)
        except DeployError as error:
            if error.code != "deploy.supervisor_away":
                raise
        await ensure(self.home)
        return await self.ask(do, **words)

    async def _converse(self, line: bytes) -> bytes:
        with SocketAddress(self.home, SOCKET) as address:
            reader, writer = await asyncio.open_unix_connection(address.path, limit=LINE_BYTES)
        try:
            writer.write(line)
            return await reader.readline()
        finally:
            writer.close()


async def ensure(home: Path) -> SupervisorClient:
    """A client of the folder's supervisor, which is started, detached, if none answers.

    Raises:
        DeployError: `deploy.supervisor_away`: it could not be started.
    """
    client = SupervisorClient(home)
    if await _answers(client):
        return client
    client.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    await asyncio.to_thread(_spawn, client.home)
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if await _answers(client):
            return client
        await asyncio.sleep(0.02)
    raise _away(client.home, f"it did not answer within {START_SECONDS:g} s")


async def shut_down(home: Path) -> list[str]:
    """Stop all deployments and the supervisor of a folder, also servers that a killed one left; the names stopped."""
    client = SupervisorClient(home)
    orphans = any(processes.alive(record.process) for record in records.load(home))
    if not await _answers(client):
        if not orphans:
            return []
        client = await ensure(home)
    return list(await client.shutdown())


async def _answers(client: SupervisorClient) -> bool:
    try:
        return bool(await asyncio.wait_for(client.ask("ping"), PING_SECONDS))
    except (DeployError, TimeoutError):
        return False


def _spawn(home: Path) -> None:
    command = [sys.executable, "-P", "-W", "ignore", "-m", "phases.supervisor", "--home", str(home)]
    start_detached(command, home / "supervisor.log", cwd=home)


def _away(home: Path, why: str) -> DeployError:
    return DeployError(
        f"the supervisor of {str(home)!r} does not answer: {why}",
        code="deploy.supervisor_away",
        fix=f"its log is {str(home / 'supervisor.log')!r}; ask again, which starts it again",
    )


def _error(said: dict[str, Any]) -> NeuroloomError:
    """The supervisor's error as the same type here, by the first word of its code."""
    kind = errors.UsageError if said["code"].startswith("usage.") else DeployError
    return kind(said["message"], code=said["code"], field=said["field"], fix=said["fix"])
