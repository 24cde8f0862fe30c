"""Encoded inputs as a linear model's design matrix: standardised numbers, one-hot categories. It fits no model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .inputs import Inputs, row_count

_MOST_DENSE = 400  # one-hot columns; above that the matrix is sparse


class Design:
    """A design matrix fitted on training rows: means, deviations and levels are theirs alone.

    Calling it gives float64 (n, columns), dense, or a CSR matrix when there are more than 400 one-hot columns. A level
    that the training rows do not have gives zeros.
    """

    def __init__(self, train: Inputs) -> None:
        numbers = train.get("numbers")
        self._mean, self._deviation = np.zeros(0), np.ones(0)
        if numbers is not None:
            values = numbers.astype(np.float64)
            self._mean, deviation = values.mean(axis=0), values.std(axis=0)
            self._deviation = np.where(deviation > 1e-12, deviation, 1.0)
        categories = train.get("categories")
        self._levels = [] if categories is None else [np.unique(column) for column in categories.T]
        self._starts = np.concatenate([[0], np.cumsum([len(levels) for levels in self._levels])]).astype(int)

    def __call__(self, inputs: Inputs) -> Any:
        """The design matrix of the rows."""
        parts = []
        if len(self._mean):
            parts.append((inputs["numbers"].astype(np.float64) - self._mean) / self._deviation)
        width = int(self._starts[-1])
        if not width:
            return parts[0]
        rows, columns = self._hot(inputs)
        if width > _MOST_DENSE:
            return _sparse(parts, rows, columns, (row_count(inputs), width))
        one_hot = np.zeros((row_count(inputs), width))
        one_hot[rows, columns] = 1.0
        return np.hstack([*parts, one_hot])

    def _hot(self, inputs: Inputs) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Row and column of every one of the one-hot part."""
        rows, columns = [], []
        for start, levels, codes in zip(self._starts, self._levels, inputs["categories"].T, strict=False):
            place = np.minimum(np.searchsorted(levels, codes), len(levels) - 1)
            known = np.flatnonzero(levels[place] == codes)
            rows.append(known)
            columns.append(start + place[known])
        return np.concatenate(rows), np.concatenate(columns)


def _sparse(
    parts: list[npt.NDArray[np.float64]],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    shape: tuple[int, int],
) -> Any:
    from scipy import sparse

    one_hot = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    return sparse.hstack([*(sparse.csr_matrix(part) for part in parts), one_hot], format="csr")
