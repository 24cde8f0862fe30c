"""The latency figure, read back: labels of its axis have room beside each other, wherever the requests fell."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.evaluation.plots.comparison import latency_plot
from gpu_jobs.tasks.benchmark import EDGES_MS

LETTER = 6.4  # points, of the widest digit at the size of a tick label


def _benchmark(filled: range) -> dict[str, Any]:
    counts = [10 if i in filled else 0 for i in range(len(EDGES_MS) + 1)]
    median = {"value": EDGES_MS[min(filled[0], len(EDGES_MS) - 1)]}
    return {"histogram": {"edges_ms": list(EDGES_MS), "counts": counts}, "latency_p50_ms": median}


@pytest.mark.parametrize(
    "filled", [range(len(EDGES_MS)), range(3, 12), range(5, 6), range(1), range(len(EDGES_MS), len(EDGES_MS) + 1)]
)
def test_labels_of_the_time_axis_do_not_touch(tmp_path: Path, filled: range) -> None:
    latency_plot(tmp_path, _benchmark(filled))
    texts = re.findall(
        r'<text [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]+)</text>', (tmp_path / "latency.svg").read_text()
    )
    rows: dict[str, list[tuple[float, str]]] = {}
    for x, y, text in texts:
        rows.setdefault(y, []).append((float(x), text))
    labels = sorted(next(row for row in rows.values() if all(re.fullmatch(r"[\d.]+", text) for _, text in row)))
    assert labels
    for (left, one), (right, other) in pairwise(labels):
        assert right - left > LETTER * (len(one) + len(other)) / 2, (one, other)
