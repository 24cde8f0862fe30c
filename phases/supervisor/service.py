"""The supervisor's door: JSON lines over a Unix socket, one request and one answer per connection.

It keeps the table of deployments and the life of the process. What a change means is in `deployment.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gpu_jobs.host import processes
from memory.errors import DeployError, NeuroloomError, UsageError
from phases.supervisor import records
from phases.supervisor.deployment import Deployment, new_record, tail
from phases.supervisor.request import DeployRequest
from phases.supervisor.server_process import end_strays

log = logging.getLogger("neuroloom.supervisor")
SOCKET = "supervisor.sock"
LINE_BYTES = 16_000_000
Answer = Callable[[dict[str, Any]], Awaitable[Any]]


class Supervisor:
    """All deployments of a state folder.

    Args:
        home: The state folder.
        idle_seconds: With nothing to keep up and nobody asking, the process leaves after so long.
    """

    def __init__(self, home: Path, idle_seconds: float = 300.0) -> None:
        self.home, self._idle_seconds = home, idle_seconds
        known, unreadable = records.read(home)
        for told in unreadable:
            log.error("a deployment cannot be read and is left out: %s", told)
        self._deployments = {record.name: Deployment(home, record) for record in known}
        self._asked = time.monotonic()
        self._over = asyncio.Event()
        self._making = asyncio.Lock()
        self._changes: set[asyncio.Task[Any]] = set()
        self._answers: dict[str, Answer] = {
            "ping": self._ping,
            "deploy": self._deploy,
            "rollback": self._rollback,
            "start": self._start,
            "undeploy": self._undeploy,
            "list": self._list,
            "get": self._get,
            "logs": self._logs,
            "shutdown": self._shutdown,
        }

    async def run(self) -> None:
        """Serve until told to stop, or until there has been nothing to do for long. The folder must be the cwd."""
        Path(SOCKET).unlink(missing_ok=True)  # stale: we hold the lock
        known = [one.record.process for one in self._deployments.values() if one.live]
        end_strays(self.home, {who["pid"] for who in known if processes.alive(who) and who})
        await asyncio.gather(*(deployment.bring_up() for deployment in self._deployments.values()))
        server = await asyncio.start_unix_server(self._serve, SOCKET, limit=LINE_BYTES)
        try:
            while not self._over.is_set() and not self._idle():
                try:
                    await asyncio.wait_for(self._over.wait(), min(5.0, self._idle_seconds))
                except TimeoutError:
                    for deployment in self._deployments.values():
                        deployment.save_again()
        finally:
            server.close()
            Path(SOCKET).unlink(missing_ok=True)
            await asyncio.gather(*(deployment.leave() for deployment in self._deployments.values()))

    def end(self) -> None:
        """Leave soon; the servers live on and are adopted by the next supervisor."""
        self._over.set()

    def _idle(self) -> bool:
        quiet = time.monotonic() - self._asked > self._idle_seconds
        return quiet and not self._changes and not any(one.live for one in self._deployments.values())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asked = time.monotonic()
        try:
            if line := await reader.readline():
                # a task of its own: a change goes on when the one who asked for it is gone
                change = asyncio.create_task(self._answer(line))
                self._changes.add(change)
                change.add_done_callback(self._changes.discard)
                writer.write(await asyncio.shield(change))
                await writer.drain()
        except (ConnectionError, ValueError):  # the client left, or its line is longer than any of ours
            return
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> bytes:
        try:
            asked = json.loads(line)
            said = {"ok": True, "result": await self._answers[asked["do"]](asked)}
        except NeuroloomError as error:
            said = {"ok": False, "error": error.as_dict()}
        except ValidationError as error:
            wrong = UsageError(f"no deployment can be made of that: {error}", code="usage.deploy_request")
            said = {"ok": False, "error": wrong.as_dict()}
        except (KeyError, TypeError, ValueError) as error:
            wrong = UsageError(f"not a request to a supervisor: {error!r}", code="usage.supervisor")
            said = {"ok": False, "error": wrong.as_dict()}
        return json.dumps(said).encode() + b"\n"

    async def _ping(self, _: dict[str, Any]) -> bool:
        return True

    async def _deploy(self, asked: dict[str, Any]) -> dict[str, Any]:
        request = DeployRequest.model_validate(asked["request"])
        async with self._making:
            if request.name not in self._deployments:
                record = new_record(self.home, request.name, [one.record for one in self._deployments.values()])
                self._deployments[request.name] = Deployment(self.home, record)
        deployment = self._deployments[request.name]
        try:
            view = await deployment.deploy(request)
        except DeployError:
            if await deployment.unused():
                self._forget(request.name)
            raise
        self._deployments[request.name] = deployment
        return view

    async def _rollback(self, asked: dict[str, Any]) -> dict[str, Any]:
        return await self._named(asked).rollback(asked.get("of"))

    async def _start(self, asked: dict[str, Any]) -> dict[str, Any]:
        return await self._named(asked).start()

    async def _undeploy(self, asked: dict[str, Any]) -> dict[str, Any]:
        deployment = self._named(asked)
        if not await deployment.end(asked.get("of")):
            return deployment.record.view()
        self._forget(deployment.record.name)
        return deployment.record.view()

    async def _list(self, _: dict[str, Any]) -> list[dict[str, Any]]:
        served = [one.record for one in self._deployments.values() if one.record.current is not None]
        return [record.view() for record in sorted(served, key=lambda record: record.name)]

    async def _get(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._named(asked).record.view()

    async def _logs(self, asked: dict[str, Any]) -> str:
        path = records.log_path(self.home, self._named(asked).record.name)
        return await asyncio.to_thread(tail, path, int(asked["lines"]))

    async def _shutdown(self, _: dict[str, Any]) -> list[str]:
        names = sorted(self._deployments)
        stopped = await asyncio.gather(*(self._deployments[name].stop() for name in names))
        asyncio.get_running_loop().call_later(0.05, self.end)  # after the answer
        return [name for name, was_live in zip(names, stopped, strict=True) if was_live]

    def _named(self, asked: dict[str, Any]) -> Deployment:
        found = self._deployments.get(asked["name"])
        if found is None:
            raise DeployError(
                f"no deployment {asked['name']!r}; there are: {', '.join(sorted(self._deployments)) or 'none'}",
                code="deploy.not_found",
                field="name",
                fix="neuroloom deployments",
            )
        return found

    def _forget(self, name: str) -> None:
        self._deployments.pop(name, None)
        records.forget(self.home, name)
