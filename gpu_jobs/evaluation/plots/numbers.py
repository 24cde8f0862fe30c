"""Figures of a regression: predicted against true, and residuals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .canvas import BLUE, GRID, ORANGE, Plot, sheet, short, spoken, thousands


def against_plot(folder: Path, residuals: Mapping[str, Any], target: str) -> list[Plot]:
    """Draw the "points" [[true, predicted] …] of a test result's residuals."""
    points = np.asarray(residuals["points"], float)
    with sheet(folder, "predicted", "Predicted against true", (5.0, 4.4)) as (page, made):
        ends = [float(points.min()), float(points.max())]
        page.axes.plot(ends, ends, color=GRID, linestyle="--", linewidth=1.2, label="predicted = true")
        page.axes.scatter(points[:, 0], points[:, 1], s=11, color=BLUE, alpha=0.45, linewidths=0, label="row")
        page.axes.set(xlabel=f"true {short(target)}", ylabel=f"predicted {short(target)}")
        page.axes.legend(loc="upper left")
        thousands(page.axes.xaxis, ends)
        thousands(page.axes.yaxis, ends)
        if len(points) > 1 and points.std(axis=0).all():
            together = float(np.corrcoef(points.T)[0, 1])
            page.alt.append(f"{len(points)} rows; true and predicted correlate with {spoken(together)}.")
    return made


def residual_plot(folder: Path, residuals: Mapping[str, Any], target: str) -> list[Plot]:
    """Draw the "histogram" {"edges", "counts"} and say the "median" of a test result's residuals."""
    edges = np.asarray(residuals["histogram"]["edges"], float)
    counts = np.asarray(residuals["histogram"]["counts"], float)
    with sheet(folder, "residuals", "Residuals", (6.4, 3.2)) as (page, made):
        page.axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=BLUE, alpha=0.75)
        page.axes.axvline(0, color=ORANGE, linestyle="--", linewidth=1.4)
        page.axes.set(xlabel=f"predicted - true {short(target)}", ylabel="rows")
        thousands(page.axes.xaxis, edges.tolist())
        page.alt.append(f"Half of the residuals lie below {spoken(float(residuals['median']))}.")
    return made
