"""Recomputes a run's test metrics from its saved artifacts, with plain NumPy of its own, and compares every number.

    python -P tests/acceptance/reevaluate.py neural/<run_id> [--document answer.json ...]

It shares no code with the product except the row encoder, which it loads from the run's own workspace when it is there
(as the server does). Prints each mismatch and exits 1 when there is one. It does not judge whether the model is good.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

Array = np.ndarray[Any, Any]
CLOSE, PARITY = 1e-6, 1e-4
OUTSIDE = ("row", "y")


class Check:
    """Compares pairs of numbers, keeps what differs."""

    def __init__(self) -> None:
        self.compared = 0
        self.wrong: list[str] = []

    def equal(self, what: str, found: Any, expected: Any, tolerance: float = CLOSE) -> None:
        """Note a difference of more than `tolerance`, relative to values above 1 and absolute below."""
        self.compared += 1
        a, b = float(found), float(expected)
        if not abs(a - b) <= tolerance * max(1.0, abs(b)):
            self.wrong.append(f"{what}: reported {a!r}, recomputed {b!r}")

    def true(self, what: str, fine: bool) -> None:
        """Note what does not hold."""
        self.compared += 1
        if not fine:
            self.wrong.append(what)


def ranks(score: Array) -> Array:
    """Ranks from 1, equal scores share their mean rank."""
    order = np.argsort(score, kind="stable")
    rank = np.empty(len(score))
    rank[order] = np.arange(1, len(score) + 1)
    _, group = np.unique(score, return_inverse=True)
    counts = np.bincount(group)
    sums = np.bincount(group, weights=rank)
    return np.asarray((sums / counts)[group])


def area(positive: Array, score: Array) -> float:
    """Area under the ROC curve by the rank sum (Mann and Whitney 1947); NaN with one class."""
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        return float("nan")
    return float((ranks(score)[positive].sum() - ups * (ups + 1) / 2) / (ups * downs))


def class_table(y: Array, guess: Array, classes: int) -> list[tuple[float, float, float, int, int]]:
    """(precision, recall, f1, true rows, predicted rows) of each class, by counting."""
    table = []
    for c in range(classes):
        right = int(((y == c) & (guess == c)).sum())
        said, real = int((guess == c).sum()), int((y == c).sum())
        precision, recall = (right / said if said else 0.0), (right / real if real else 0.0)
        f1 = 2 * right / (said + real) if said + real else 0.0
        table.append((precision, recall, f1, real, said))
    return table


def calibration_error(y: Array, p: Array, bins: int = 15) -> float:
    """Expected calibration error of the top label, bin by bin."""
    sure, right = p.max(axis=1), p.argmax(axis=1) == y
    total = 0.0
    for b in range(bins):
        inside = (sure > b / bins) & (sure <= (b + 1) / bins)
        if inside.any():
            total += inside.sum() * abs(sure[inside].mean() - right[inside].mean())
    return float(total / len(y))


def class_metrics(y: Array, p: Array, positive: int | None) -> dict[str, float]:
    """All metrics of class probabilities, by their definitions."""
    p = p.astype(np.float64)
    guess = p.argmax(axis=1)
    table = class_table(y, guess, p.shape[1])
    seen = [row for row in table if row[3] + row[4]]
    mean = [float(np.mean([row[i] for row in seen])) for i in range(3)]
    chosen = mean if positive is None else list(table[positive][:3])
    ranked = range(p.shape[1]) if positive is None else [positive]
    areas = [one for one in (area(y == c, p[:, c]) for c in ranked) if one == one]
    loss = -np.log(np.clip(p[np.arange(len(y)), y], np.finfo(np.float32).eps, 1.0))
    found = {
        "accuracy": float((guess == y).mean()),
        "balanced_accuracy": float(np.mean([row[1] for row in table if row[3]])),
        "f1": chosen[2],
        "macro_f1": mean[2],
        "precision": chosen[0],
        "recall": chosen[1],
        "log_loss": float(loss.mean()),
        "ece": calibration_error(y, p),
    }
    return found | ({"auc": float(np.mean(areas))} if areas else {})


def number_metrics(y: Array, v: Array) -> dict[str, float]:
    """All metrics of predicted numbers, by their definitions."""
    error = v.astype(np.float64) - y
    spread = float(((y - y.mean()) ** 2).sum())
    found = {"rmse": float(np.sqrt((error**2).mean())), "mae": float(np.abs(error).mean())}
    return found | ({"r2": 1.0 - float((error**2).sum()) / spread} if spread else {})


class Run:
    """A run folder's artifacts, read anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dataset = read(folder / "configs" / "dataset.json")
        self.splits = read(folder / "data" / "splits.json")
        self.facts = {c["name"]: c for c in read(folder / "data" / "snapshot.json")["columns"]}
        kept = sorted(folder.glob("attempts/*/predictions.npz"))
        if len(kept) != 1:
            raise SystemExit(f"{len(kept)} attempts hold predictions.npz; exactly one reads the test split")
        self.attempt = kept[0].parent
        with np.load(kept[0]) as arrays:
            self.arrays: dict[str, Array] = {name: arrays[name] for name in arrays.files}
        labels = self.dataset.get("labels")
        self.labels: list[str] | None = None if labels is None else [str(label) for label in labels]
        self.frame = pl.read_parquet(folder / "data" / "snapshot.parquet")[self.arrays["row"]]

    def column(self, name: str) -> list[Any]:
        """Raw values of the test rows, as a client would send them."""
        fact, values = self.facts[name], self.frame[name].to_list()
        if fact["type"] == "boolean":
            return [None if v is None else fact["levels"][int(v)] for v in values]
        if fact["type"] == "number" and fact["integer"]:
            return [None if v is None else int(v) for v in values]
        return values

    def truth(self) -> Array:
        """The target of the test rows, from the snapshot alone."""
        values = self.column(self.dataset["target"])
        if self.labels is None:
            return np.array(values, np.float64)
        return np.array([self.labels.index(_text(value)) for value in values], np.int64)

    def metrics(self, y: Array, prediction: Array) -> dict[str, float]:
        """Recomputed metrics of one model."""
        if self.labels is None:
            return number_metrics(y, prediction)
        positive = self.dataset.get("positive")
        binary = self.dataset["task"] == "binary"
        return class_metrics(
            y, prediction, self.labels.index(str(positive)) if binary and positive is not None else None
        )

    def predicted_again(self) -> Array:
        """The published graph on the raw test rows, through the encoder that the server uses."""
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime as ort

        encoder = row_code(self).load(read(self.attempt / "models" / "preprocessing.json"))
        columns = {name: self.column(name) for name in encoder.names}
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        session = ort.InferenceSession(self.attempt / "models" / "model.onnx", providers=["CPUExecutionProvider"])
        arrays = encoder.encode(rows)
        return np.asarray(session.run(None, {node.name: arrays[node.name] for node in session.get_inputs()})[0])


