"""The models service: what models there are, predictions with one, and retraining under a deployment's name."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gpu_jobs.dispatch import Jobs
from gpu_jobs.spec import JobSpec
from memory.errors import DeployError, InputError, JobError
from memory.store import Envelope, Memory
from phases.backends import backend, label
from phases.endpoint import ask
from phases.isolation import carried
from phases.request import RunRequest
from phases.services.deployments import Deployments
from phases.services.runs import Runs
from phases.services.view import build_view
from phases.settings import RunnerSettings
from phases.supervisor import records
from phases.views import DeploymentView, RunView


class Models:
    """Model versions, predictions and retraining."""

    def __init__(self, memory: Memory, runs: Runs, deployments: Deployments, settings: RunnerSettings) -> None:
        self.memory, self.runs, self.deployments, self.settings = memory, runs, deployments, settings

    async def list(self, limit: int = 20, offset: int = 0) -> Sequence[dict[str, Any]]:
        """The workspace's model versions, newest run first: `limit` of them after the first `offset`.

        Returns:
            Rows `{"name", "version", "run_id", "status", "metric", "value", "path", "sha256", "bytes", "created",
            "deployments"}`: `value` is the run's metric as a plain `Measurement`, `path` and `sha256` are the ONNX
            file's, `bytes` is None when that file is gone, `deployments` names what serves this version now.
        """
        rows: list[dict[str, Any]] = []
        served, place = records.load(self.settings.home), 0
        async for run in self.runs.ids():
            if len(rows) == limit:
                break
            if (stored := await self.memory.get(run, "model-view")) is None:
                continue
            if place >= offset:
                rows.append(_row(await build_view(self.memory, run), stored, served))
            place += 1
        return rows

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

    async def retrain(
        self, name: str, data: str, *, workspace: str, door: str = "cli", once: str | None = None,
        changes: Mapping[str, Any] = MappingProxyType({}),
    ) -> RunView:  # fmt: skip
        """Start a run with the recipe of the deployed model on new data; swapped only if it beats the champion.

        Args:
            name: The deployment.
            data: The new table.
            workspace: Where the run is kept.
            door: Where it came from.
            once: The same id never starts a second run.
            changes: Of the request: goal, epochs, budget, seed, requirements, yes; the rest is the deployment's.

        Raises:
            InputError: there is no deployment of that name.
            DeployError: its run is gone, so there is no recipe.
        """
        champion, request, artifacts, dataset = await self._recipe_of(name, data)
        asked = RunRequest.model_validate(request)
        folder = str(Path(asked.workspace) / "neural" / champion)
        retrain = {
            "name": name,
            "run": champion,
            "folder": folder,
            "attempt": artifacts["attempt"],
            "metric": dataset["metric"],
        }
        fixed = {
            "data": str(Path(data).resolve()),
            "name": name,
            "target": dataset["target"],
            "yes": bool(changes.get("yes")),
            "from_run": champion,
            "workspace": str(Path(workspace).resolve()),
            "door": door,
            "retrain": retrain,
            "deploy": True,
            "validation": None,
            "test": None,
        }
        fresh = RunRequest.model_validate({**asked.model_dump(exclude={"code_version"}), **changes, **fixed})
        return await self.runs.start(fresh, once=once)

    async def _recipe_of(self, name: str, data: str) -> tuple[str, Any, dict[str, Any], dict[str, Any]]:
        """The champion's run, and what it recorded: `request`, `artifacts` and `dataset`."""
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
        return champion.run_id, request.value, artifacts.value, dataset.value

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
        named = {"id": f"predict-{uuid.uuid4().hex[:12]}", "kind": "predict", "run": view.run_id}
        async with carried(sandbox.info, {**args, "attempt_folder": folder}) as inside:
            outcome = await Jobs(sandbox).run(JobSpec.model_validate({**named, "args": inside}))
        if outcome.result is None:
            error = outcome.error or {"code": f"job.{outcome.state}", "message": f"prediction ended {outcome.state}"}
            kind = InputError if str(error["code"]).startswith("input.") else JobError
            raise kind(error["message"], code=error["code"], field=error.get("field"), fix=error.get("fix"))
        name = view.model.name if view.model else view.run_id
        version = view.model.version if view.model else ""
        out = {"out": args["out"]} if "out" in args else {}
        return {**outcome.result, **out, "model": {"name": name, "version": version}}


def _row(view: RunView, stored: Envelope, served: Sequence[records.Record]) -> dict[str, Any]:
    """One model version as it is listed."""
    model, path = stored.value, Path(stored.value["path"])
    value = view.metrics.get(view.metric or "")
    by = [one.name for one in served if one.current is not None and one.current.run_id == view.run_id]
    return {
        "name": model["name"],
        "version": model["version"],
        "run_id": view.run_id,
        "status": view.status,
        "metric": view.metric,
        "value": value.model_dump(mode="json") if value else None,
        "path": str(path),
        "sha256": model["sha256"],
        "bytes": path.stat().st_size if path.is_file() else None,
        "created": stored.at,
        "deployments": by,
    }
