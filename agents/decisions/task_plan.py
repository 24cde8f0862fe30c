"""`TaskPlan`: what is predicted, from which columns, on which split, judged by which metric. It reads no data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.decisions.base import AgentDecision
from agents.metrics import BY_NAME, Requirement

Task = Literal["binary", "multiclass", "regression"]
_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Feature(BaseModel):
    """One input column and how it is read."""

    model_config = _FROZEN

    name: str
    kind: Literal["number", "category", "date", "text"]
    decimal: str | None = None
    date_format: str | None = None


class Dropped(BaseModel):
    """One column that is not an input, and why."""

    model_config = _FROZEN

    name: str
    reason: str
    evidence: dict[str, Any] = Field(default_factory=dict)


class Split(BaseModel):
    """How rows go to train, validation and test.

    Attributes:
        method: `files` when the person brings files for it, then `group`, `time`, `stratified`, `random`.
        fractions: Train, validation and test share. For `files`: of the rows of the main file.
        group: Column whose values never cross a split.
        time: Column by which later rows are held out.
        seed: Seed of the shuffle.
        stratify: Each part drawn by chance gets its share of every value of the target.
        apart: Columns that do not count when rows are compared, besides the target: equal rows stay together.
    """

    model_config = _FROZEN

    method: Literal["stratified", "random", "group", "time", "files"]
    fractions: tuple[float, float, float]
    group: str | None = None
    time: str | None = None
    seed: int = Field(ge=0, lt=2**32)
    stratify: bool = False
    apart: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-9 or not self.fractions[0]:
            raise ValueError(f"split fractions {self.fractions} must be at least 0, train above 0, and sum to 1")
        return self


class TaskPlan(AgentDecision):
    """The plan of the task, by the ml-developer; `dataset` turns it into `configs/dataset.json`.

    Attributes:
        positive: The label of a binary task whose probability is reported first.
        labels: Labels in the order of the network's outputs; a binary task has the positive one last.
        requirements: Thresholds that the person stated.
        class_weights: Whether rare classes weigh more in the loss.
        proposed: The target was not given but proposed here; a person confirms it.
    """

    agent: Literal["ml-developer"] = "ml-developer"
    task: Task
    target: str
    positive: str | None = None
    labels: tuple[str, ...] | None = None
    metric: str
    requirements: tuple[Requirement, ...] = ()
    features: tuple[Feature, ...] = Field(min_length=1)
    dropped: tuple[Dropped, ...] = ()
    split: Split
    target_transform: Literal["none", "log1p"] = "none"
    class_weights: bool = False
    proposed: bool = False
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        metric = BY_NAME.get(self.metric)
        if metric is None or not metric.chooses or self.task not in metric.tasks:
            raise ValueError(f"metric {self.metric!r} cannot steer a {self.task} task")
        if self.target in {feature.name for feature in self.features}:
            raise ValueError(f"target {self.target!r} is among the features")
        if len({feature.name for feature in self.features}) != len(self.features):
            raise ValueError("a feature is listed twice")
        return self._labelled()

    def _labelled(self) -> Self:
        if self.task == "regression":
            if self.labels is not None or self.positive is not None or self.class_weights:
                raise ValueError("a regression has no labels, no positive label and no class weights")
            return self
        labels = self.labels or ()
        if len(set(labels)) != len(labels) or (len(labels) == 2) != (self.task == "binary") or len(labels) < 2:
            raise ValueError(f"labels {labels!r} do not make a {self.task} task")
        if self.task == "binary" and self.positive != labels[1]:
            raise ValueError(f"positive label {self.positive!r} must be the last of {labels!r}")
        if self.target_transform != "none":
            raise ValueError("only a regression transforms its target")
        return self

    def dataset(self, *, name: str, snapshot: Mapping[str, Any], missing: list[str] | None = None) -> dict[str, Any]:
        """The contents of `configs/dataset.json`.

        Args:
            name: Name of the dataset.
            snapshot: Result of the snapshot job (its hash and sources are copied).
            missing: Missing-value markers that the person named.
        """
        body = self.model_dump(
            mode="json",
            include={
                "task",
                "target",
                "positive",
                "labels",
                "metric",
                "features",
                "dropped",
                "split",
                "target_transform",
            },
        )
        return {
            "name": name,
            "sha256": snapshot["sha256"],
            **body,
            "missing": list(missing or []),
            "source": snapshot.get("source", []),
        }
