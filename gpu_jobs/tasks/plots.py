"""Job `plots`: the figures of a run's report. It computes no number."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, Any]:
    """Write reports/*.svg from results; give {"plots": [{"file", "title", "alt"}]}.

    Args: "results": {"test", "evaluate", "benchmark"}, each the document or null; "history": path of history.json
    or null; "target": name of the target (optional).
    """
    from gpu_jobs.evaluation.plots.classes import class_plots
    from gpu_jobs.evaluation.plots.comparison import baseline_plot, importance_plot, latency_plot
    from gpu_jobs.evaluation.plots.numbers import number_plots
    from gpu_jobs.evaluation.plots.training import training_plots

    results = job.args.get("results") or {}
    folder = job.root / "reports"
    plots = []
    epochs, best = _history(job)
    plots += training_plots(folder, epochs, best)
    evaluated, benchmark = results.get("evaluate"), results.get("benchmark")
    shown = results.get("test") or evaluated
    if shown:
        plots += baseline_plot(folder, shown)
        plots += class_plots(folder, shown)
        if shown.get("residuals"):
            plots += number_plots(folder, shown["residuals"], job.args.get("target") or "value")
        importance = (evaluated or shown).get("importance") or shown.get("importance") or []
        plots += importance_plot(folder, importance, shown["metric"])
    if benchmark and benchmark.get("histogram"):
        plots += latency_plot(folder, benchmark)
    return {"plots": [plot.as_dict() for plot in plots]}


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
