"""What the SCORES document of a split must say, made again from kept predictions, snapshot and published graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.acceptance.reevaluation.artifacts import OUTSIDE, Run, relative
from tests.acceptance.reevaluation.checks import CLOSE, PARITY, Check, Figure, Near
from tests.acceptance.reevaluation.disturbed import importance, robustness
from tests.acceptance.reevaluation.drawings import curves, reliability, residuals
from tests.acceptance.reevaluation.metrics import LOWER, UNITS, Array, class_table
from tests.acceptance.reevaluation.resampling import Resampled

Document = dict[str, Any]


class Split:
    """One split of a run with everything that was kept of it."""

    def __init__(self, run: Run, name: str, seed: int) -> None:
        self.run, self.name, self.seed = run, name, seed
        self.arrays = run.arrays if name == "test" else run.kept(f"predictions-{name}.npz")
        self.y = run.truth(name)
        self.models = {key: array for key, array in self.arrays.items() if key not in {*OUTSIDE, "onnx"}}
        self.drawn = Resampled(run.metrics, self.y, self.models, seed)

    def figure(self, metric: str, value: float, interval: tuple[float, float] | None = None) -> Figure:
        """A measurement on this split's rows."""
        return Figure(value, UNITS.get(metric, "fraction"), self.name, len(self.y), interval)


def check_predictions(split: Split, check: Check) -> None:
    """Rows and truth are the split's; the graph predicts again what was kept, and what the network predicted."""
    run, name, arrays = split.run, split.name, split.arrays
    check.true(f"the kept predictions are not the {name} split's rows", arrays["row"].tolist() == run.splits[name])
    others = {row for other, rows in run.splits.items() if other != name for row in rows}
    check.true(f"{name} rows are also rows of another split", not others & set(run.splits[name]))
    check.true("y in the kept predictions is not the snapshot's target", bool((arrays["y"] == split.y).all()))
    again = run.predict_rows(run.raw(run.splits[name]))
    check.true("the graph predicts otherwise than kept", relative(again, arrays["onnx"]) <= PARITY)
    check.true("the graph predicts otherwise than the network", relative(again, arrays["network"]) <= PARITY)
    _check_simplest(split, check)


def _check_simplest(split: Split, check: Check) -> None:
    """The simplest baseline knows training rows only: their class shares, or their mean."""
    train = split.run.truth("train")
    if split.run.labels is None:
        check.equal("the mean baseline", split.models["mean"].max(), train.mean())
        check.equal("the mean baseline", split.models["mean"].min(), train.mean())
        return
    shares = np.bincount(train, minlength=len(split.run.labels)) / len(train)
    check.true("the majority baseline", bool(np.allclose(split.models["majority"], shares, atol=CLOSE)))


def expected_scores(split: Split) -> Document:
    """Everything that both SCORES documents hold."""
    run, metric = split.run, split.run.dataset["metric"]
    ours = split.drawn.points["network"]
    train_rows = run.sampled("train", 50_000, split.seed)
    train = run.metrics(run.truth(rows=train_rows), run.predict(run.raw(train_rows)))
    higher = metric not in LOWER
    gap = metric if higher and metric not in UNITS else ("r2" if run.labels is None else "accuracy")
    found: Document = {
        "split": split.name,
        "rows": len(split.y),
        "metric": metric,
        "higher_is_better": higher,
        "metrics": _with_intervals(split, "network"),
        "train_metrics": {
            name: Figure(value, UNITS.get(name, "fraction"), "train", len(train_rows), None, PARITY)
            for name, value in train.items()
        },
        "gap": Figure(train[gap] - ours[gap], "fraction", split.name, len(split.y), None, PARITY),
        "gap_metric": gap,
        "baselines": {name: _with_intervals(split, name) for name in split.models if name != "network"},
        "versus": {name: _versus(split, name, metric) for name in split.models if name != "network"},
        "per_class": None,
        "confusion": None,
        "examples": _examples(split),
    }
    return found | ({} if run.labels is None else _tables(split))


def _with_intervals(split: Split, model: str) -> Document:
    points = split.drawn.points[model]
    return {name: split.figure(name, value, split.drawn.interval(model, name)) for name, value in points.items()}


def _versus(split: Split, other: str, metric: str) -> Document | None:
    if any(metric not in split.drawn.points[name] for name in ("network", other)):
        return None
    value, interval, error = split.drawn.difference(other, metric)
    return {
        "metric": metric,
        "difference": split.figure(metric, value, interval),
        "standard_error": split.figure(metric, error),
    }