def row_code(run: Run) -> Any:
    """The rows package: the workspace's verbatim copy, else the product's own."""
    here = Path(__file__).resolve().parents[2] / "gpu_jobs" / "data" / "rows"
    places = [run.attempt / "scripts" / "rows", run.folder / "scripts" / "rows", here]
    folder = next(place for place in places if (place / "__init__.py").exists())
    spec = importlib.util.spec_from_file_location(
        "reevaluated_rows", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> Any:
    """A JSON document."""
    return json.loads(path.read_text("utf-8"))


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value == int(value) else str(value)


def relative(a: Array, b: Array) -> float:
    """Largest difference relative to the value, or to a hundredth of the root mean square where that is larger."""
    floor = 0.01 * float(np.sqrt((b.astype(np.float64) ** 2).mean()))
    return float((np.abs(a.astype(np.float64) - b) / np.maximum(np.abs(b), max(floor, 1e-30))).max())


def check_predictions(run: Run, y: Array, check: Check) -> None:
    """Rows and truth are the split's; the graph predicts again what was kept, and what the network predicted."""
    check.true("predictions.npz does not hold the test split's rows", run.arrays["row"].tolist() == run.splits["test"])
    others = set(run.splits["train"]) | set(run.splits["validation"])
    check.true("test rows are also training or validation rows", not others & set(run.splits["test"]))
    check.true("y in predictions.npz is not the snapshot's target", bool((run.arrays["y"] == y).all()))
    again = run.predicted_again()
    check.true("the graph predicts otherwise than kept", relative(again, run.arrays["onnx"]) <= PARITY)
    check.true("the graph predicts otherwise than the network", relative(again, run.arrays["network"]) <= PARITY)


def check_test(run: Run, y: Array, reported: dict[str, Any], check: Check) -> None:
    """Every metric of network, graph and baselines, their differences, tables and parity."""
    found = {n: run.metrics(y, a) for n, a in run.arrays.items() if n not in OUTSIDE}
    check.equal("rows", reported["rows"], len(y))
    check.equal("test_reads", reported["test_reads"], 1)
    parity = relative(run.arrays["onnx"], run.arrays["network"])
    check.equal("onnx_parity", reported["onnx_parity"]["max_relative"]["value"], parity, 1e-7)
    groups = {"network": reported["metrics"], "onnx": reported["onnx_metrics"], **reported["baselines"]}
    for model, metrics in groups.items():
        check.true(f"{model} lacks metrics", set(metrics) - {"coverage"} == set(found[model]))
        for name in found[model]:
            check.equal(f"{model} {name}", metrics[name]["value"], found[model][name])
    sign = 1.0 if reported["higher_is_better"] else -1.0
    name = reported["metric"]
    for model, one in reported["versus"].items():
        difference = sign * (found["network"][name] - found[model][name])
        check.equal(f"versus {model}", one["difference"]["value"], difference)
    if run.labels is None:
        check_coverage(run, y, reported, check)
    else:
        check_tables(run, y, reported, check)


def check_tables(run: Run, y: Array, reported: dict[str, Any], check: Check) -> None:
    """Per-class table, confusion matrix and calibration bins."""
    p = run.arrays["network"]
    guess = p.argmax(axis=1)
    for one, row in zip(reported["per_class"], class_table(y, guess, p.shape[1]), strict=True):
        for name, value in zip(("precision", "recall", "f1"), row[:3] if one["rows"] else (), strict=False):
            check.equal(f"class {one['label']} {name}", one[name]["value"], value)
        check.equal(f"class {one['label']} rows", one["rows"], row[3])
    matrix = np.zeros((p.shape[1], p.shape[1]), int)
    np.add.at(matrix, (y, guess), 1)
    check.true("confusion matrix", reported["confusion"]["matrix"] == matrix.tolist())
    gaps = sum(b["rows"] * abs(b["confidence"] - b["accuracy"]) for b in reported["calibration"])
    check.equal("calibration bins", gaps / len(y), calibration_error(y, p.astype(np.float64)))


def check_coverage(run: Run, y: Array, reported: dict[str, Any], check: Check) -> None:
    """Coverage of the served interval."""
    interval = read(run.attempt / "models" / "preprocessing.json").get("interval")
    if interval is not None:
        inside = np.abs(run.arrays["network"] - y) <= interval["half_width"]
        check.equal("coverage", reported["metrics"]["coverage"]["value"], inside.mean())


def measured(document: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(key, measurement) for every measurement inside "metrics" of a document."""
    if isinstance(document, dict):
        for key, value in document.items():
            if isinstance(value, dict) and "provenance" in value and name == "metrics":
                yield key, value
            else:
                yield from measured(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from measured(value, name)


def check_documents(run: Run, y: Array, paths: list[Path], check: Check) -> None:
    """Test metrics that other documents (metadata, the --json answer, memory) repeat."""
    found = run.metrics(y, run.arrays["network"])
    for path in paths:
        for name, one in measured(read(path)):
            if name in found and one["provenance"].get("split") == "test":
                check.equal(f"{path.name} {name}", one["value"], found[name])


def main(arguments: list[str] | None = None) -> int:
    """Check one run; 0 when every number agrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, help="the run folder, neural/<run_id>")
    parser.add_argument("--document", type=Path, action="append", default=[], help="a JSON file that repeats metrics")
    given = parser.parse_args(arguments)
    run, check = Run(given.run), Check()
    y = run.truth()
    check_predictions(run, y, check)
    check_test(run, y, read(given.run / "reports" / "results.json")["test"], check)
    metadata = run.attempt / "models" / "model-metadata.json"
    check_documents(run, y, [*given.document, *([metadata] if metadata.exists() else [])], check)
    for line in check.wrong:
        sys.stdout.write(f"mismatch: {line}\n")
    sys.stdout.write(f"{check.compared} comparisons, {len(check.wrong)} mismatches\n")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
