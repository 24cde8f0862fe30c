"""A served model asked without its server: rows given as objects, whole files, and the test rows kept for later checks.

It goes the way of the generated server: the same encoder, the same graph, the same decoder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.errors import DataError, named
from ..data.rows import RowEncoder, RowError, load
from ..data.rows.interval import Interval
from ..data.table import load_rows
from ..export.session import OnnxModel
from .candidate import Candidate

CHUNK = 20_000
MOST_STORED = 500
Rows = Sequence[Mapping[str, Any]]


class Served:
    """A model's folder opened: `model.onnx` and `preprocessing.json`."""

    def __init__(self, models: Path) -> None:
        self.encoder: RowEncoder = load(json.loads((models / "preprocessing.json").read_text("utf-8")))
        self.graph = OnnxModel(models / "model.onnx")

    def rows(self, rows: Rows) -> list[dict[str, Any]]:
        """Predictions of rows, as the endpoint gives them.

        Raises:
            DataError: `input.row` when a field is unknown or holds a value of the wrong type.
        """
        try:
            encoded = self.encoder.encode(rows)
        except RowError as error:
            where = "" if error.row is None or len(rows) == 1 else f"row {error.row + 1}: "
            raise DataError(where + error.message, "input.row", field=error.field, fix=error.expected) from error
        return self.encoder.decode(self.graph(encoded))

    def columns(self, columns: Mapping[str, list[Any]], first: int = 1) -> npt.NDArray[np.float32]:
        """Outputs of the graph for whole columns, n rows: (n, classes) or (n,).

        Args:
            columns: Raw values by column.
            first: What the first of these rows is called where one is at fault.

        Raises:
            DataError: `input.row` when a column holds a value of the wrong type.
        """
        try:
            return self.graph(self.encoder.encode_columns(columns))
        except RowError as error:
            message = f"row {first + self._place(columns, error.field)}: {error.message}"
            raise DataError(message, "input.row", field=error.field, fix=error.expected) from error

    def _place(self, columns: Mapping[str, list[Any]], field: str | None) -> int:
        """Position of the first value of a column that its field does not take."""
        for place, value in enumerate(columns.get(field or "", ())):
            try:
                self.encoder.check({str(field): value})
            except RowError:
                return place
        return 0


@dataclass(frozen=True)
class Written:
    """A table written with its predictions: how many rows, and the names of the columns added."""

    rows: int
    columns: tuple[str, ...]


def predict_file(models: Path, source: Path, out: Path) -> Written:
    """Predict every row of a table and write it with its predictions beside.

    The columns added are `prediction` and, for classes, `p(<label>)`; for numbers `low` and `high` where the model
    has an interval. No column of the table is replaced: where it has one of that name, `model_` is put before ours.

    Raises:
        DataError: the table cannot be read, lacks columns, or `out` has an ending that is not written.
    """
    import polars as pl

    from ..data.reading import read_table

    if out.suffix not in {".csv", ".jsonl", ".parquet"}:
        raise DataError(f"cannot write {out.name!r}", "input.out", field="out", fix="end it .csv, .jsonl or .parquet")
    served, frame = Served(models), read_table(source).frame
    lost = [name for name in served.encoder.names if name not in frame.columns]
    if len(lost) == len(served.encoder.names):
        raise DataError(
            f"{source.name!r} has none of the model's columns",
            "input.columns_differ",
            field=lost[0],
            fix=f"give it the columns {named(served.encoder.names[:8])}",
        )
    known = [name for name in served.encoder.names if name in frame.columns]
    parts = []
    for start in range(0, frame.height, CHUNK):
        part = frame.slice(start, CHUNK)
        parts.append(served.columns({name: _cells(part[name]) for name in known}, start + 1))
    added = _answers(served.encoder, np.concatenate(parts) if parts else np.zeros((0,), np.float32))
    names = _free_names(list(added), frame.columns)
    whole = frame.with_columns(pl.Series(name, values) for name, values in zip(names, added.values(), strict=True))
    fresh = out.with_name(f".{out.name}.{os.getpid()}")
    if out.suffix == ".csv":
        whole.write_csv(fresh)
    elif out.suffix == ".jsonl":
        whole.write_ndjson(fresh)
    else:
        whole.write_parquet(fresh)
    fresh.replace(out)
    return Written(frame.height, tuple(names))


def _free_names(wanted: Sequence[str], taken: Collection[str]) -> list[str]:
    """Each name, after as many `model_` as it takes to be none of those taken."""
    free = []
    for name in wanted:
        while name in taken:
            name = f"model_{name}"
        free.append(name)
    return free


def _cells(series: Any) -> list[Any]:
    """Values of a column as a client would send them; texts without outer spaces, empty ones missing."""
    values: list[Any] = series.to_list()
    return [(value.strip() or None) if isinstance(value, str) else value for value in values]


def _answers(encoder: RowEncoder, outputs: npt.NDArray[np.float32]) -> dict[str, Any]:
    labels = encoder.preprocessing.get("labels")
    if labels is None:
        interval = Interval.of(encoder.preprocessing)
        columns: dict[str, Any] = {"prediction": outputs}
        if interval is not None:
            ends = np.asarray([interval.ends(value) for value in outputs.tolist()], np.float32).reshape(-1, 2)
            columns |= {"low": ends[:, 0], "high": ends[:, 1]}
        return columns
    outputs = outputs.reshape(-1, len(labels))
    best = [str(labels[i]) for i in outputs.argmax(1)]
    return {"prediction": best, **{f"p({label})": outputs[:, i] for i, label in enumerate(labels)}}


def store_rows(candidate: Candidate, rows: npt.NDArray[np.int64], truth: Sequence[Any], path: Path) -> None:
    """Keep up to 500 raw test rows with the graph's answers and the truth, for `tests/validation.py`.

    Args:
        candidate: the tested attempt.
        rows: row numbers of the test split in the snapshot.
        truth: true label or value of each of them.
        path: the JSON file to write.
    """
    kept = np.linspace(0, len(rows) - 1, min(MOST_STORED, len(rows))).round().astype(np.int64)
    columns = load_rows(candidate.place.root, rows[kept])
    raw = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    answers = Served(candidate.place.models).rows(raw)
    document = {"rows": raw, "predictions": answers, "truth": [truth[i] for i in kept.tolist()]}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), "utf-8")
    fresh.replace(path)
