"""Services in memory that act out a scenario and note every call, in a file too, so that a CLI process can use them."""

# ruff: noqa: ARG002 - a fake takes what the real one takes
from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.services import Services
from app.settings import load
from memory.errors import GateRejected, InputError, RedisAway
from memory.measurement import Measurement, Provenance
from phases.privacy.privacy import Privacy
from phases.request import RunRequest
from phases.services.datasets import Datasets
from phases.steering import SteerOrder, words
from phases.views import (
    CheckView,
    DeploymentView,
    ErrorView,
    ImportanceView,
    ModelView,
    PhaseView,
    QuestionView,
    RunView,
)

RUN = "r-20261121-094501-k3f9"
PHASES = ("setup", "configure", "train", "validate", "deploy")
ROW = {"island": "Dream's end", "bill_length_mm": 39.1, "sex": None}


def measured(value: float, unit: str = "fraction", interval: tuple[float, float] | None = None) -> Measurement:
    provenance = Provenance(
        run=RUN, job="test", dataset_sha256="ab" * 32, code_version="src-1", device="cpu", seed=0, load=0.5,
        at="2026-11-21T09:45:01+00:00", split="test", rows=100,
    )  # fmt: skip
    return Measurement(value=value, unit=unit, provenance=provenance, interval=interval)


def deployment() -> DeploymentView:
    return DeploymentView(
        name="penguins", url="http://127.0.0.1:8123", pid=4711, example_request=ROW, run_id=RUN, version="1.0.0"
    )


def a_run(status: str, **changes: Any) -> RunView:
    ended_well = status in {"deployed", "finished", "rejected"}
    verdict = status != "rejected"
    gate = (
        CheckView(name="accuracy", measured=measured(0.91), comparison=">=", threshold=0.9, passed=verdict),
        CheckView(name="latency", measured=measured(31.0, "ms"), comparison="<=", threshold=20.0, passed=False,
                  blocking=False),
    )  # fmt: skip
    phases = []
    for name in PHASES:
        seconds, checks = (1.0, gate if name == "validate" else ()) if ended_well else (None, ())
        phases.append(PhaseView(name=name, status="passed" if ended_well else "pending", seconds=seconds, gate=checks))
    fields: dict[str, Any] = {
        "run_id": RUN, "status": status, "phases": tuple(phases), "workspace": f"/somewhere/neural/{RUN}",
        "created_at": "2026-11-21T09:45:01+00:00", "data": "/somewhere/penguins.csv", "target": "species",
        "metric": "accuracy",
    }  # fmt: skip
    if ended_well:
        fields |= {
            "metrics": {"accuracy": measured(0.91, interval=(0.88, 0.94)), "latency_p95_ms": measured(3.25, "ms")},
            "baselines": {"majority": {"accuracy": measured(0.44)}, "trees": {"accuracy": measured(0.95)}},
            "importance": tuple(ImportanceView(column=f"column {i}", drop=measured(i / 100)) for i in range(8)),
            "model": ModelView(name="penguins", version="1.0.0", path="/m/model.onnx", sha256="cd" * 32),
            "report": "/somewhere/report.html",
        }
    if status == "deployed":
        fields["deployment"] = deployment()
    return RunView(**{**fields, **changes})


QUESTIONS = {
    "target": QuestionView(id="q1", kind="target", text="Which column shall be predicted?", proposal="species",
                           reason="it is the last column and has three classes", choices=("species", "island")),
    "budget": QuestionView(id="q3", kind="budget", text="60 epochs take about 9 min, and there are 2 min.",
                           proposal="cut", choices=("cut", "continue", "cancel")),
    "approval": QuestionView(id="q2", kind="deploy", text="Deploy 'penguins' on this machine?", proposal="yes"),
}  # fmt: skip
OUTCOMES = {
    "deployed": a_run("deployed"),
    "finished": a_run("finished"),
    "rejected": a_run("rejected", error=ErrorView(code="gate.rejected", message="accuracy 0.91 is below 0.95")),
    "failed": a_run("failed", error=ErrorView(code="job.memory", message="the train job ran out of memory")),
    "bad input": a_run(
        "failed", error=ErrorView(code="input.ragged", message="line 3 has 4 fields, not 5", field="data")
    ),
    "target": a_run("waiting", question=QUESTIONS["target"]),
    "budget": a_run("waiting", question=QUESTIONS["budget"]),
    "approval": a_run("waiting", question=QUESTIONS["approval"]),
    "endless": a_run("running"),
    "stubborn": a_run("running"),
    "away": a_run("deployed"),
}


