"""The deployments service: what is served under which name, and changes to it. The supervisor does the work."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agents.metrics import nearest
from memory.errors import DeployError, GateRejected, InputError, MemoryConflict, NeuroloomError, RunError
from memory.store import Memory
from phases.clock import now
from phases.request import check_deployment_name
from phases.services.runs import Runs
from phases.supervisor.client import SupervisorClient, ensure
from phases.views import DeploymentView, RunView

WAIT_SECONDS, PAUSE_SECONDS = 180.0, 0.1
WISH = "deploy-request"
DEPLOYABLE = frozenset({"rejected", "finished", "deployed"})
FILES = ("scripts/serve.py", "models/model.onnx", "models/preprocessing.json")
EARLIER = ("state", "error", "reason", "phase", "attempt", "phases")  # of the run's state, put back when a wish fails


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
        self, run: str, name: str | None = None, override: bool = False, why: str | None = None, *,
        door: str = "cli", patience: float | None = None,
    ) -> DeploymentView:  # fmt: skip
        """Have an ended run's model served: a stopped deployment of it is started, else a runner deploys it.

        A deployment that fails leaves the run as it had ended before; one that a runner has begun goes on when the
        door's `patience` (seconds) is over.

        Raises:
            InputError: the name cannot be one.
            GateRejected: a gate rejected the model and no override with a reason was given.
            RunError: the run has not ended with a tested model, or its files are gone.
            DeployError: it was not deployed; what served before still does.
        """
        view = await self.runs.get(run)
        check_deployment_name(name)
        await self._check_model(view)
        if view.status == "rejected" and not (override and why):
            raise GateRejected(
                f"run {view.run_id!r} was rejected by a gate",
                field="run",
                fix=f'neuroloom deploy {view.run_id} --override --why "…" (recorded)',
            )
        if (found := await self._of_run(view, name)) is not None:
            return found
        number = await self._wish(view, {"name": name, "override": override, "why": why, "by": door})
        return await self._wait(view.run_id, number, WAIT_SECONDS if patience is None else patience)

    async def _check_model(self, view: RunView) -> None:
        if not view.ended:
            raise RunError(
                f"run {view.run_id!r} is {view.status}: it is not done yet",
                code="run.alive",
                field="run",
                fix=f"neuroloom watch {view.run_id}",
            )
        artifacts = await self.memory.get(view.run_id, "artifacts")
        if view.status not in DEPLOYABLE or artifacts is None:
            raise RunError(
                f"run {view.run_id!r} is {view.status}: it has no tested model",
                code="run.no_model",
                field="run",
                fix=f"neuroloom resume {view.run_id}",
            )
        root = Path(view.workspace)
        needed = [root / "attempts" / str(artifacts.value["attempt"]) / one for one in FILES]
        gone = [path for path in (*needed, root / "tests" / "validation_rows.json") if not path.is_file()]
        if gone:
            raise RunError(
                f"the tested model of run {view.run_id!r} is gone: there is no {str(gone[0])!r}",
                code="run.no_model",
                field="run",
                fix=f"start anew with its recipe: neuroloom run DATA --from {view.run_id}",
            )

    async def _of_run(self, view: RunView, name: str | None) -> DeploymentView | None:
        """The deployment that a deployed run has already, started again if it does not serve; None when it has none."""
        if view.status != "deployed" or view.deployment is None:
            return None
        wanted = name or view.deployment.name
        found = next((one for one in await self.list() if one.name == wanted), None)
        if found is None or found.run_id != view.run_id:
            return None
        return found if found.status == "serving" else _view(await (await self._supervisor()).start(wanted))

    async def _wish(self, view: RunView, wanted: dict[str, Any]) -> int:
        """Write down what is wanted and how the run stands without it, and wake the run; the wish's number.

        Raises:
            MemoryConflict: the run, or another wish for it, was quicker.
        """
        run, seen = view.run_id, await self.memory.get(view.run_id, "state")
        if seen is None or seen.value["state"] != view.status:
            raise MemoryConflict(f"run {run!r} is no longer {view.status}", fix=f"neuroloom show {run}")
        before = await self.memory.get(run, WISH)
        number = 1 + (before.value["number"] if before else 0)
        earlier = {key: seen.value.get(key) for key in EARLIER}
        wish = {**wanted, "number": number, "at": now(), "begun": False, "outcome": None}
        wish["earlier"] = earlier
        written = await self.memory.put(run, WISH, wish, by=wanted["by"], expected=before.version if before else 0)
        try:
            await self.runs.wake(run, seen, {"error": None})
        except MemoryConflict as error:
            closed = {**wish, "outcome": {"verdict": view.status, "error": error.as_dict()}}
            with suppress(MemoryConflict):
                await self.memory.put(run, WISH, closed, by="cli", expected=written.version)
            raise
        return number

    async def _wait(self, run: str, number: int, patience: float) -> DeploymentView:
        deadline = time.monotonic() + patience
        view = await self.runs.get(run)
        while not view.ended:
            if time.monotonic() > deadline:
                raise await self._slow(run, number, patience)
            await asyncio.sleep(PAUSE_SECONDS)
            view = await self.runs.get(run)
        wish = await self.memory.get(run, WISH)
        outcome = wish.value["outcome"] if wish and wish.value["number"] == number else None
        error = outcome["error"] if outcome else view.error.model_dump() if view.error else None
        if error is not None or outcome is None or view.deployment is None:
            raise _error(error or {"code": "deploy.undone", "message": f"run {run!r} is {view.status}"})
        return view.deployment

    async def _slow(self, run: str, number: int, patience: float) -> DeployError:
        """Withdraw a wish that no runner has begun, so that the run is again what it was; what to tell the person."""
        told = DeployError(
            f"no runner took the deployment of run {run!r} for {patience:g} s: it is withdrawn",
            code="deploy.slow",
            fix=f"neuroloom doctor; then neuroloom deploy {run}",
        )
        goes_on = DeployError(
            f"the deployment of run {run!r} takes longer than {patience:g} s and goes on",
            code="deploy.slow",
            fix=f"neuroloom show {run}",
        )
        wish, state = await self.memory.get(run, WISH), await self.memory.get(run, "state")
        if wish is None or state is None or wish.value["number"] != number or wish.value["begun"]:
            return goes_on
        outcome = {"verdict": wish.value["earlier"]["state"], "error": told.as_dict()}
        try:
            closed = {**wish.value, "outcome": outcome}
            await self.memory.put(run, WISH, closed, by="cli", expected=wish.version)
        except MemoryConflict:
            return goes_on
        if state.value["state"] == "queued":
            again = {**state.value, **wish.value["earlier"], "updated_at": now()}
            with suppress(MemoryConflict):  # a runner has it by now, and ends it as the wish says
                await self.memory.put(run, "state", again, by="cli", expected=state.version)
        return told

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


def _error(told: dict[str, Any]) -> NeuroloomError:
    """The error of a wish as its door raises it: a gate's refusal is one, everything else is a failed deployment."""
    kind = GateRejected if told["code"].startswith("gate.") else DeployError
    return kind(told["message"], code=told["code"], field=told.get("field"), fix=told.get("fix"))
