"""Figures that compare: model against baselines, importance of columns, latency of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .canvas import BLUE, GRID, ORANGE, RED, TEXT, Plot, sheet, short, spoken, thousands, values_of

_MOST_BARS = 15
_MOST_TICKS = 8


def baseline_plot(folder: Path, result: Mapping[str, Any]) -> list[Plot]:
    """Draw the decisive metric of the model and of each baseline, with 95 % intervals."""
    metric = result["metric"]
    measured = {"network": result["metrics"].get(metric)}
    measured |= {name: metrics.get(metric) for name, metrics in result["baselines"].items()}
    rows = [(name, measure) for name, measure in measured.items() if measure is not None]
    better = "higher" if result["higher_is_better"] else "lower"
    words = _words(metric)
    title = f"{words[0].upper()}{words[1:]}: model and baselines"
    with sheet(folder, "baselines", title, (6.4, 1.3 + 0.5 * len(rows))) as (page, made):
        for place, (name, measure) in enumerate(reversed(rows)):
            value = float(measure["value"])
            low, high = measure.get("interval") or (value, value)
            colour = BLUE if name == "network" else GRID
            page.axes.plot([low, high], [place, place], color=colour, linewidth=3, solid_capstyle="round")
            page.axes.plot([value], [place], "o", color=colour, markersize=8)
            page.axes.annotate(
                f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}",
                (value, place),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize=9,
            )
            page.alt.append(f"{name}: {spoken(value)} ({spoken(low)} to {spoken(high)}).")
        page.axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
        page.axes.set_ylim(-0.6, len(rows) - 0.3)
        page.axes.margins(x=0.08)
        thousands(page.axes.xaxis, [float(measure["value"]) for _, measure in rows])
        page.axes.grid(visible=False, axis="y")
        page.axes.set_xlabel(f"{_words(metric)} on the {result['split']} split, 95 % interval; {better} is better")
        page.alt.reverse()
    return made


def importance_plot(folder: Path, importance: Sequence[Mapping[str, Any]], metric: str) -> list[Plot]:
    """Draw the columns whose shuffling costs most, largest on top."""
    shown = list(importance[:_MOST_BARS])
    if not shown:
        return []
    with sheet(folder, "importance", "Which columns matter", (6.4, 1.3 + 0.3 * len(shown))) as (page, made):
        drops = np.array(values_of([one["drop"] for one in shown]))[::-1]
        ends = np.array([one["drop"].get("interval") or [one["drop"]["value"]] * 2 for one in shown])[::-1]
        places = np.arange(len(shown))
        page.axes.barh(places, drops, color=BLUE, alpha=0.8, height=0.66)
        spread = np.abs(np.stack([drops - ends[:, 0], ends[:, 1] - drops]))
        page.axes.errorbar(drops, places, xerr=spread, fmt="none", ecolor=TEXT, elinewidth=1.2, capsize=2)
        page.axes.axvline(0, color=GRID, linewidth=0.8)
        thousands(page.axes.xaxis, drops.tolist())
        page.axes.set_yticks(places, [short(one["column"]) for one in reversed(shown)])
        page.axes.grid(visible=False, axis="y")
        page.axes.set_ylim(-0.6, len(shown) - 0.4)
        page.axes.set_xlabel(f"loss of {_words(metric)} when the column is shuffled (validation)")
        first = ", ".join(f"{one['column']!r} ({spoken(one['drop']['value'])})" for one in shown[:5])
        page.alt.append(f"The columns that matter most: {first}.")
    return made


def latency_plot(folder: Path, benchmark: Mapping[str, Any]) -> list[Plot]:
    """Draw the histogram of request times with the median and the 95th and 99th percentile marked."""
    inner = np.asarray(benchmark["histogram"]["edges_ms"], float)
    counts = np.asarray(benchmark["histogram"]["counts"], float)
    if not counts.sum():
        return []
    edges = np.concatenate([[inner[0] / 1.5], inner, [inner[-1] * 1.5]])  # the outer counts are open to their side
    kept = np.flatnonzero(counts)
    first, last = max(0, int(kept[0]) - 1), min(len(counts), int(kept[-1]) + 2)
    counts, edges = counts[first:last], edges[first : last + 1]
    with sheet(folder, "latency", "Latency of POST /predict, one row, one client", (6.4, 3.2)) as (
        page,
        made,
    ):
        page.axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=BLUE, alpha=0.75)
        marks = (
            ("latency_p50_ms", "median", TEXT),
            ("latency_p95_ms", "95 %", ORANGE),
            ("latency_p99_ms", "99 %", RED),
        )
        for name, label, colour in marks:
            if benchmark.get(name):
                value = float(benchmark[name]["value"])
                text = f"{label}: {value:.2f} ms"
                page.axes.axvline(value, color=colour, linestyle="--", linewidth=1.4, label=text)
                page.alt.append(f"{text}.")
        page.axes.set(xlabel="milliseconds", ylabel="requests", xscale="log")
        ticks = _apart(edges[1:-1].tolist())
        page.axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        page.axes.minorticks_off()
        page.axes.legend()
    return made


def _apart(edges: Sequence[float]) -> list[float]:
    """Those of some ascending edges whose labels have room beside each other on a logarithmic axis."""
    room = np.log(edges[-1] / edges[0]) / _MOST_TICKS if len(edges) else 0.0
    kept: list[float] = []
    for edge in edges:
        if not kept or np.log(edge / kept[-1]) >= room:
            kept.append(float(edge))
    return kept


def _words(metric: str) -> str:
    return {"rmse": "RMSE", "mae": "MAE", "r2": "R²", "auc": "AUC", "f1": "F1", "macro_f1": "macro F1"}.get(
        metric, metric.replace("_", " ")
    )
