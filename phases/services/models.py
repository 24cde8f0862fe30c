"""The models service: predictions with a run's or a deployment's model, and retraining under a deployment's name."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpu_jobs.dispatch import Jobs
from gpu_jobs.spec import JobSpec
from memory.errors import DeployError, InputError, JobError
from memory.store import Memory
from phases.backends import backend, label
from phases.endpoint import ask
from phases.request import RunRequest
from phases.services.deployments import Deployments
from phases.services.runs import Runs
from phases.settings import RunnerSettings
from phases.views import DeploymentView, RunView


class Models:
    """Predictions and retraining."""

    def __init__(self, memory: Memory, runs: Runs, deployments: Deployments, settings: RunnerSettings) -> None:
        self.memory, self.runs, self.deployments, self.settings = memory, runs, deployments, settings

    async def predict(self, target: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Predictions for rows given as objects; a deployment answers by HTTP, a run by a job in its sandbox.

        Raises:
            InputError: neither a run nor a deployment is called that, or a row does not fit the model.
        """
        served = await self._deployment(target)
        if served is not None and served.url is not None:
            return await ask(served.url, list(rows))
        return await self._job(target, {"rows": list(rows)})

    async def predict_file(self, target: str, source: Path, out: Path) -> dict[str, Any]:
        """Predict every row of a table, read as the training table was; `out` ends .csv, .jsonl or .parquet."""
        served = await self._deployment(target)
        run = served.run_id if served is not None and served.run_id else target
        return await self._job(run, {"source": str(source.resolve()), "out": str(out.resolve())})

    async def retrain(self, name: str, data: str, *, workspace: str, yes: bool = False, door: str = "cli") -> RunView:
        """Start a run with the recipe of the deployed model on new data; swapped only if it beats the champion.

        Raises:
            InputError: there is no deployment of that name.
            DeployError: its run is gone, so there is no recipe.
        """
        champion = await self.deployments.get(name)
        if champion.run_id is None:
            raise DeployError(f"deployment {name!r} does not say which run made it", code="deploy.no_recipe")
        request = await self.memory.get(champion.run_id, "request")
        artifacts = await self.memory.get(champion.run_id, "artifacts")
        dataset = await self.memory.get(champion.run_id, "dataset")
        if request is None or artifacts is None or dataset is None:
            raise DeployError(
                f"run {champion.run_id!r} of deployment {name!r} was removed: its recipe is gone",
                code="deploy.no_recipe",
                fix=f"neuroloom run {data} --name {name}",
            )
        asked = RunRequest.model_validate(request.value)
        folder = str(Path(asked.workspace) / "neural" / champion.run_id)
        retrain = {
            "name": name,
            "run": champion.run_id,
            "folder": folder,
            "attempt": artifacts.value["attempt"],
            "metric": dataset.value["metric"],
        }
        changes = {
            "data": str(Path(data).resolve()),
            "name": name,
            "target": dataset.value["target"],
            "yes": yes,
            "from_run": champion.run_id,
            "workspace": str(Path(workspace).resolve()),
            "door": door,
            "retrain": retrain,
            "deploy": True,
            "validation": None,
            "test": None,
        }
        fresh = RunRequest.model_validate({**asked.model_dump(exclude={"code_version"}), **changes})
        return await self.runs.start(fresh)

    async def _deployment(self, name: str) -> DeploymentView | None:
        return next((found for found in await self.deployments.list() if found.name == name), None)

    async def _job(self, run: str, args: dict[str, Any]) -> dict[str, Any]:
        view = await self.runs.get(run)
        artifacts = await self.memory.get(view.run_id, "artifacts")
        if artifacts is None:
            raise InputError(
                f"run {view.run_id!r} has no tested model: it is {view.status}",
                code="input.no_model",
                field="run",
                fix=f"neuroloom show {view.run_id}",
            )
        place = backend(self.settings, "local")
        sandbox = await place.open(label(self.settings, view.run_id, Path(view.workspace)))
        folder = f"attempts/{artifacts.value['attempt']}"
        spec = JobSpec(
            id=f"predict-{uuid.uuid4().hex[:12]}",
            kind="predict",
            run=view.run_id,
            args={**args, "attempt_folder": folder},
        )
        outcome = await Jobs(sandbox).run(spec)
        if outcome.result is None:
            error = outcome.error or {"code": f"job.{outcome.state}", "message": f"prediction ended {outcome.state}"}
            kind = InputError if str(error["code"]).startswith("input.") else JobError
            raise kind(error["message"], code=error["code"], field=error.get("field"), fix=error.get("fix"))
        name = view.model.name if view.model else view.run_id
        version = view.model.version if view.model else ""
        return {**outcome.result, "model": {"name": name, "version": version}}
