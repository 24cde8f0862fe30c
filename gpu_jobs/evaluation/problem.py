"""What is being predicted: task, labels, positive label and the metric that decides. It holds no data and no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import EvaluationError
from .metrics import metric_names


@dataclass(frozen=True)
class Problem:
    """The question a model answers, as far as measuring its answers needs it.

    Attributes:
        task: "binary", "multiclass" or "regression".
        labels: class labels in the order of the network's outputs; empty for regression.
        positive: index of the positive label in `labels` (binary), else None.
        metric: name of the metric that choices are made by.
    """

    task: str
    labels: tuple[str, ...]
    positive: int | None
    metric: str

    @property
    def classes(self) -> int:
        """Number of classes; 0 for regression."""
        return len(self.labels)

    @property
    def regression(self) -> bool:
        """Whether the answer is a number."""
        return self.task == "regression"

    def named(self, truth: Sequence[Any]) -> list[Any]:
        """True values as people know them: labels for class indices (n,), numbers as they are."""
        return [float(value) if self.regression else self.labels[int(value)] for value in truth]

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> Problem:
        """Read the problem from a DATASET document (configs/dataset.json).

        Raises:
            EvaluationError: `evaluation.metric` when the metric is not one that this task has.
        """
        task = str(dataset["task"])
        labels = tuple(str(label) for label in dataset.get("labels") or ())
        positive = None
        if task == "binary":
            named = dataset.get("positive")
            positive = labels.index(str(named)) if named is not None and str(named) in labels else 1
        metric = str(dataset["metric"])
        known = metric_names(task)
        if metric not in known:
            raise EvaluationError(
                f"the metric {metric!r} does not exist for a {task} task",
                code="evaluation.metric",
                field="metric",
                fix=f"choose one of {', '.join(known)}",
            )
        return cls(task, labels, positive, metric)