def _tables(split: Split) -> Document:
    """Per-class table and confusion matrix."""
    labels, p = split.run.labels or [], split.models["network"]
    guess = p.argmax(axis=1)
    matrix = np.zeros((len(labels), len(labels)), int)
    np.add.at(matrix, (split.y, guess), 1)
    rows = []
    for label, row in zip(labels, class_table(split.y, guess, len(labels)), strict=True):
        named = dict(zip(("precision", "recall", "f1"), row[:3], strict=True))
        figures = {name: split.figure(name, value) if row[3] else None for name, value in named.items()}
        rows.append({"label": label, "rows": row[3], **figures})
    return {"per_class": rows, "confusion": {"labels": labels, "matrix": matrix.tolist()}}


def _examples(split: Split) -> list[Document]:
    """The first rows, one of each class first, with what is served for them."""
    run, count = split.run, len(split.y)
    first = list(range(min(5, count)))
    if run.labels is not None:
        starts = sorted(int(np.flatnonzero(split.y == c)[0]) for c in np.unique(split.y))
        first = list(dict.fromkeys([*starts, *first]))[:5]
    rows = [run.splits[split.name][place] for place in first]
    raw = run.raw(rows)
    answers = run.encoder.decode(split.models["network"][first])
    return [
        {
            "row": {name: values[place] for name, values in raw.items()},
            "prediction": near(answers[place]),
            "truth": split.y[row].item() if run.labels is None else run.labels[int(split.y[row])],
            "snapshot_row": rows[place],
        }
        for place, row in enumerate(first)
    ]


def near(document: Any) -> Any:
    """The document with its numbers expected within the tolerance of the exported graph."""
    if isinstance(document, dict):
        return {key: near(value) for key, value in document.items()}
    if isinstance(document, list):
        return [near(value) for value in document]
    return Near(float(document), PARITY) if isinstance(document, int | float) else document


def _inside(interval: Document, said: Array, true: Array) -> Array:
    """Which true values lie within the served width: around the number, or around the logarithm of 1 + it."""
    if "half_width" in interval:
        return np.asarray(np.abs(said - true) <= interval["half_width"])
    apart = np.abs(np.log1p(said) - np.log1p(true))
    least = -np.inf if interval["least"] is None else interval["least"]
    return np.asarray((apart <= np.log(interval["factor"])) & (true >= least))


def expected_test(split: Split) -> Document:
    """The test document: the scores, the graph's, curves, residuals and robustness."""
    run, network = split.run, split.models["network"]
    rows = len(split.y)
    parity = relative(split.arrays["onnx"], network)
    graph = run.metrics(split.y, split.arrays["onnx"])
    found = expected_scores(split) | {
        "test_reads": 1,
        "onnx_parity": {"max_relative": Figure(parity, "fraction", "test", rows, None, 1e-7), "rows": rows},
        "onnx_metrics": {name: split.figure(name, value) for name, value in graph.items()},
        "calibration": None,
        "roc": None,
        "pr": None,
        "residuals": None,
        "robustness": by_column(robustness(run, split.seed), "missing"),
        "champion": None,
    }
    interval = run.preprocessing.get("interval")
    if run.labels is None:
        if interval is not None:
            inside = float(_inside(interval, network.astype(np.float64), split.y).mean())
            found["metrics"]["coverage"] = split.figure("coverage", inside)
        return found | {"residuals": residuals(split.y, network.astype(np.float64), split.seed)}
    drawn = curves(run, split.y, network.astype(np.float64))
    for curve in drawn["roc"]:
        curve["auc"] = split.figure("auc", curve["auc"])
    return found | {"calibration": reliability(split.y, network.astype(np.float64))} | drawn


def expected_evaluate(split: Split) -> Document:
    """The evaluate document: the scores and permutation importance."""
    found = expected_scores(split)
    return found | {"importance": {one["column"]: one["drop"] for one in importance(split.run, split.seed)}}


def by_column(document: Document | None, key: str) -> Document | None:
    """The document with the list at `key`, one entry a column, as a mapping: nearly equal columns may change places."""
    if document is None:
        return None
    return document | {key: {one["column"]: one["drop"] for one in document[key]}}


def falling(check: Check, what: str, rows: list[Document]) -> None:
    """The list is ordered by its drops, largest first."""
    drops = [row["drop"]["value"] for row in rows]
    check.true(f"{what} is not in falling order", drops == sorted(drops, reverse=True))


def check_split(split: Split, reported: Document, check: Check, champion: Document | None = None) -> None:
    """Every number of the split's document; `champion` is what it must say of the model that was challenged."""
    check_predictions(split, check)
    if split.name == "test":
        if reported["robustness"] is not None:
            falling(check, "robustness", reported["robustness"]["missing"])
        check.same(
            "test",
            {**reported, "robustness": by_column(reported["robustness"], "missing")},
            expected_test(split) | {"champion": champion},
        )
        return
    falling(check, "importance", reported["importance"])
    check.same("evaluate", by_column(reported, "importance"), expected_evaluate(split))
