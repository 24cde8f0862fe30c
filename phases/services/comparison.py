"""The comparison service: several runs side by side, whether their numbers may be compared at all, and what is best.

It reads what was recorded; it measures and trains nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agents.metrics import BY_NAME
from memory.errors import UsageError
from memory.measurement import Measurement
from memory.store import Memory
from phases.services.runs import Runs
from phases.services.view import build_view
from phases.views import RunView
from phases.workspace import read_json

FEWEST, MOST = 2, 10
SAME_ROWS: Final = {
    "data_sha256": "data",
    "target": "target",
    "split": "split",
    "seed": "seed",
    "judged_on": "rows they were judged on",
}
NOT_RECIPE = frozenset({"seed", "threads", "device", "budget_seconds"})


class Comparison:
    """Runs side by side."""

    def __init__(self, memory: Memory, runs: Runs) -> None:
        self.memory, self.runs = memory, runs

    async def compare(self, runs: Sequence[str]) -> dict[str, Any]:
        """Two to ten runs side by side.

        Args:
            runs: Ids, unique parts of ids, or `latest`; each run once.

        Returns:
            `runs` (one row each: status, data, split, seed, metrics, baselines, parameters, epochs, seconds),
            `differences` (what differs in the recipes: name -> one value per run), `comparable` with `why_not`
            (sentences), `metric` (the one that all have), and `best` or None: `{"run_id", "value", "within_noise",
            "told"}`, where `within_noise` names the runs whose 95 % interval overlaps that of the best.
            A number about a model is the plain form of a `Measurement`.

        Raises:
            UsageError: fewer than two or more than ten different runs.
            InputError: one of them is none.
        """
        ids = list(dict.fromkeys([await self.runs.resolve(run) for run in runs]))
        if not FEWEST <= len(ids) <= MOST:
            raise UsageError(
                f"{len(ids)} different runs were named, and {FEWEST} to {MOST} can be compared",
                code="usage.compare",
                field="runs",
                fix="name each run once; see: neuroloom runs",
            )
        views = [await build_view(self.memory, run) for run in ids]
        known = [await self._known(view) for view in views]
        rows = [_row(view, one) for view, one in zip(views, known, strict=True)]
        metric, why_not = _shared(views), _why_not(rows)
        return {
            "runs": rows,
            "differences": _differences([_recipe(one) for one in known]),
            "comparable": not why_not,
            "why_not": why_not,
            "metric": metric,
            "best": _best(views, metric) if metric and not why_not else None,
        }

    async def _known(self, view: RunView) -> dict[str, Any]:
        """What is recorded about the run's tested (else newest) attempt."""
        names = ("request", "dataset", "artifacts", "architecture", "training-metrics")
        found = {
            name: envelope.value if (envelope := await self.memory.get(view.run_id, name)) else {} for name in names
        }
        attempt = int(found["artifacts"].get("attempt") or view.attempt or 1)
        complete = await self.memory.get(view.run_id, f"phase2-complete-{attempt}")
        folder = Path(view.workspace) / "attempts" / str(attempt)
        trained = _document(folder / "training-result.json")
        if not trained and attempt == view.attempt:
            trained = found["training-metrics"]
        designed = {name: _document(folder / "configs" / f"{name}.json") for name in ("architecture", "training")}
        gate = complete.value["gate"] if complete else []
        return {**found, **designed, "attempt": attempt, "trained": trained, "gate": gate}


def _document(path: Path) -> dict[str, Any]:
    return dict(read_json(path)) if path.is_file() else {}


