"""A serving champion against its challenger, on test rows that the champion has never seen. It swaps nothing.

The champion predicts raw rows through its own encoder and graph. Rows that it trained or validated on are recognised by
the hash of their values, so that the two runs may have read different files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.rows import RowEncoder, RowError, load
from ..data.table import raw_values
from ..export.session import OnnxModel
from .bootstrap import Bootstrap
from .candidate import Candidate
from .errors import EvaluationError
from .metrics import point
from .scorecard import Document, Judged, Measure, measured_points, versus
from .scoring import scores

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Champion:
    """A published model to compare with.

    Attributes:
        models: its folder, with model.onnx and preprocessing.json.
        seen: hashes (`row_hashes`) of the rows that it trained or validated on.
        target: name of its target column.
    """

    models: Path
    seen: frozenset[str]
    target: str


def row_hashes(columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> list[str]:
    """One hash per row over the named columns in the given order; an absent column counts as missing.

    Values are compared as a person reads them: 3, 3.0 and "3" are equal, missing is empty.
    """
    count = len(next(iter(columns.values()))) if columns else 0
    cells = [[_canonical(value) for value in columns.get(name, [None] * count)] for name in sorted(names)]
    return [hashlib.sha256("\x1f".join(row).encode()).hexdigest()[:32] for row in zip(*cells, strict=True)]


def seen_hashes(root: Path, target: str) -> frozenset[str]:
    """Hashes of the rows that a run trained or validated on, over its features and its target.

    Raises:
        EvaluationError: `evaluation.champion` when the run's data is gone.
    """
    try:
        names = [field["name"] for field in _json(root / "data" / "preprocessing.json")["fields"]]
        splits = _json(root / "data" / "splits.json")
    except OSError as error:
        raise EvaluationError(
            f"the champion's run {str(root)!r} no longer has its data: {error}",
            code="evaluation.champion",
            fix="pass the hashes of its rows, or answer whether to compare on all rows",
        ) from error
    rows = np.asarray([*splits["train"], *splits["validation"]], np.int64)
    return frozenset(row_hashes(snapshot_columns(root, [*names, target], rows), [*names, target]))


def snapshot_columns(root: Path, names: Sequence[str], rows: npt.NDArray[np.int64]) -> Columns:
    """Raw values of snapshot rows, as they stood in the file; columns that the snapshot lacks are left out."""
    import polars as pl

    types = {column["name"]: column for column in _json(root / "data" / "snapshot.json")["columns"]}
    known = [name for name in names if name in types]
    frame = pl.read_parquet(root / "data" / "snapshot.parquet", columns=known)[rows]
    return {name: raw_values(frame[name].to_list(), types[name]) for name in known}


def compare(candidate: Candidate, judged: Judged, champion: Champion, measure: Measure, seed: int) -> Document:
    """Score both on the judged rows that the champion has not seen; metrics are None when no row is left."""
    preprocessing = _json(champion.models / "preprocessing.json")
    encoder = load(preprocessing)
    columns = snapshot_columns(candidate.place.root, [*encoder.names, champion.target], judged.sample.rows)
    hashes = row_hashes(columns, [*encoder.names, champion.target])
    left = np.array([i for i, digest in enumerate(hashes) if digest not in champion.seen], np.int64)
    ours = {field["name"] for field in candidate.preprocessing["fields"]}
    document: Document = {
        "rows": len(left),
        "excluded": len(hashes) - len(left),
        "metric": candidate.problem.metric,
        "schema": {"added": sorted(ours - {*encoder.names}), "removed": sorted({*encoder.names} - ours)},
        "champion": None,
        "challenger": None,
        "versus": None,
    }
    if not len(left):
        return document
    answers = _answers(champion, encoder, {n: [v[i] for i in left] for n, v in columns.items()})
    part = Judged(
        judged.split,
        judged.sample.part(left),
        {
            "network": judged.predictions["network"][left],
            "champion": _aligned(candidate, preprocessing, answers),
        },
    )
    return document | _scored(candidate, part, measure, seed)


def _scored(candidate: Candidate, part: Judged, measure: Measure, seed: int) -> Document:
    truth = part.sample.truth
    scored = {name: scores(candidate.problem, truth, given) for name, given in part.predictions.items()}
    drawn = Bootstrap(scored, seed=seed)
    rows = len(truth)
    return {
        "champion": measured_points(point(scored["champion"]), measure, part.split, rows),
        "challenger": measured_points(point(scored["network"]), measure, part.split, rows),
        "versus": versus(drawn, ("network", "champion"), candidate.problem.metric, part, measure),
    }


def _answers(champion: Champion, encoder: RowEncoder, columns: Columns) -> npt.NDArray[np.floating]:
    count = len(next(iter(columns.values())))
    given = {name: columns.get(name, [None] * count) for name in encoder.names}
    try:
        arrays = encoder.encode_columns(given)
    except RowError as error:
        raise EvaluationError(
            f"the champion cannot read the new data: {error.message}",
            code="evaluation.champion",
            field=error.field,
            fix="deploy the challenger under another name, or give data of the old schema",
        ) from error
    return OnnxModel(champion.models / "model.onnx")(arrays)


def _aligned(
    candidate: Candidate, preprocessing: Mapping[str, Any], answers: npt.NDArray[np.floating]
) -> npt.NDArray[np.floating]:
    """The champion's probabilities in the challenger's label order; labels it does not know get zero."""
    problem = candidate.problem
    theirs = preprocessing.get("labels")
    if problem.regression != (theirs is None):
        raise EvaluationError("the champion answers another kind of question", code="evaluation.champion")
    if theirs is None:
        return answers
    place = {str(label): column for column, label in enumerate(theirs)}
    p = np.zeros((len(answers), problem.classes), np.float32)
    for column, label in enumerate(problem.labels):
        if label in place:
            p[:, column] = answers[:, place[label]]
    return p


def _canonical(value: Any) -> str:
    if value is None:
        return ""
    try:
        return repr(float(value))
    except (TypeError, ValueError):
        return str(value)


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