def story() -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [
        {"type": "phase_started", "phase": "configure", "attempt": 1},
        {"type": "decision", "key": "task-plan", "decision": "TaskPlan", "agent": "ml-developer",
         "reason": "species has three classes: a multiclass task \x1b[31m"},
        {"type": "phase_finished", "phase": "configure", "attempt": 1, "status": "passed", "seconds": 1.5},
        {"type": "phase_started", "phase": "train", "attempt": 1},
        {"type": "job_started", "job": "train-1", "kind": "train"},
    ]  # fmt: skip
    for epoch in range(1, 6):
        events.append({
            "type": "epoch", "epoch": epoch, "epochs": 5, "train_loss": 1 / epoch,
            "validation_loss": 1.1 / epoch,
            "metric": {"name": "accuracy", "value": 0.5 + epoch / 20}, "seconds_left": 5.0 - epoch,
            "rows_per_second": 9e4,
        })  # fmt: skip
    return [
        *events,
        {"type": "early_stop", "epoch": 5, "best_epoch": 4},
        {"type": "phase_finished", "phase": "train", "attempt": 1, "status": "passed", "seconds": 12.0},
        {"type": "unheard of", "what": 1},
    ]


@dataclass
class FakeRuns:
    scenario: str = "deployed"
    log: Path | None = None
    calls: list[tuple[str, Any]] = field(default_factory=list)
    away_left: int = 2
    answered: bool = False

    def note(self, name: str, *what: Any) -> None:
        self.calls.append((name, what))
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, what], default=str) + "\n")

    def view(self) -> RunView:
        return OUTCOMES["deployed"] if self.answered else OUTCOMES[self.scenario]

    async def start(self, request: RunRequest, once: str | None = None) -> RunView:
        request.check()
        self.note("start", request.model_dump(mode="json"))
        return a_run("queued", queue_position=0)

    async def get(self, run: str, *, here: bool = False) -> RunView:
        if run != "latest" and not RUN.startswith(run):
            raise InputError(f"no run {run!r}", code="input.no_such_run", field="run", fix="list them: neuroloom runs")
        return self.view()

    async def list(self, limit: int = 20, offset: int = 0, status: str | None = None) -> Sequence[RunView]:
        self.note("list", limit, offset, status)
        return [self.view()][offset : offset + limit]

    async def newest_event(self, run: str) -> tuple[str, str | None]:
        return run, str(len(story()))

    async def events(self, run: str, after: str = "0", block_ms: int = 0) -> Sequence[tuple[str, dict[str, Any]]]:
        if self.scenario == "away" and self.away_left:
            self.away_left -= 1
            raise RedisAway("Redis does not answer", fix="start it")
        if self.log is not None:
            self.log.with_suffix(".following").touch()
        numbered = [(str(i + 1), event) for i, event in enumerate(story())]
        fresh = numbered[int(after) :]
        if not fresh:
            await asyncio.sleep(block_ms / 1000)
        return fresh

    async def logs(self, run: str) -> Sequence[tuple[str, str]]:
        return [("snapshot", "read 344 rows\n"), ("train-1", "epoch 1\n")]

    async def cancel(self, run: str, at_once: bool = False) -> RunView:
        self.note("cancel", run, at_once)
        if self.scenario != "stubborn":
            OUTCOMES[self.scenario] = a_run("cancelled", error=ErrorView(code="run.cancelled", message="cancelled"))
        return self.view()

    async def resume(self, run: str) -> RunView:
        self.note("resume", run)
        return a_run("queued")

    async def answer(self, run: str, question: str, answer: dict[str, Any], door: str) -> RunView:
        self.note("answer", run, question, answer, door)
        self.answered = True
        return a_run("queued")

    async def remove(self, run: str) -> None:
        self.note("remove", run)

    async def report_path(self, run: str) -> Path:
        return Path("/somewhere/report.html")


@dataclass
class FakeDeployments:
    runs: FakeRuns

    async def list(self) -> Sequence[DeploymentView]:
        return [deployment()]

    async def get(self, name: str) -> DeploymentView:
        if name != "penguins":
            raise InputError(f"no deployment {name!r}; did you mean 'penguins'?", code="input.no_such_deployment")
        return deployment()

    async def deploy(
        self, run: str, name: str | None = None, override: bool = False, why: str | None = None, *,
        door: str = "cli", patience: float | None = None,
    ) -> DeploymentView:  # fmt: skip
        self.runs.note("deploy", run, name, override, why)
        if self.runs.scenario == "rejected" and not override:
            raise GateRejected(f"run {run!r} was rejected by a gate", fix="--override")
        return deployment()

    async def rollback(self, name: str) -> DeploymentView:
        self.runs.note("rollback", name)
        return await self.get(name)

    async def undeploy(self, name: str) -> None:
        self.runs.note("undeploy", name)

    async def logs(self, name: str) -> str:
        return "GET /health 200\n"


