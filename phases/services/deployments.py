"""The deployments service: what is served under which name, and changes to it. The supervisor does the work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.metrics import nearest
from memory.errors import DeployError, GateRejected, InputError, RunError
from memory.store import Memory
from phases.clock import now
from phases.services.runs import Runs
from phases.supervisor.client import SupervisorClient, ensure
from phases.views import DeploymentView

WAIT_SECONDS = 180.0


class Deployments:
    """Named deployments of this machine's state folder."""

    def __init__(self, memory: Memory, runs: Runs, home: Path) -> None:
        self.memory, self.runs, self.home = memory, runs, home

    async def list(self) -> Sequence[DeploymentView]:
        """Every deployment, by name; a look never starts the supervisor when nothing was ever deployed."""
        if not any((self.home / "deployments").glob("*.json")):
            return []
        return [_view(found) for found in await (await self._supervisor()).list()]

    async def get(self, name: str) -> DeploymentView:
        """One deployment.

        Raises:
            InputError: there is none of that name, with the nearest names.
        """
        for found in await self.list():
            if found.name == name:
                return found
        names = [found.name for found in await self.list()]
        raise InputError(
            f"no deployment {name!r}{nearest(name, names)}",
            code="input.no_such_deployment",
            field="name",
            fix="list them: neuroloom deployments",
        )

    async def deploy(
        self, run: str, name: str | None = None, override: bool = False, why: str | None = None
    ) -> DeploymentView:
        """Have a runner deploy an ended run's model, and wait for it.

        Raises:
            GateRejected: a gate rejected the model and no override with a reason was given.
            RunError: the run has not ended with a tested model.
        """
        view = await self.runs.get(run)
        if view.status == "rejected" and not (override and why):
            raise GateRejected(
                f"run {view.run_id!r} was rejected by a gate",
                field="run",
                fix=f'neuroloom deploy {view.run_id} --override --why "…" (recorded)',
            )
        if view.status not in {"rejected", "finished", "deployed"}:
            raise RunError(
                f"run {view.run_id!r} is {view.status}: it has no tested model",
                code="run.no_model",
                field="run",
                fix=f"neuroloom resume {view.run_id}",
            )
        earlier = await self.memory.get(view.run_id, "deploy-request")
        number = 1 + (earlier.value["number"] if earlier else 0)
        wish = {
            "number": number,
            "name": name,
            "override": override,
            "why": why,
            "by": "cli",
            "at": now(),
            "done": False,
        }
        await self.memory.put(view.run_id, "deploy-request", wish, by="cli", write_id=f"deploy-request-{number}")
        if override:
            await self.memory.put(view.run_id, "override", wish, by="cli")
        await self.runs._wake(view.run_id, {"state": "queued", "error": None})
        return await self._wait(view.run_id)

    async def _wait(self, run: str) -> DeploymentView:
        for _ in range(int(WAIT_SECONDS / 0.1)):
            view = await self.runs.get(run)
            if view.ended:
                break
            await asyncio.sleep(0.1)
        if view.status != "deployed" or view.deployment is None:
            error = view.error
            raise DeployError(
                error.message if error else f"run {run!r} is {view.status} after {WAIT_SECONDS:g} s",
                code=error.code if error else "deploy.slow",
                fix=error.fix if error else None,
            )
        return view.deployment

    async def rollback(self, name: str) -> DeploymentView:
        """Back to the previous version.

        Raises:
            DeployError: there is no previous version.
        """
        await self.get(name)
        return _view(await (await self._supervisor()).rollback(name))

    async def undeploy(self, name: str) -> None:
        """Stop serving and forget the name; the model stays in its run."""
        await self.get(name)
        await (await self._supervisor()).undeploy(name)

    async def logs(self, name: str) -> str:
        """The end of the server's log."""
        await self.get(name)
        return str(await (await self._supervisor()).logs(name, 200))

    async def _supervisor(self) -> SupervisorClient:
        return await ensure(self.home)


def _view(found: Any) -> DeploymentView:
    known = {key: value for key, value in dict(found).items() if key in DeploymentView.model_fields}
    return DeploymentView.model_validate(json.loads(json.dumps(known)))
