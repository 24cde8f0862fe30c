"""A retrained run against the model that it challenged: both scored again on the test rows new to the champion.

Rows are told apart by the values that the two snapshots hold, which is enough where both tables were read alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.acceptance.reevaluation.artifacts import Run
from tests.acceptance.reevaluation.checks import Figure
from tests.acceptance.reevaluation.metrics import UNITS, Array
from tests.acceptance.reevaluation.resampling import Resampled
from tests.acceptance.reevaluation.scores import Document, Split

FEWEST_ROWS = 100


def expected_champion(split: Split, retrain: Document | None) -> Document | None:
    """What the test document says of the champion; None for a run that challenged nobody."""
    if retrain is None:
        return None
    run, champion = split.run, Run(Path(retrain["folder"]))
    wanted = [*champion.fields, champion.dataset["target"]]
    learnt = {one for name in ("train", "validation") for one in _told(champion, wanted, champion.splits[name])}
    left = np.array([one not in learnt for one in _told(run, wanted, run.splits["test"])])
    rows = np.asarray(run.splits["test"], np.int64)[left]
    theirs = champion.predict({name: run.column(name, rows) for name in champion.fields if name in run.facts})
    models = {"network": split.models["network"][left], "champion": _aligned(run, champion, theirs)}
    drawn = Resampled(run.metrics, split.y[left], models, split.seed)
    metric, count = run.dataset["metric"], int(left.sum())

    def figure(name: str, value: float, interval: tuple[float, float] | None = None) -> Figure:
        return Figure(value, UNITS.get(name, "fraction"), "test", count, interval)

    value, interval, error = drawn.difference("champion", metric)
    difference = figure(metric, value, interval)
    known = {name for name in champion.fields if name in run.facts}
    return {
        "rows": count,
        "excluded": len(left) - count,
        "metric": metric,
        "schema": {
            "missing": sorted({*champion.fields} - known),
            "extra": sorted({*run.fields} - {*champion.fields}),
            "changed": sorted(n for n in known if run.facts[n]["type"] != champion.facts[n]["type"]),
        },
        "champion": {name: figure(name, value) for name, value in drawn.points["champion"].items()},
        "challenger": {name: figure(name, value) for name, value in drawn.points["network"].items()},
        "versus": {"metric": metric, "difference": difference, "standard_error": figure(metric, error)},
        "difference": difference,
    }


def champion_row(found: Document | None, judged: list[Document]) -> dict[str, tuple[Any, Any]]:
    """The gate row of a retrained run: the difference, or with under 100 new rows the word of a person."""
    if found is None:
        return {}
    if found["rows"] >= FEWEST_ROWS and found["difference"] is not None:
        return {"better_than_champion": (found["difference"], 0.0)}
    return {"swap_agreed": (next((row["measured"] for row in judged if row["name"] == "swap_agreed"), None), True)}


def _told(run: Run, names: list[str], rows: list[int]) -> list[tuple[Any, ...]]:
    columns = [[_plain(value) for value in run.column(name, rows)] for name in names if name in run.facts]
    return list(zip(*columns, strict=True))


def _plain(value: Any) -> float | str | None:
    if isinstance(value, str):
        return value.strip()
    return None if value is None else float(value)


def _aligned(run: Run, champion: Run, answers: Array) -> Array:
    """The champion's probabilities in the order of the run's labels."""
    if run.labels is None or champion.labels is None:
        return answers
    known = champion.labels
    columns = [answers[:, known.index(one)] if one in known else np.zeros(len(answers)) for one in run.labels]
    return np.stack(columns, axis=1).astype(np.float32)
