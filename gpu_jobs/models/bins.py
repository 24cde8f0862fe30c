"""Where the piecewise-linear number embedding puts its bin edges: from the training rows alone.

It computes edges; the embedding itself is in `network.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAMPLE_ROWS = 200_000
"""Rows looked at on larger tables; quantiles of so many rows are exact enough."""


@dataclass(frozen=True)
class Bins:
    """Edges of F coded columns with at most T bins each.

    Attributes:
        columns: positions of the coded columns in `numbers`, int64 (F,).
        left: left edge of each bin, rising, float32 (F, T); unused bins repeat the last edge.
        inverse: 1 / width of each bin, float32 (F, T); 0 marks an unused bin.
    """

    columns: npt.NDArray[np.int64]
    left: npt.NDArray[np.float32]
    inverse: npt.NDArray[np.float32]


def compute_bins(numbers: npt.NDArray[np.float32], bins: int) -> Bins:
    """Edges for every column of `numbers` (n, d) that takes more than two values.

    Half of the edges are quantiles of the rows and half are quantiles of the *distinct* values: a column that
    is mostly zero would otherwise get a single bin. Columns of one or two values stay as they are.
    Deterministic: large tables are thinned by a fixed stride.
    """
    rows = numbers[:: max(1, len(numbers) // SAMPLE_ROWS)]
    columns, lefts, inverses = [], [], []
    for position in range(rows.shape[1]):
        edges = _edges(rows[:, position].astype(np.float64), bins)
        if len(edges) < 3:
            continue
        left, inverse = np.full(bins, edges[-1], np.float32), np.zeros(bins, np.float32)
        left[: len(edges) - 1] = edges[:-1]
        inverse[: len(edges) - 1] = 1.0 / np.diff(edges)
        columns.append(position)
        lefts.append(left)
        inverses.append(inverse)
    used = max((int((inverse > 0).sum()) for inverse in inverses), default=1)
    shape = (len(columns), used)
    return Bins(
        np.asarray(columns, np.int64),
        np.asarray([left[:used] for left in lefts], np.float32).reshape(shape),
        np.asarray([inverse[:used] for inverse in inverses], np.float32).reshape(shape),
    )


def _edges(column: npt.NDArray[np.float64], bins: int) -> npt.NDArray[np.float64]:
    """At most `bins` + 1 rising edges; fewer than three when the column has at most two values."""
    distinct = np.unique(column)
    if len(distinct) <= 2:
        return distinct
    if len(distinct) <= bins:
        edges = distinct
    else:
        steps = np.linspace(0.0, 1.0, bins // 2 + 1)
        edges = np.unique(np.r_[np.quantile(column, steps), np.quantile(distinct, steps)])[: bins + 1]
    close = np.r_[True, np.diff(edges) > 1e-5]
    return np.asarray(edges[close])
