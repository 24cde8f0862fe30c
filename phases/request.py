"""What a person asks of a run, as one frozen value that every door builds. It starts nothing and reads no data."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents import metrics
from memory.errors import InputError, UsageError
from phases.settings import Terms

Task = Literal["binary", "multiclass", "regression"]
Gates = Literal["default", "reference"]
Backend = Literal["local", "ssh"]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
SOURCE_PARTS = ("agents", "app", "gpu_jobs", "memory", "phases", "templates")


@cache
def code_version() -> str:
    """Version of the code that runs here: a hash of its sources, so that an edited checkout has another one."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for part in SOURCE_PARTS:
        for path in sorted((root / part).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return f"src-{digest.hexdigest()[:12]}"


class RunSettings(BaseModel):
    """Defaults of a run that a configuration file or the environment may change; a flag beats both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gates: Gates = "default"
    budget_seconds: Seconds | None = None
    epochs: Count | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    backend: Backend = "local"
    workers: Count = 1
    gpus: Annotated[int, Field(ge=0)] = 0


class Requirement(BaseModel):
    """A threshold that the person stated, such as accuracy >= 0.9; its check blocks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    comparison: Literal[">=", "<="]
    value: Annotated[float, Field(allow_inf_nan=False)]

    @classmethod
    def stated(cls, key: str, value: object, *, task: str | None = None) -> Requirement:
        """The requirement behind `min_accuracy` and 0.9.

        Raises:
            UsageError: the metric is unknown, its direction wrong, or the threshold out of its range.
        """
        found = metrics.requirement(key, value, task=task)
        comparison: Literal[">=", "<="] = ">=" if found.comparison == ">=" else "<="
        return cls(metric=found.metric, comparison=comparison, value=found.threshold)


class RunRequest(BaseModel):
    """One goal over one dataset, as asked: the flags of `neuroloom run`.

    Attributes:
        data: Absolute path of the table.
        requirements: Stated thresholds; each is a blocking check of the validate gate.
        from_run: Id of an earlier run whose recorded decisions (its recipe) are used again.
        wait_for_target: Whether somebody may still name a target (a terminal, or a detached run); when not, a
            missing target ends the run with the proposal as its error.
        door: Where the request came from: `cli`, later others.
        workspace: Absolute path of the folder that the person works in; its `neural/` holds the run.
        code_version: Version of Neuroloom that made the request; part of every provenance.
        retrain: `{"name", "run", …}` of the deployment whose champion this run challenges, or None.
        terms: Policy and job limits of the door that started (or resumed) the run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    target: str | None = None
    goal: str | None = None
    name: str | None = Field(default=None, pattern=NAME)
    task: Task | None = None
    metric: str | None = None
    positive: str | None = None
    drop: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    validation: str | None = None
    test: str | None = None
    missing: tuple[str, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    gates: Gates = "default"
    budget_seconds: Seconds | None = None
    epochs: Count | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    backend: Backend = "local"
    workers: Count = 1
    gpus: Annotated[int, Field(ge=0)] = 0
    from_run: str | None = None
    deploy: bool = True
    yes: bool = False
    wait_for_target: bool = False
    door: str = "cli"
    workspace: str
    code_version: str = Field(default_factory=code_version)
    retrain: dict[str, Any] | None = None
    terms: Terms = Terms()

    def check(self) -> None:
        """Refuse at the door what no look into the data is needed for; `Runs.start` calls it before it enqueues.

        Raises:
            UsageError: flags that contradict each other, an unknown metric, a threshold that does not fit the task.
            InputError: a file that is not there or is a folder, a workspace that cannot be written.
        """
        _check_columns(self)
        check_deployment_name(self.name)
        if self.metric is not None:
            metrics.named(self.metric, task=self.task)
        for stated in self.requirements:
            side = "min" if stated.comparison == ">=" else "max"
            metrics.requirement(f"{side}_{stated.metric}", stated.value, task=self.task)
        for role, path in (("data", self.data), ("validation", self.validation), ("test", self.test)):
            if path is not None:
                check_file(role, Path(path))
        _check_workspace(Path(self.workspace))


def check_deployment_name(name: str | None) -> None:
    """Refuse what cannot be told apart from a run, or cannot be a name at all.

    Raises:
        InputError: it cannot be the name of a deployment.
    """
    if name is not None and (name == "latest" or not re.fullmatch(NAME, name)):
        raise InputError(
            f"{name!r} cannot be the name of a deployment" + (": it means the newest run" if name == "latest" else ""),
            code="input.name",
            field="name",
            fix="use at most 63 lower-case letters, digits and hyphens, with a letter or digit at both ends",
        )


def _check_columns(request: RunRequest) -> None:
    for flag in ("target", "group", "time"):
        if (named := getattr(request, flag)) is not None and not named.strip():
            raise UsageError(
                f"--{flag} names nothing", code="usage.value", field=flag, fix=f"name a column, or leave --{flag} out"
            )
    both = sorted(set(request.drop) & set(request.features))
    if both:
        raise UsageError(
            f"column {both[0]!r} is both in --drop and in --features",
            code="usage.contradiction",
            field="drop",
            fix="name it in one of the two",
        )
    if request.target is not None and request.target in request.drop:
        raise UsageError(
            f"the target {request.target!r} is also in --drop",
            code="usage.contradiction",
            field="drop",
            fix=f"leave {request.target!r} out of --drop; a target is never a feature",
        )
    if request.target is not None and request.target in request.features:
        raise UsageError(
            f"the target {request.target!r} is also in --features",
            code="usage.contradiction",
            field="features",
            fix=f"leave {request.target!r} out of --features; a target is never a feature",
        )


def check_file(role: str, path: Path) -> None:
    """Refuse what is no regular file that can be read.

    Raises:
        InputError: `input.missing_file`, `input.directory`, `input.not_a_file` or `input.unreadable`.
    """
    if not path.exists():
        near = metrics.nearest(path.name, _neighbours(path))
        raise InputError(
            f"no file {str(path)!r}{near}",
            code="input.missing_file",
            field=role,
            fix="give the path of a CSV, TSV, JSONL or Parquet file (each also .gz)",
        )
    if path.is_dir():
        raise InputError(
            f"{str(path)!r} is a folder, not a table",
            code="input.directory",
            field=role,
            fix="give the path of one CSV, TSV, JSONL or Parquet file in it",
        )
    if not path.is_file():
        raise InputError(
            f"{str(path)!r} is a pipe or a device, not a regular file: a run reads its data more than once",
            code="input.not_a_file",
            field=role,
            fix="write it to a file first and give that one",
        )
    if not os.access(path, os.R_OK):
        raise InputError(
            f"{str(path)!r} cannot be read: permission denied",
            code="input.unreadable",
            field=role,
            fix=f"chmod u+r {path}",
        )


def _neighbours(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return []


def _check_workspace(folder: Path) -> None:
    runs = folder / "neural"
    place, latest = runs if runs.exists() else folder, runs / "latest"
    if latest.exists() and not latest.is_symlink():
        raise InputError(
            f"{str(latest)!r} is in the way: a run makes a link of that name, and there is no link of ours",
            code="input.workspace",
            field="workspace",
            fix=f"give it another name: mv {latest} {runs / 'latest-of-mine'}",
        )
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return
    raise InputError(
        f"the workspace {str(folder)!r} cannot be written: a run keeps its files in {str(runs)!r}",
        code="input.workspace",
        field="workspace",
        fix="run in a folder of your own, or change its permissions",
    )
