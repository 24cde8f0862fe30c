"""From snapshot and dataset decision to splits, preprocessing and encoded arrays. Encoders see training rows only."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .arrays import class_indices, kind_of, label_text, raw_column, target_labels
from .draw import compared, numbered, plan_of, refuse_empty
from .errors import DataError, named, nearest
from .fit import Training, fit_fields
from .rows import RowEncoder, load
from .splits import METHODS, SPLITS, Split, split
from .table import raw_values
from .target import TRANSFORMS, TargetScale, refuse_range

_CHUNK = 100_000


class Preparation:
    """One table on its way to arrays; `run` does everything."""

    def __init__(self, root: Path, dataset: dict[str, Any]) -> None:
        self.data = root / "data"
        self.dataset = dataset
        self.facts = json.loads((self.data / "snapshot.json").read_text())
        self.columns: dict[str, dict[str, Any]] = {c["name"]: c for c in self.facts["columns"]}
        self.names = [feature["name"] for feature in dataset["features"]]
        self.regression = dataset["task"] == "regression"
        self.notes: list[dict[str, Any]] = []
        self._check()
        self.same = compared(list(self.columns), dataset["target"], dataset["split"], self.names)
        wanted = dict.fromkeys([*self.names, *self.same, dataset["target"], *self._extra()])
        self.frame = pl.read_parquet(self.data / "snapshot.parquet", columns=list(wanted))

    def run(self) -> dict[str, Any]:
        """Writes splits.json, preprocessing.json and encoded/*.npy; returns the job's result.

        Raises:
            DataError: The dataset decision does not fit the table, or a split is empty.
        """
        target, labels = self._target()
        found = self._split(target)
        train = found.rows["train"]
        preprocessing = self._fit(target, labels, train)
        (self.data / "encoded").mkdir(parents=True, exist_ok=True)
        encoder = load(preprocessing)
        self._encode(encoder)
        np.save(self.data / "encoded" / "target.npy", target)
        method = {key: self.dataset["split"][key] for key in ("method", "seed")}
        rows = {name: found.rows[name].tolist() for name in SPLITS}
        _write(self.data / "splits.json", {**rows, **method})
        _write(self.data / "preprocessing.json", preprocessing)
        return self._result(target, labels, found, preprocessing)

    def _check(self) -> None:
        if not self.names:
            raise DataError("no usable column is left besides the target", "input.no_usable_column")
        for name in [*self.names, self.dataset["target"], *self._extra()]:
            if name not in self.columns:
                near = nearest(name, self.columns) or list(self.columns)[:5]
                raise DataError(
                    f"there is no column {named([name])}",
                    "input.no_such_column",
                    field=name,
                    fix=f"nearest names: {named(near)}",
                )
        method, transform = self.dataset["split"]["method"], self.dataset.get("target_transform") or "none"
        if method not in METHODS:
            raise DataError(f"split method {method!r} is not one of {', '.join(METHODS)}", "input.split", "split")
        if transform not in TRANSFORMS:
            known = ", ".join(TRANSFORMS)
            raise DataError(f"target transform {transform!r} is not one of {known}", "input.transform", "target")

    def _extra(self) -> list[str]:
        wanted = self.dataset["split"]
        return [wanted[key] for key in ("group", "time") if wanted.get(key) and wanted["method"] == key]

    def _target(self) -> tuple[NDArray[Any], list[str]]:
        """Class indices (-1 = missing) and labels, or numbers (NaN = missing) and no labels."""
        name = self.dataset["target"]
        if self.regression:
            numbers = self.frame[name].cast(pl.Float64, strict=False).to_numpy().copy()
            refuse_range(numbers, name)
            return numbers, []
        found = target_labels(self.frame[name], self.columns[name])
        labels = [label_text(label) for label in self.dataset.get("labels") or sorted({f for f in found if f})]
        positive = self.dataset.get("positive")
        if positive is not None and self.dataset["task"] == "binary" and label_text(positive) == labels[0]:
            labels.reverse()
        return class_indices(found, labels, name), labels

    def _split(self, target: NDArray[Any]) -> Split:
        rows = np.flatnonzero(np.isfinite(target) if self.regression else target >= 0)
        lost = len(target) - len(rows)
        if lost:
            self._note("missing_target", f"rows left out for want of a target: {lost:,}", lost)
        wanted = {**self.dataset["split"], "same": self.same}
        plan = plan_of(self.frame, self.facts["source"], self.dataset["target"], wanted)
        found = split(replace(plan, equal=numbered(self.frame[rows].select(self.names))))
        refuse_empty(found, wanted["method"], len(rows))
        self._refuse_metric(found, target)
        self._note_copies(found)
        return found

    def _refuse_metric(self, found: Split, target: NDArray[Any]) -> None:
        """Refuse a metric that the rows held back cannot give, before anything is trained."""
        metric = self.dataset.get("metric")
        what = {"auc": "class", "r2": "value"}.get(str(metric))
        for name in SPLITS[1:]:
            values = np.unique(target[found.rows[name]])
            if what is not None and len(values) < 2:
                raise DataError(
                    f"{metric!r} cannot be computed: the {len(found.rows[name]):,} {name} rows hold one {what} only",
                    "input.metric_undefined",
                    field="metric",
                    fix=f"give more rows, a larger share for {name}, a stratified split, or another metric",
                )

    def _note_copies(self, found: Split) -> None:
        if found.repeated:
            text = f"rows that repeat another row in all features: {found.repeated:,}"
            how = "; they stay on the same side of the split"
            if found.across:
                how = f"; few rows are distinct, so {found.across:,} of them stand on both sides of the split"
            self._note("duplicates", text + how, found.repeated)
        if found.dropped:
            text = f"validation and test rows left out because they equal an earlier row: {found.dropped:,}"
            self._note("duplicates_dropped", text, found.dropped)

    def _fit(self, target: NDArray[Any], labels: list[str], train: NDArray[np.int64]) -> dict[str, Any]:
        name = self.dataset["target"]
        missing = list(self.dataset.get("missing") or [])
        frame = self.frame[train]
        training = Training(frame, self.columns, target[train], len(labels), self.frame.height, missing)
        fitted = fit_fields(training, self.dataset["features"])
        scale = TargetScale()
        if self.regression:
            scale = self._scale(target[train])
        example = {field: values[0] for field, values in self._raw(_fullest(frame, self.names)).items()}
        for field in fitted["fields"]:
            field["example"] = example[field["name"]]
        return {
            "format": 1,
            "task": self.dataset["task"],
            "metric": self.dataset.get("metric"),
            "target": {"name": name, "transform": scale.transform, "mean": scale.mean, "std": scale.std},
            "labels": labels or None,
            "positive": labels[1] if self.dataset["task"] == "binary" else None,
            "interval": None,
            **fitted,
            "example": example,
        }

    def _scale(self, target: NDArray[np.float64]) -> TargetScale:
        transform = self.dataset.get("target_transform") or "none"
        if transform == "log1p" and target.min() <= -1:
            name = self.dataset["target"]
            raise DataError(f"log1p needs a target above -1; {name!r} has {target.min():g}", "input.transform", name)
        return TargetScale.fit(target, transform)

    def _raw(self, frame: pl.DataFrame) -> dict[str, list[Any]]:
        return {name: raw_values(frame[name].to_list(), self.columns[name]) for name in self.names}

    def _encode(self, encoder: RowEncoder) -> None:
        """Encodes all rows, some at a time, straight into the files."""
        kinds = {f["name"]: kind_of(f, self.columns[f["name"]]) for f in self.dataset["features"]}
        rows, folder = self.frame.height, self.data / "encoded"
        numbers = _open(folder / "numbers.npy", np.float32, (rows, encoder.width))
        places = len(encoder.categories)
        categories = _open(folder / "categories.npy", np.int64, (rows, places)) if places else None
        for at in range(0, rows, _CHUNK):
            part = self.frame[at : at + _CHUNK]
            arrays = encoder.encode_columns({name: raw_column(part[name], kind) for name, kind in kinds.items()})
            if encoder.width:
                numbers[at : at + _CHUNK] = arrays["numbers"]
            if categories is not None:
                categories[at : at + _CHUNK] = arrays["categories"]

    def _result(
        self, target: NDArray[Any], labels: list[str], found: Split, preprocessing: dict[str, Any]
    ) -> dict[str, Any]:
        inputs = preprocessing["inputs"]
        parts = {name: target[found.rows[name]] for name in SPLITS}
        classes = [[label, *(int((parts[s] == i).sum()) for s in SPLITS)] for i, label in enumerate(labels)]
        return {
            "rows": {name: len(part) for name, part in parts.items()},
            "inputs": {
                "numbers": len(inputs["numbers"]),
                "continuous": inputs["continuous"],
                "categories": [column["levels"] for column in inputs["categories"]],
            },
            "input_names": [column["name"] for column in inputs["numbers"]],
            "classes": classes or None,
            "labels": labels or None,
            "duplicates_across_splits": found.across,
            "duplicates": {"rows": found.repeated, "dropped": found.dropped},
            "encoded_bytes": sum(file.stat().st_size for file in (self.data / "encoded").glob("*.npy")),
            "target": _moments(parts["train"]) | preprocessing["target"] if self.regression else None,
            "notes": self.notes,
        }

    def _note(self, code: str, message: str, count: int) -> None:
        self.notes.append({"code": code, "message": message, "column": None, "count": count})


def _fullest(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The first of the leading rows that miss least, as an example."""
    head = frame.select(names).head(100)
    missing = np.sum([series.is_null().to_numpy() for series in head.iter_columns()], axis=0)
    return head[int(missing.argmin())]


def _open(path: Path, kind: type, shape: tuple[int, int]) -> NDArray[Any]:
    if not shape[0] * shape[1]:
        empty: NDArray[Any] = np.zeros(shape, kind)
        np.save(path, empty)
        return empty
    mapped: NDArray[Any] = np.lib.format.open_memmap(path, "w+", kind, shape)
    return mapped


def _moments(target: NDArray[np.float64]) -> dict[str, float | None]:
    """In the target's units, from training rows; None where a moment is not finite."""
    spread = float(target.std())
    with np.errstate(over="ignore", invalid="ignore"):
        skew = float((((target - target.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0
    ends = {"min": float(target.min()), "max": float(target.max())}
    found = {"raw_mean": float(target.mean()), "raw_std": spread, "skew": skew, **ends}
    return {name: value if isfinite(value) else None for name, value in found.items()}


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False))
