"""The one look at the test split: network, ONNX graph and baselines predict it together, and the predictions are kept.

It chooses nothing: temperature, interval and baselines were fixed on train and validation rows before.
"""

from __future__ import annotations

import io
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.graph import relative_difference
from .calibration import reliability
from .candidate import Candidate
from .curves import dots, histogram, precision_recall, roc
from .intervals import covered
from .metrics import point, unit
from .robustness import NOISE_SHARE, Disturbed, deviations, measure_robustness, sample_rows, with_noise
from .scorecard import Document, Judged, Measure
from .scoring import scores

_MOST_CURVES = 10
_MOST_TRAIN_ROWS = 20_000


def final_document(candidate: Candidate, judged: Judged, measure: Measure, seed: int) -> Document:
    """What the test result holds beyond SCORES: parity of the graph, calibration, curves, residuals, robustness."""
    graph = candidate.onnx(judged.sample.inputs)
    document: Document = {
        "test_reads": 1,
        "onnx_parity": _parity(graph, judged, measure),
        "onnx_metrics": _graph_metrics(candidate, graph, judged, measure),
        "calibration": None,
        "roc": None,
        "pr": None,
        "residuals": None,
        "robustness": _robustness(candidate, judged, measure, seed),
    }
    if candidate.problem.regression:
        return document | _numbers(judged, seed)
    return document | _classes(candidate, judged, measure)


def coverage(candidate: Candidate, judged: Judged, measure: Measure) -> Document | None:
    """Share of the rows whose true value lies in the served interval; None where none is served."""
    if candidate.interval is None:
        return None
    found = covered(judged.sample.truth.astype(np.float64), judged.predictions["network"], candidate.interval)
    return measure(found, "fraction", split=judged.split, rows=len(judged.sample))


def save_predictions(candidate: Candidate, judged: Judged, path: Path) -> None:
    """Write {row, y, network, onnx, majority or mean, linear, trees} as .npz: temporary file, fsync, rename."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "row": judged.sample.rows,
        "y": judged.sample.truth,
        "onnx": candidate.onnx(judged.sample.inputs),
        **judged.predictions,
    }
    document = io.BytesIO()
    np.savez_compressed(document, **arrays)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(document.getvalue())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _parity(graph: npt.NDArray[np.float32], judged: Judged, measure: Measure) -> Document:
    worst = relative_difference(graph, judged.predictions["network"])
    rows = len(judged.sample)
    return {"max_relative": measure(worst, "fraction", split=judged.split, rows=rows), "rows": rows}


def _graph_metrics(candidate: Candidate, graph: npt.NDArray[np.float32], judged: Judged, measure: Measure) -> Document:
    found = point(scores(candidate.problem, judged.sample.truth, graph))
    rows = len(judged.sample)
    return {name: measure(value, unit(name), split=judged.split, rows=rows) for name, value in found.items()}


def _numbers(judged: Judged, seed: int) -> Document:
    truth = judged.sample.truth.astype(np.float64)
    predicted = judged.predictions["network"].astype(np.float64)
    points = dots(truth, predicted, seed=seed)
    error = predicted - truth
    return {"residuals": {"points": points, "histogram": histogram(error), "median": float(np.median(error))}}


def _classes(candidate: Candidate, judged: Judged, measure: Measure) -> Document:
    problem = candidate.problem
    truth = judged.sample.truth.astype(np.int64)
    p = judged.predictions["network"].astype(np.float64)
    counts = np.bincount(truth, minlength=problem.classes)
    drawn = [problem.positive] if problem.positive is not None else list(np.argsort(-counts)[:_MOST_CURVES])
    curves: dict[str, list[Document]] = {"roc": [], "pr": []}
    for index in drawn:
        positive = truth == index
        if positive.all() or not positive.any():
            continue
        one = {"label": problem.labels[int(index)], "rows": int(counts[index])}
        share = float(positive.mean())
        area = _area(positive, p[:, int(index)])
        auc = measure(area, "fraction", split=judged.split, rows=len(truth))
        curves["roc"].append({**one, "auc": auc, "points": roc(positive, p[:, int(index)])})
        curves["pr"].append({**one, "share": share, "points": precision_recall(positive, p[:, int(index)])})
    return {"calibration": [asdict(b) for b in reliability(p, truth)], **curves}


def _area(positive: npt.NDArray[np.bool_], score: npt.NDArray[np.float64]) -> float:
    from .metrics import ClassScores

    two = np.column_stack([1.0 - score, score])
    return point(ClassScores(positive.astype(np.int64), two, 1))["auc"]


def _robustness(candidate: Candidate, judged: Judged, measure: Measure, seed: int) -> Document | None:
    chosen = sample_rows(len(judged.sample), seed)
    sample = judged.sample.part(chosen)
    found = measure_robustness(candidate.network, sample, candidate.problem, _disturbed(candidate, sample.rows, seed))
    if found is None:
        return None
    name = unit(candidate.problem.metric)
    here = partial(measure, unit=name, split=judged.split, rows=found.rows)
    return {
        "rows": found.rows,
        "metric": candidate.problem.metric,
        "undisturbed": here(found.metric),
        "noise_share": NOISE_SHARE,
        "noise": None if found.noise is None else here(found.noise),
        "missing": [{"column": column, "drop": here(drop)} for column, drop in found.missing],
    }


def _disturbed(candidate: Candidate, rows: npt.NDArray[np.int64], seed: int) -> Disturbed:
    fields = candidate.preprocessing["fields"]
    train = candidate.sample("train", _MOST_TRAIN_ROWS, seed).rows
    numeric = {field["name"] for field in fields if field["kind"] == "number"}
    spread = deviations({k: v for k, v in candidate.raw(train).items() if k in numeric})
    noisy = candidate.encode(with_noise(candidate.raw(rows), spread, seed=seed)) if spread else None
    empty = candidate.encode({field["name"]: [None] for field in fields})
    return Disturbed(candidate.groups, empty, noisy)
