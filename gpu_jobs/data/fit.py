"""Fits the row encoder on training rows: what preprocessing.json says about each field, and where it goes.

Columns of `numbers` come in two blocks: continuous ones first, then indicators, one-hot columns and text weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .arrays import kind_of, raw_column
from .rows.dates import PERIODS, parts_of
from .rows.text import MEASURES
from .words import fit_text

MOST_ONE_HOT = 32
_MOST_LEVELS = 5_000


@dataclass(frozen=True)
class Training:
    """Training rows and what goes with them.

    Attributes:
        frame: Snapshot columns of the training rows.
        columns: COLUMN facts of the snapshot by name.
        target: Their class indices, or numbers.
        classes: Number of classes; 0 for regression.
        rows: Rows of the whole table.
        missing: The person's own missing markers.
    """

    frame: pl.DataFrame
    columns: dict[str, dict[str, Any]]
    target: NDArray[Any]
    classes: int
    rows: int
    missing: list[str]


def fit_fields(training: Training, features: list[dict[str, Any]]) -> dict[str, Any]:
    """The ``fields`` and ``inputs`` of preprocessing.json."""
    fields = []
    for feature in features:
        column = training.columns[feature["name"]]
        kind = kind_of(feature, column)
        values = raw_column(training.frame[feature["name"]], kind)
        spec = {"name": feature["name"], "kind": kind, **_FITS[kind](values, column, training)}
        spec["markers"] = sorted({"na", "n/a", "nan", "null", "?", *training.missing, *column["missing_markers"]})
        fields.append(spec)
    return {"fields": fields, "inputs": _lay_out(fields)}


def spread_of(values: NDArray[np.float64]) -> tuple[float, float]:
    """Median, and the inter-quartile range, or half the range where that is 0, or 1 where that is 0 too."""
    if not len(values):
        return 0.0, 1.0
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    with np.errstate(over="ignore"):
        spread = high - low if high > low else values.max() / 2 - values.min() / 2
    return float(median), float(spread) if 0 < spread < np.inf else 1.0


def _number(values: Any, column: dict[str, Any], _: Training) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    median, scale = spread_of(known)
    return {
        "median": median,
        "scale": scale,
        "fill": median,
        "decimal": column["decimal"] or ".",
        "unit": column.get("unit"),
        "has_missing": len(known) < len(values),
    }


def _boolean(values: Any, column: dict[str, Any], _: Training) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    fill = float(known.mean()) if len(known) else 0.0
    gone = len(known) < len(values)
    return {"median": 0.0, "scale": 1.0, "fill": fill, "levels": column["levels"], "has_missing": gone}


def _category(values: Any, _column: dict[str, Any], _: Training) -> dict[str, Any]:
    table = pl.Series("level", values, dtype=pl.String).drop_nulls().value_counts(name="n")
    least = 1 if len(values) < 100 else (2 if len(values) < 1000 else 3)
    kept = table.filter(pl.col("n") >= least).sort("n", "level", descending=[True, False]).head(_MOST_LEVELS)
    return {
        "encoding": "one_hot" if kept.height <= MOST_ONE_HOT else "index",
        "levels": sorted(kept["level"].to_list()),
        "has_other": kept.height < table.height,
        "has_missing": int(table["n"].sum()) < len(values),
    }


def _date(values: Any, column: dict[str, Any], _: Training) -> dict[str, Any]:
    known = values[~np.isnat(values)].astype("datetime64[s]").astype(np.int64)
    median, scale = spread_of(known / 86_400)
    parts = parts_of(known)
    form = column["date_format"]
    return {
        "median": median,
        "scale": scale,
        "fill": median,
        "parts": [part for part in PERIODS if len(np.unique(parts[part])) > 1],
        "formats": [form] if form and "%.f" not in form else [],
        "has_missing": len(known) < len(values),
    }


def _text(values: Any, _column: dict[str, Any], training: Training) -> dict[str, Any]:
    fitted = fit_text(values, training.target, training.classes, training.rows)
    return {**fitted, "has_missing": any(value is None for value in values)}


_FITS: dict[str, Callable[[Any, dict[str, Any], Training], dict[str, Any]]] = {
    "number": _number,
    "boolean": _boolean,
    "category": _category,
    "date": _date,
    "text": _text,
}


class _Layout:
    """Hands out places and remembers what each column of the arrays is."""

    def __init__(self) -> None:
        self.numbers: list[dict[str, Any]] = []
        self.categories: list[dict[str, Any]] = []

    def add(self, field: dict[str, Any], kind: str, names: list[str]) -> int:
        """The place of the first of these columns of `numbers`."""
        at = len(self.numbers)
        self.numbers += [{"name": name, "field": field["name"], "kind": kind} for name in names]
        return at

    def maybe(self, field: dict[str, Any], flag: str, label: str) -> int | None:
        """An indicator's place where training has such rows, else None."""
        has = field.pop(flag)
        return self.add(field, "indicator", [f"{field['name']}={label}"]) if has else None


def _lay_out(fields: list[dict[str, Any]]) -> dict[str, Any]:
    layout = _Layout()
    for field in fields:
        if field["kind"] in ("number", "date"):
            field["value_at"] = layout.add(field, "continuous", [field["name"]])
        elif field["kind"] == "text":
            names = [f"{field['name']}:{measure}" for measure in MEASURES]
            field["measures_at"] = layout.add(field, "continuous", names)
    continuous = len(layout.numbers)
    for field in fields:
        _place_rest(field, layout)
    return {"numbers": layout.numbers, "categories": layout.categories, "continuous": continuous}


def _place_rest(field: dict[str, Any], layout: _Layout) -> None:
    name, kind = field["name"], field["kind"]
    if kind == "boolean":
        field["value_at"] = layout.add(field, "indicator", [name])
    elif kind == "date":
        names = [f"{name}:{part}_{turn}" for part in field["parts"] for turn in ("sin", "cos")]
        field["start"] = layout.add(field, "circle", names)
    elif kind == "text":
        field["start"] = layout.add(field, "text", [f"{name}#{bucket}" for bucket in field["buckets"]])
    elif kind == "category" and field["encoding"] == "one_hot":
        field["start"] = layout.add(field, "one_hot", [f"{name}={level}" for level in field["levels"]])
        field["other_at"] = layout.maybe(field, "has_other", "(other)")
    elif kind == "category":
        field["place"] = len(layout.categories)
        layout.categories.append({"name": name, "field": name, "levels": len(field["levels"]) + 2})
        del field["has_other"], field["has_missing"]
        return
    field["missing_at"] = layout.maybe(field, "has_missing", "(missing)")