def _row(view: RunView, known: Mapping[str, Any]) -> dict[str, Any]:
    dataset, trained = known["dataset"], known["trained"]
    built = next((check["measured"] for check in known["gate"] if check["name"] == "architecture_builds"), None)
    judged = view.metrics.get(view.metric or "")
    return {
        "run_id": view.run_id,
        "status": view.status,
        "error": view.error.code if view.error else None,
        "attempt": known["attempt"],
        "data": view.data,
        "data_sha256": dataset.get("sha256"),
        "target": view.target,
        "task": dataset.get("task"),
        "split": dataset.get("split"),
        "seed": known["request"].get("seed"),
        "judged_on": judged.provenance.split if judged else None,
        "metric": view.metric,
        "metrics": {name: one.model_dump(mode="json") for name, one in view.metrics.items()},
        "baselines": {
            name: scores[view.metric].model_dump(mode="json")
            for name, scores in view.baselines.items()
            if view.metric in scores
        },
        "parameters": built,
        "epochs": trained.get("epochs_run"),
        "best_epoch": trained.get("best_epoch"),
        "stopped": trained.get("stopped"),
        "steered": trained.get("steered") or [],
        "training_seconds": trained.get("seconds"),
        "run_seconds": round(sum(phase.seconds or 0.0 for phase in view.phases), 3),
    }


def _why_not(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why the numbers cannot be compared, a sentence each; nothing when all were judged on the same rows."""
    without = [row["run_id"] for row in rows if not row["metrics"]]
    if without:
        return [f"{', '.join(without)}: no measured metrics yet"]
    found = []
    for key, what in SAME_ROWS.items():
        groups: dict[str, list[str]] = {}
        for row in rows:
            groups.setdefault(_shown(row[key]), []).append(row["run_id"])
        if len(groups) > 1:
            told = "; ".join(f"{value}: {', '.join(runs)}" for value, runs in groups.items())
            found.append(f"not the same {what} ({told})")
    return found


def _shown(value: Any) -> str:
    """A value in few words: a hash is cut, the parts of a split are listed."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in sorted(value.items()) if one not in (None, [], ""))
    text = str(value)
    return text[:12] if len(text) == 64 else text


def _shared(views: Sequence[RunView]) -> str | None:
    """The metric to compare by: one that a run is steered by and all have, the first run's before the others'."""
    wanted = [view.metric for view in views if view.metric]
    return next((name for name in wanted if name in BY_NAME and all(name in view.metrics for view in views)), None)


def _best(views: Sequence[RunView], metric: str) -> dict[str, Any]:
    sign = 1.0 if BY_NAME[metric].higher_is_better else -1.0
    ranked = sorted(views, key=lambda view: -sign * view.metrics[metric].value)
    first, *others = ranked
    top = first.metrics[metric]
    close = [view.run_id for view in others if _overlap(top, view.metrics[metric])]
    told = f"{first.run_id} is best by {metric}"
    if close:
        told += f", a difference within the noise to {', '.join(close)}: their 95 % intervals overlap"
    return {"run_id": first.run_id, "value": top.model_dump(mode="json"), "within_noise": close, "told": told}


def _overlap(one: Measurement, other: Measurement) -> bool:
    """Whether the 95 % intervals overlap; of values without one, whether they are equal."""
    if one.interval is None or other.interval is None:
        return one.value == other.value
    return one.interval[0] <= other.interval[1] and other.interval[0] <= one.interval[1]


def _recipe(known: Mapping[str, Any]) -> dict[str, Any]:
    """What was decided for the run, flat: `architecture.width`, `training.rate`, `data.columns` and so on."""
    request, dataset = known["request"], known["dataset"]
    flat = {
        f"{part}.{name}": value
        for part in ("architecture", "training")
        for name, value in known[part].items()
        if not (part == "training" and name in NOT_RECIPE)
    }
    flat |= {f"data.{name}": dataset.get(name) for name in ("metric", "split", "missing") if dataset}
    if dataset:
        flat["data.columns"] = sorted(str(one["name"]) for one in dataset.get("features") or ())
    flat |= {f"request.{name}": request.get(name) for name in ("gates", "requirements", "from_run", "code_version")}
    return flat


def _differences(recipes: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """One value per run of everything that is not the same in all of them."""
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    table = {name: [recipe.get(name) for recipe in recipes] for name in names}
    return {name: values for name, values in table.items() if any(value != values[0] for value in values[1:])}
