"""Curves and plots draw what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from gpu_jobs.evaluation.curves import MOST_DOTS, MOST_POINTS, dots, histogram, precision_recall, roc
from gpu_jobs.evaluation.plots.canvas import sheet, short


def scored(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    positive = rng.random(rows) < 0.3
    return positive, (rng.normal(size=rows) + positive).round(1)


def test_the_area_under_the_drawn_roc_is_the_auc() -> None:
    positive, score = scored(400)
    curve = np.array(roc(positive, score))
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [1, 1]
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(sk.roc_auc_score(positive, score))


def test_precision_and_recall_equal_scikit_learn() -> None:
    positive, score = scored(300)
    precision, recall, _ = sk.precision_recall_curve(positive, score)
    expected = set(zip(recall.round(9), precision.round(9), strict=True))
    found = {(round(a, 9), round(b, 9)) for a, b in precision_recall(positive, score)[1:]}
    assert found <= expected


def test_long_curves_and_clouds_are_thinned_but_keep_their_ends() -> None:
    rng = np.random.default_rng(1)
    curve = roc(rng.random(20_000) < 0.5, rng.random(20_000))
    assert len(curve) <= MOST_POINTS
    assert curve[0] == [0, 0]
    assert curve[-1] == [1, 1]
    assert len(dots(rng.random(5000), rng.random(5000))) == MOST_DOTS


def test_a_histogram_holds_every_row_even_when_all_are_equal() -> None:
    assert sum(histogram(np.random.default_rng(0).normal(size=500))["counts"]) == 500
    assert sum(histogram(np.full(9, 2.0))["counts"]) == 9


def test_the_same_figure_is_written_as_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with sheet(tmp_path / name, "line", "A title & more") as (page, _):
            page.axes.plot([1, 2, 3], [1, 4, 9], label="curve")
            page.axes.legend()
    one, other = ((tmp_path / name / "line.svg").read_text() for name in ("a", "b"))
    assert one == other
    assert len({(tmp_path / name / "line.png").read_bytes() for name in ("a", "b")}) == 1
    assert one.startswith("<svg")
    assert "<title>A title &amp; more</title>" in one
    assert "<metadata" not in one
    assert ">curve</text>" in one  # text stays text


def test_names_with_dollars_are_not_read_as_formulas() -> None:
    assert short("cost $ in $") == r"cost \$ in \$"
    assert short("x" * 40).endswith("…")
