"""A run's folder read anew: configurations, splits, snapshot, kept predictions, and the published graph to ask."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tests.acceptance.reevaluation.metrics import Array, class_metrics, number_metrics

OUTSIDE = ("row", "y")
Columns = Mapping[str, list[Any]]


def read(path: Path) -> Any:
    """A JSON document."""
    return json.loads(path.read_text("utf-8"))


def sha256(path: Path) -> str:
    """A file's hash."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def text(value: Any) -> str:
    """A target value as the label that it has."""
    return str(int(value)) if isinstance(value, float) and value == int(value) else str(value)


class Run:
    """A run folder's artifacts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.published = (folder / "models" / "model.onnx").exists()
        self.splits: dict[str, list[int]] = {
            name: rows for name, rows in read(folder / "data" / "splits.json").items() if isinstance(rows, list)
        }
        self.facts = {c["name"]: c for c in read(folder / "data" / "snapshot.json")["columns"]}
        kept = sorted(folder.glob("attempts/*/predictions.npz"))
        if len(kept) != 1:
            raise SystemExit(f"{len(kept)} attempts hold predictions.npz; exactly one reads the test split")
        self.attempt = kept[0].parent
        linked = folder / "configs" / "dataset.json"  # absent where nothing was published
        self.dataset = read(linked if linked.exists() else self.attempt / "configs" / "dataset.json")
        self.arrays = self.kept("predictions.npz")
        labels = self.dataset.get("labels")
        self.labels: list[str] | None = None if labels is None else [str(label) for label in labels]
        self.frame = pl.read_parquet(folder / "data" / "snapshot.parquet")
        self.preprocessing = read(self.attempt / "models" / "preprocessing.json")
        self.fields = [field["name"] for field in self.preprocessing["fields"]]

    def kept(self, name: str) -> dict[str, Array]:
        """The arrays of a predictions file of the attempt."""
        with np.load(self.attempt / name) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def column(self, name: str, rows: Any) -> list[Any]:
        """Raw values of these rows, as a client would send them."""
        fact, values = self.facts[name], self.frame[name].gather(np.asarray(rows, np.int64)).to_list()
        if fact["type"] == "boolean":
            return [None if v is None else fact["levels"][int(v)] for v in values]
        if fact["type"] == "number" and fact["integer"]:
            return [None if v is None else int(v) for v in values]
        return values

    def raw(self, rows: Any) -> dict[str, list[Any]]:
        """Raw feature values of these rows."""
        return {name: self.column(name, rows) for name in self.fields}

    def truth(self, split: str = "test", rows: Any = None) -> Array:
        """The target of a split's rows (or of these), from the snapshot alone."""
        values = self.column(self.dataset["target"], self.splits[split] if rows is None else rows)
        if self.labels is None:
            return np.array(values, np.float64)
        return np.array([self.labels.index(text(value)) for value in values], np.int64)

    @property
    def positive(self) -> int | None:
        """Index of the positive label of a binary task."""
        if self.labels is None or self.dataset["task"] != "binary":
            return None
        named = self.dataset.get("positive")
        return self.labels.index(str(named)) if str(named) in self.labels else 1

    def metrics(self, y: Array, prediction: Array) -> dict[str, float]:
        """Recomputed metrics of one model."""
        if self.labels is None:
            return number_metrics(y, prediction)
        return class_metrics(y, prediction, self.positive)

    def sampled(self, split: str, most: int, seed: int) -> Array:
        """The split's rows, or `most` of them drawn without replacement, in order."""
        rows = np.asarray(self.splits[split], np.int64)
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
        return rows

    @cached_property
    def encoder(self) -> Any:
        """The row encoder, which the server uses too."""
        return row_code(self).load(self.preprocessing)

    @cached_property
    def _graph(self) -> Any:
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime as ort

        return ort.InferenceSession(self.attempt / "models" / "model.onnx", providers=["CPUExecutionProvider"])

    def predict(self, columns: Columns) -> Array:
        """The published graph on raw columns."""
        return self._asked(self.encoder.encode_columns(columns))

    def predict_rows(self, columns: Columns) -> Array:
        """The same for rows as a client would send them, one by one through the encoder."""
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return self._asked(self.encoder.encode(rows))

    def _asked(self, arrays: Mapping[str, Array]) -> Array:
        names = [node.name for node in self._graph.get_inputs()]
        return np.asarray(self._graph.run(None, {name: arrays[name] for name in names})[0])


def row_code(run: Run) -> Any:
    """The rows package: the workspace's verbatim copy, else the product's own."""
    here = Path(__file__).resolve().parents[3] / "gpu_jobs" / "data" / "rows"
    places = [run.attempt / "scripts" / "rows", run.folder / "scripts" / "rows", here]
    folder = next(place for place in places if (place / "__init__.py").exists())
    spec = importlib.util.spec_from_file_location(
        f"reevaluated_rows_{run.folder.name}", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def relative(a: Array, b: Array) -> float:
    """Largest difference relative to the value, or to a hundredth of the root mean square where that is larger."""
    floor = 0.01 * float(np.sqrt((b.astype(np.float64) ** 2).mean()))
    return float((np.abs(a.astype(np.float64) - b) / np.maximum(np.abs(b), max(floor, 1e-30))).max())
