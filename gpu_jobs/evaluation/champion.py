"""A serving champion against its challenger, on test rows that the champion has never seen. It swaps nothing.

The champion predicts raw rows through its own encoder and graph. Rows that it trained or validated on are recognised by
their values (`seen`), so that the two runs may have read different files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.rows import RowEncoder, RowError, load
from ..export.session import OnnxModel
from .bootstrap import Bootstrap
from .candidate import Candidate
from .errors import EvaluationError
from .metrics import point
from .scorecard import Document, Judged, Measure, measured_points, versus
from .scoring import scores
from .seen import Table, changed, learnt, row_hashes, seen

Columns = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Champion:
    """A published model to compare with.

    Attributes:
        models: its folder, with model.onnx and preprocessing.json.
        target: name of its target column.
        run: its run folder, whose rows it trained or validated on; None when that is gone.
        exclude: hashes (`row_hashes`) of rows that it has seen, over its features and target.
    """

    models: Path
    target: str
    run: Path | None = None
    exclude: frozenset[str] = frozenset()


def compare(candidate: Candidate, judged: Judged, champion: Champion, measure: Measure, seed: int) -> Document:
    """Score both on the judged rows that the champion has not seen; metrics are None when no row is left.

    "schema" says how the tables differ: champion's columns "missing" now, "extra" ones that only the challenger uses,
    and "changed" ones that are of another type now.
    """
    preprocessing = _json(champion.models / "preprocessing.json")
    encoder = load(preprocessing)
    wanted = [*encoder.names, champion.target]
    table = Table.read(candidate.place.root, wanted, judged.sample.rows)
    known, differing = _seen(champion, table, wanted)
    left = np.flatnonzero(~known)
    ours = {field["name"] for field in candidate.preprocessing["fields"]}
    document: Document = {
        "rows": len(left),
        "excluded": len(known) - len(left),
        "metric": candidate.problem.metric,
        "schema": {
            "missing": sorted({*encoder.names} - table.kinds.keys()),
            "extra": sorted(ours - {*encoder.names}),
            "changed": differing,
        },
        "champion": None,
        "challenger": None,
        "versus": None,
        "difference": None,
    }
    if not len(left):
        return document
    answers = _answers(champion, encoder, {n: [v[i] for i in left.tolist()] for n, v in table.columns.items()})
    part = Judged(
        judged.split,
        judged.sample.part(left),
        {
            "network": judged.predictions["network"][left],
            "champion": _aligned(candidate, preprocessing, answers),
        },
    )
    return document | _scored(candidate, part, measure, seed)


def _seen(champion: Champion, table: Table, wanted: list[str]) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """For each row of the table whether the champion has seen it, and the columns of another type."""
    known = np.zeros(table.rows, bool)
    if champion.exclude and table.columns:
        known |= [digest in champion.exclude for digest in row_hashes(table.columns, wanted)]
    if champion.run is None:
        return known, []
    old = learnt(champion.run, wanted)
    return known | seen(table, old), changed(table, old)


def _scored(candidate: Candidate, part: Judged, measure: Measure, seed: int) -> Document:
    truth = part.sample.truth
    scored = {name: scores(candidate.problem, truth, given) for name, given in part.predictions.items()}
    drawn = Bootstrap(scored, seed=seed)
    rows = len(truth)
    found = versus(drawn, ("network", "champion"), candidate.problem.metric, part, measure)
    return {
        "champion": measured_points(point(scored["champion"]), measure, part.split, rows),
        "challenger": measured_points(point(scored["network"]), measure, part.split, rows),
        "versus": found,
        "difference": found and found["difference"],
    }


def _answers(champion: Champion, encoder: RowEncoder, columns: Columns) -> npt.NDArray[np.floating]:
    try:
        arrays = encoder.encode_columns({name: columns[name] for name in encoder.names if name in columns})
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


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
