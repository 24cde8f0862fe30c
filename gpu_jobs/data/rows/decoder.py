"""Outputs of the exported network to answers: labels with probabilities, or values with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .interval import Interval


class Decoder:
    """Built from preprocessing: ``labels`` (classes) or ``interval`` (regression, see `Interval`)."""

    def __init__(self, preprocessing: Mapping[str, Any]) -> None:
        labels = preprocessing.get("labels")
        self.labels: list[str] | None = None if labels is None else [str(label) for label in labels]
        self.interval = Interval.of(preprocessing)

    def decode(self, outputs: Mapping[str, ArrayLike] | ArrayLike) -> list[dict[str, Any]]:
        """Answers for n rows of ``probabilities`` (n, classes) or ``value`` (n,), named or the bare array."""
        if isinstance(outputs, Mapping):
            outputs = outputs["value" if self.labels is None else "probabilities"]
        array = np.asarray(outputs)
        if self.labels is not None:
            return self._classes(array.tolist(), self.labels)
        return self._values(array.reshape(-1).tolist())

    def _classes(self, rows: list[list[float]], labels: list[str]) -> list[dict[str, Any]]:
        return [
            {"label": labels[row.index(max(row))], "probabilities": dict(zip(labels, row, strict=True))} for row in rows
        ]

    def _values(self, values: list[float]) -> list[dict[str, Any]]:
        if self.interval is None:
            return [{"value": value} for value in values]
        return [{"value": value, "interval": list(self.interval.ends(value))} for value in values]
