"""Job `plots`: the figures of a run's report. It computes no number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu_jobs.evaluation.plots.canvas import Plot
    from gpu_jobs.tasks.job import Job

# What drawing raises on data that it cannot show; a full disk and an interrupted job are no such thing.
_CANNOT_DRAW = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
Drawing = Callable[[], "list[Plot]"]


def run(job: Job) -> dict[str, Any]:
    """Write reports/*.svg and .png from results; give {"plots": [{"file", "picture", "title", "alt"}], "notes": [...]}.

    A figure that cannot be drawn is a note, {"code", "message", "column", "count"}; the others are drawn.

    Args: "results": {"test", "evaluate", "benchmark"}, each the document or null; "history": path of history.json
    or null; "target": name of the target (optional).
    """
    plots: list[dict[str, str]] = []
    notes: list[dict[str, Any]] = []
    for name, draw in (*_of_training(job), *_of_results(job)):
        job.check()
        try:
            plots += [plot.as_dict() for plot in draw()]
        except _CANNOT_DRAW as error:
            message = f"the figure {name!r} could not be drawn: {type(error).__name__}: {error}"[:300]
            notes.append({"code": "plot_failed", "message": message, "column": None, "count": None})
    return {"plots": plots, "notes": notes}


def _of_training(job: Job) -> Iterator[tuple[str, Drawing]]:
    from gpu_jobs.evaluation.plots.training import loss_plot, rate_plot

    folder = job.root / "reports"
    epochs, best = _history(job)
    yield "loss", partial(loss_plot, folder, epochs, best)
    yield "rate", partial(rate_plot, folder, epochs)


def _of_results(job: Job) -> Iterator[tuple[str, Drawing]]:
    """Each figure that the results have data for, under its name."""
    from gpu_jobs.evaluation.plots.comparison import baseline_plot, importance_plot, latency_plot

    folder = job.root / "reports"
    results = job.args.get("results") or {}
    evaluated, benchmark = results.get("evaluate"), results.get("benchmark")
    shown = results.get("test") or evaluated
    if shown:
        yield "baselines", partial(baseline_plot, folder, shown)
        yield from _of_predictions(job, shown)
        importance = (evaluated or shown).get("importance") or shown.get("importance") or []
        yield "importance", partial(importance_plot, folder, importance, shown["metric"])
    if benchmark and benchmark.get("histogram"):
        yield "latency", partial(latency_plot, folder, benchmark)


def _of_predictions(job: Job, shown: dict[str, Any]) -> Iterator[tuple[str, Drawing]]:
    from gpu_jobs.evaluation.plots.classes import calibration_plot, confusion_plot, curve_plot
    from gpu_jobs.evaluation.plots.numbers import against_plot, residual_plot

    folder = job.root / "reports"
    if shown.get("confusion"):
        yield "confusion", partial(confusion_plot, folder, shown["confusion"])
    if shown.get("calibration"):
        yield "calibration", partial(calibration_plot, folder, shown["calibration"])
    for key, name in (("roc", "roc"), ("pr", "precision-recall")):
        if shown.get(key):
            yield name, partial(curve_plot, folder, name, shown[key])
    if shown.get("residuals"):
        target = job.args.get("target") or "value"
        yield "predicted", partial(against_plot, folder, shown["residuals"], target)
        yield "residuals", partial(residual_plot, folder, shown["residuals"], target)


def _history(job: Job) -> tuple[list[dict[str, Any]], int | None]:
    """The epochs of history.json, and the one whose weights were kept."""
    given = job.args.get("history")
    path = job.path(given) if given else None
    if path is None or not path.exists():
        return [], None
    document = json.loads(path.read_text("utf-8"))
    epochs = document["epochs"] if isinstance(document, dict) else document
    best = document.get("best_epoch") if isinstance(document, dict) else None
    if best is None:
        held = [epoch for epoch in epochs if epoch.get("validation_loss") is not None]
        best = min(held, key=lambda epoch: epoch["validation_loss"])["epoch"] if held else None
    return epochs, best
