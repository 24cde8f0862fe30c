"""The SCORES document: how good an attempt is on one split, beside its baselines, every number a measurement.

It reads one split and the training rows; it decides nothing, and knows neither gates nor thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .baselines import BaselineSettings, Scale, fit_baselines
from .bootstrap import Bootstrap
from .candidate import Candidate
from .importance import permutation_importance
from .inputs import Predict, Sample
from .metrics import confusion, higher_is_better, per_class, point, unit
from .scoring import scores

MOST_TRAIN_ROWS = 50_000
EXAMPLES = 5
Document = dict[str, Any]


class Measure(Protocol):
    """Makes a measurement: the one way in which a number leaves a job."""

    def __call__(
        self,
        value: float,
        unit: str,
        *,
        split: str | None = None,
        rows: int | None = None,
        interval: Sequence[float] | None = None,
    ) -> Document:
        """The measurement as a plain mapping with "value", "unit", "provenance" and "interval"."""
        ...


@dataclass(frozen=True)
class Judged:
    """A split and what everyone predicts for it: "network" first, then the baselines in the order of reports."""

    split: str
    sample: Sample
    predictions: dict[str, npt.NDArray[np.floating]]

    @property
    def baselines(self) -> list[str]:
        """Names of the baselines."""
        return [name for name in self.predictions if name != "network"]


def judge(
    candidate: Candidate, split: str, training: Mapping[str, Any], seed: int
) -> tuple[Judged, dict[str, Predict]]:
    """Fit the baselines on train and validation rows, and let all predict the split; also gives the baselines."""
    sample = candidate.sample(split)
    baselines = fit_baselines(
        candidate.problem,
        candidate.sample("train"),
        candidate.sample("validation"),
        baseline_settings(candidate, training, seed),
    )
    predictions = {"network": candidate.network(sample.inputs)}
    for name, model in baselines.items():
        predicted = model(sample.inputs)
        predictions[name] = predicted if candidate.problem.regression else predicted.astype(np.float32)
    return Judged(split, sample, predictions), baselines


def baseline_settings(candidate: Candidate, training: Mapping[str, Any], seed: int) -> BaselineSettings:
    """Baselines get the network's class weights, threads and target transform."""
    scale = candidate.scale
    moved = scale is not None and scale.transform != "none"
    return BaselineSettings(
        seed=seed,
        threads=int(training.get("threads") or 1),
        class_weights=training.get("class_weights"),
        scale=Scale(scale.forward, scale.inverse) if scale is not None and moved else None,
    )


def scorecard(candidate: Candidate, judged: Judged, measure: Measure, seed: int) -> Document:
    """The SCORES document of the split: metrics with intervals, training metrics and gap, baselines, tables."""
    problem, sample = candidate.problem, judged.sample
    scored = {name: scores(problem, sample.truth, given) for name, given in judged.predictions.items()}
    drawn = Bootstrap(scored, seed=seed)
    train = candidate.sample("train", MOST_TRAIN_ROWS, seed)
    train_points = point(scores(problem, train.truth, candidate.network(train.inputs)))
    document: Document = {
        "split": judged.split,
        "rows": len(sample),
        "metric": problem.metric,
        "higher_is_better": higher_is_better(problem.metric),
        "metrics": _measured(drawn, "network", judged, measure),
        "train_metrics": {
            name: measure(value, unit(name), split="train", rows=len(train)) for name, value in train_points.items()
        },
        **_gap(candidate, train_points, drawn.points("network"), judged, measure),
        "baselines": {name: _measured(drawn, name, judged, measure) for name in judged.baselines},
        "versus": {
            name: versus(drawn, ("network", name), problem.metric, judged, measure) for name in judged.baselines
        },
        "per_class": None,
        "confusion": None,
        "examples": _examples(candidate, judged),
    }
    if not problem.regression:
        document |= _tables(candidate, judged, measure)
    return document