@dataclass
class FakeModels:
    runs: FakeRuns

    async def list(self, limit: int = 20, offset: int = 0) -> Sequence[dict[str, Any]]:
        self.runs.note("models", limit, offset)
        row = {"name": "penguins", "version": "1.0.0", "run_id": RUN, "status": "deployed", "metric": "accuracy",
               "value": measured(0.91, interval=(0.88, 0.94)).model_dump(mode="json"), "path": "/m/model.onnx",
               "sha256": "cd" * 32, "bytes": 20480, "created": "2026-11-21T09:45:01+00:00"}  # fmt: skip
        rows = [{**row, "deployments": ["penguins"]}, {**row, "bytes": None, "value": None, "deployments": []}]
        return rows[offset : offset + limit]

    async def predict(self, target: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        self.runs.note("predict", target, list(rows))
        share = {"Adelie": 0.9, "Gentoo": 0.1}
        return {
            "predictions": [{"label": "Adelie", "probabilities": share} for _ in rows],
            "model": {"name": "penguins", "version": "1.0.0"},
            "latency_ms": 0.4,
        }

    async def predict_file(self, target: str, source: Path, out: Path) -> dict[str, Any]:
        self.runs.note("predict_file", target, source, out)
        return {"rows": 3, "out": str(out), "columns": ["model_prediction", "p(Adelie)"]}

    async def retrain(
        self, name: str, data: str, *, workspace: str, door: str = "cli", once: str | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> RunView:  # fmt: skip
        self.runs.note("retrain", name, data, workspace, dict(changes or {}), door)
        return a_run("queued")


@dataclass
class FakeNotes:
    runs: FakeRuns

    async def get(self, run: str, key: str, envelope: bool = False) -> Any:
        if key != "architecture":
            raise InputError(f"run {run!r} has no key {key!r}", code="input.no_such_key", field="key")
        return {"value": {"width": 64}, "version": 1} if envelope else {"width": 64}

    async def set(self, key: str, value: Any, *, run: str | None = None, by: str = "cli") -> str:
        self.runs.note("set", key, value, run, by)
        return f"neural/{RUN}/asserted/{key}"

    async def list(self, run: str) -> Sequence[str]:
        return ["architecture", "dataset"]


class FakeGuard:
    """Knows no run's table."""

    def plain(self, *said: str) -> Privacy:
        return Privacy("aggregates", said=said)

    async def of(self, run: str, *said: str) -> Privacy:
        return Privacy("aggregates", said=said)


@dataclass
class FakeSteering:
    runs: FakeRuns

    async def steer(self, run: str, order: SteerOrder, door: str) -> dict[str, Any]:
        self.runs.note("steer", run, order.changes, order.note, door)
        return {"run_id": RUN, "order": {"id": "o1", **order.changes}, "job": "train-1", "told": words(order.changes)}


@dataclass
class FakeComparison:
    runs: FakeRuns

    async def compare(self, runs: Sequence[str]) -> dict[str, Any]:
        self.runs.note("compare", list(runs))
        value = measured(0.91, interval=(0.88, 0.94)).model_dump(mode="json")
        row = {"run_id": RUN, "status": "finished", "target": "species", "metric": "accuracy", "epochs": 31,
               "metrics": {"accuracy": value}, "baselines": {"trees": value}, "parameters": None,
               "run_seconds": 12.0}  # fmt: skip
        other = {**row, "run_id": runs[-1], "metric": None, "epochs": None}
        alike = {"comparable": len(runs) == 2, "why_not": [f"not the same seed (0: {RUN}; 1: {runs[-1]})"]}
        best = {"run_id": RUN, "told": f"{RUN} is best by accuracy"} if alike["comparable"] else None
        rates = {"training.rate": [0.001, None], "data.columns": [["a", "b"], ["a"]]}
        return {"runs": [row, other], "differences": rates, **alike, "metric": "accuracy", "best": best}


@dataclass
class FakeFigures:
    runs: FakeRuns

    async def list(self, run: str) -> Sequence[dict[str, Any]]:
        return [{"name": "loss", "title": "Loss", "alt": "It falls.", "svg": "/r/loss.svg", "png": "/r/loss.png"}]


@dataclass
class FakeServices:
    runs: FakeRuns
    deployments: FakeDeployments
    models: FakeModels
    steering: FakeSteering
    comparison: FakeComparison
    figures: FakeFigures
    notes: FakeNotes
    datasets: Datasets
    guard: FakeGuard


def services(runs: FakeRuns) -> Services:
    """Fakes, and the real datasets service of the current folder, which needs no memory."""
    found = load()
    datasets = Datasets(Path.cwd(), found.runner, found.dataset, found.privacy)
    parts = FakeDeployments(runs), FakeModels(runs), FakeSteering(runs), FakeComparison(runs), FakeFigures(runs)
    return FakeServices(runs, *parts, FakeNotes(runs), datasets, FakeGuard())


def main() -> int:
    """The whole CLI as a process of its own, on these services: `SCENARIO` and `CALLS` say what and where."""
    from app import cli, wiring

    runs = FakeRuns(os.environ["SCENARIO"], Path(os.environ["CALLS"]))

    @asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Services]:
        yield services(runs)

    wiring.open_services = opened  # type: ignore[assignment]
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
