"""Encoded inputs as predictors take them, and which of them belong to which raw column. It encodes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Inputs = Mapping[str, npt.NDArray[np.generic]]
"""What an encoder gives and a network takes: "numbers" float32 (n, d), "categories" int64 (n, k); one may be absent."""

Predict = Callable[[Inputs], npt.NDArray[np.floating]]
"""Class probabilities (n, classes), or numbers (n,) in the target's unit."""


@dataclass(frozen=True)
class Sample:
    """Encoded rows and their truth: class indices int64 (n,), or numbers float64 (n,) in the target's unit.

    Attributes:
        inputs: the encoded rows.
        truth: what is to be predicted.
        rows: the rows' numbers in the snapshot, int64 (n,); empty where they have none.
    """

    inputs: Inputs
    truth: npt.NDArray[np.generic]
    rows: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.truth)

    def part(self, chosen: npt.NDArray[np.int64]) -> Sample:
        """The rows at the given positions."""
        rows = self.rows[chosen] if len(self.rows) else self.rows
        return Sample(take(self.inputs, chosen), self.truth[chosen], rows)


@dataclass(frozen=True)
class Group:
    """The encoded inputs of one raw column: indices into "numbers" and into "categories"."""

    column: str
    kind: str
    numbers: tuple[int, ...]
    categories: tuple[int, ...]


def row_count(inputs: Inputs) -> int:
    """Number of rows the inputs hold."""
    return max((len(array) for array in inputs.values()), default=0)


def take(inputs: Inputs, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.generic]]:
    """The given rows of every input, copied."""
    return {name: array[rows] for name, array in inputs.items()}


def replaced(
    inputs: Inputs, group: Group, source: Inputs, rows: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.generic]]:
    """The inputs with one raw column's values taken from `rows` of `source` (as many as the inputs have rows)."""
    changed = dict(inputs)
    for name, columns in (("numbers", group.numbers), ("categories", group.categories)):
        if columns:
            index = np.array(columns, np.int64)
            array = inputs[name].copy()
            array[:, index] = source[name][np.ix_(rows, index)]
            changed[name] = array
    return changed