def versus(drawn: Bootstrap, pair: tuple[str, str], metric: str, judged: Judged, measure: Measure) -> Document | None:
    """How much better the first model is than the second; None where the metric is undefined."""
    if any(metric not in drawn.points(name) for name in pair):
        return None
    found = drawn.difference(*pair, metric)
    here = partial(measure, split=judged.split, rows=len(judged.sample))
    return {
        "metric": metric,
        "difference": here(found.value, unit(metric), interval=(found.low, found.high)),
        "standard_error": here(found.standard_error, unit(metric)),
    }


def importances(candidate: Candidate, measure: Measure, seed: int) -> list[Document]:
    """Permutation importance of every raw column, on validation rows whatever the split judged."""
    problem, sample = candidate.problem, candidate.sample("validation")
    table = permutation_importance(candidate.network, sample, candidate.groups, problem, seed=seed)
    return [
        {
            "column": one.column,
            "drop": measure(
                one.drop,
                unit(problem.metric),
                split="validation",
                rows=one.rows,
                interval=(one.low, one.high),
            ),
        }
        for one in table
    ]


def measured_points(found: Mapping[str, float], measure: Measure, split: str, rows: int) -> Document:
    """Metrics without intervals, as measurements."""
    return {name: measure(value, unit(name), split=split, rows=rows) for name, value in found.items()}


def _measured(drawn: Bootstrap, name: str, judged: Judged, measure: Measure) -> Document:
    return {
        metric: measure(
            value,
            unit(metric),
            split=judged.split,
            rows=len(judged.sample),
            interval=drawn.interval(name, metric),
        )
        for metric, value in drawn.points(name).items()
    }


def _gap(
    candidate: Candidate,
    train: Mapping[str, float],
    held: Mapping[str, float],
    judged: Judged,
    measure: Measure,
) -> Document:
    """How much better the network is on training rows: in the metric if a fraction, else in accuracy or R²."""
    name = candidate.problem.metric
    if unit(name) != "fraction" or not higher_is_better(name):
        name = "r2" if candidate.problem.regression else "accuracy"
    if name not in train or name not in held:
        return {"gap": None, "gap_metric": name}
    difference = train[name] - held[name]
    return {
        "gap": measure(difference, "fraction", split=judged.split, rows=len(judged.sample)),
        "gap_metric": name,
    }


def _tables(candidate: Candidate, judged: Judged, measure: Measure) -> Document:
    labels = list(candidate.problem.labels)
    truth = judged.sample.truth.astype(np.int64)
    guess = judged.predictions["network"].argmax(axis=1)
    here = partial(measure, unit="fraction", split=judged.split, rows=len(truth))
    table = [
        {"label": label, "rows": int(one["rows"]), **_fractions(one, here)}
        for label, one in zip(labels, per_class(truth, guess, len(labels)), strict=True)
    ]
    matrix = confusion(truth, guess, len(labels)).tolist()
    return {"per_class": table, "confusion": {"labels": labels, "matrix": matrix}}


def _fractions(one: Mapping[str, float], here: Callable[[float], Document]) -> Document:
    """Precision, recall and F1 of a class; None for a class without rows, which says nothing about it."""
    return {name: here(one[name]) if one["rows"] else None for name in ("precision", "recall", "f1")}


def _examples(candidate: Candidate, judged: Judged) -> list[Document]:
    """The first rows of the split, one of each class first, with what is served for them and what is true."""
    sample = judged.sample
    first = list(range(min(EXAMPLES, len(sample))))
    if not candidate.problem.regression:
        _, starts = np.unique(sample.truth, return_index=True)
        first_of_class = sorted(int(start) for start in starts)
        first = list(dict.fromkeys([*first_of_class, *first]))[:EXAMPLES]
    chosen = np.array(first, np.int64)
    columns = candidate.raw(sample.rows[chosen])
    answers = candidate.encoder.decode(judged.predictions["network"][chosen])
    truths = [_said(candidate, value) for value in sample.truth[chosen].tolist()]
    rows = [{name: values[i] for name, values in columns.items()} for i in range(len(chosen))]
    return [
        {"row": row, "prediction": answer, "truth": truth, "snapshot_row": int(number)}
        for row, answer, truth, number in zip(rows, answers, truths, sample.rows[chosen], strict=True)
    ]


def _said(candidate: Candidate, value: float) -> str | float:
    return value if candidate.problem.regression else candidate.problem.labels[int(value)]
