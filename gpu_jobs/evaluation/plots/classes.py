"""Figures of a classifier: confusion matrix, calibration, ROC and precision-recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .canvas import BLUE, COLOURS, GRID, ORANGE, TEXT, Plot, sheet, short, spoken

_MOST_LABELLED = 20  # classes whose names and counts still fit on a matrix
_MOST_CURVES = 10


def confusion_plot(folder: Path, confusion: Mapping[str, Any]) -> list[Plot]:
    """Draw a test result's confusion matrix {"labels", "matrix"}."""
    matrix = np.asarray(confusion["matrix"], float)
    labels = [short(label, 16) for label in confusion["labels"]]
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(2.6 + 0.62 * len(labels), 8.0)
    with sheet(folder, "confusion", "Confusion matrix", (side + 0.8, side)) as (page, made):
        picture = page.axes.imshow(share, cmap=_wash(), vmin=0, vmax=1)
        page.axes.grid(visible=False)
        page.axes.spines[:].set_visible(False)
        if len(labels) <= _MOST_LABELLED:
            _cells(page.axes, matrix, labels)
        bar = page.figure.colorbar(picture, ax=page.axes, fraction=0.046, pad=0.03, format="{x:.0%}")
        bar.outline.set_visible(False)
        bar.set_label("share of the true class")
        page.axes.set(xlabel="predicted", ylabel="true")
        right = int(np.trace(matrix))
        page.alt.append(f"{right} of {int(matrix.sum())} rows lie on the diagonal.")
        page.alt.append(_worst(matrix, list(confusion["labels"])))
    return made


def _wash() -> Any:
    """A colour map from transparent to blue, so that empty cells show the page."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    red, green, blue = to_rgb(BLUE)
    return LinearSegmentedColormap.from_list("wash", [(red, green, blue, 0.03), (red, green, blue, 0.85)])


def _cells(axes: Any, matrix: np.ndarray[Any, Any], labels: Sequence[str]) -> None:
    places = range(len(labels))
    slanted = any(len(label) > 6 for label in labels) and len(labels) > 3
    axes.set_xticks(places, labels, rotation=40 if slanted else 0, ha="right" if slanted else "center")
    axes.set_yticks(places, labels)
    axes.tick_params(length=0)
    for row in places:
        for column in places:
            axes.text(
                column,
                row,
                f"{int(matrix[row, column])}",
                ha="center",
                va="center",
                fontsize=10 if len(labels) <= 10 else 7,
                fontweight="bold" if row == column else "normal",
                color=TEXT if matrix[row, column] < 0.5 * max(matrix[row].sum(), 1) else "white",
            )


def _worst(matrix: np.ndarray[Any, Any], labels: list[str]) -> str:
    wrong = matrix - np.diag(np.diag(matrix))
    if not wrong.any():
        return "No row is mistaken."
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    count = int(wrong[row, column])
    return f"The most frequent mistake: {count} rows of {labels[row]!r} predicted as {labels[column]!r}."


def calibration_plot(folder: Path, bins: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """Draw a test result's calibration bins."""
    sure = [float(b["confidence"]) for b in bins]
    right = [float(b["accuracy"]) for b in bins]
    rows = np.array([float(b["rows"]) for b in bins])
    with sheet(folder, "calibration", "Calibration: confidence against accuracy", (5.0, 4.4)) as (page, made):
        page.axes.plot([0, 1], [0, 1], color=GRID, linestyle="--", linewidth=1.2, label="as sure as right")
        page.axes.plot(sure, right, color=BLUE, linewidth=1.2, alpha=0.7)
        size = 20 + 220 * rows / max(rows.max(), 1)
        page.axes.scatter(sure, right, s=size, color=BLUE, alpha=0.75, linewidths=0, label="bin (area: rows)")
        low = max(0.0, min([*sure, *right]) - 0.08)
        page.axes.set(xlim=(low, 1.03), ylim=(low, 1.03))
        page.axes.set(xlabel="confidence of the predicted class", ylabel="share predicted right")
        page.axes.set_aspect("equal")
        page.axes.legend(loc="lower right")
        gap = float((np.abs(np.array(sure) - np.array(right)) * rows).sum() / max(rows.sum(), 1))
        page.alt.append(f"On average over rows, confidence and accuracy of a bin differ by {spoken(gap)}.")
    return made


def curve_plot(folder: Path, name: str, curves: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """Draw the curves of a test result; `name` is "roc" or "precision-recall"."""
    roc = name == "roc"
    title = "ROC curve" if roc else "Precision-recall"
    title += ", each class against the rest" if len(curves) > 1 else ""
    with sheet(folder, name, title, (5.0, 4.4)) as (page, made):
        if roc:
            page.axes.plot([0, 1], [0, 1], color=GRID, linestyle="--", linewidth=1.2, label="chance")
        shown = sorted(curves, key=lambda curve: -curve.get("rows", 0))[:_MOST_CURVES]
        for curve, colour in zip(shown, COLOURS, strict=False):
            x, y = zip(*curve["points"], strict=True)
            label = short(curve["label"], 20)
            label += f"  AUC {curve['auc']['value']:.3f}" if roc and curve.get("auc") else ""
            page.axes.plot(x, y, color=colour, label=label, drawstyle="default" if roc else "steps-post")
            if not roc and len(curves) == 1 and curve.get("share") is not None:
                page.axes.axhline(curve["share"], color=ORANGE, linestyle="--", linewidth=1.2, label="chance")
        page.axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
        names = ("false positive rate", "true positive rate") if roc else ("recall", "precision")
        page.axes.set(xlabel=names[0], ylabel=names[1])
        page.axes.legend(loc="lower right" if roc else "lower left")
        areas = [f"{c['label']!r}: area {c['auc']['value']:.3f}" for c in shown if roc and c.get("auc")]
        page.alt.append(f"{title} on the test split. " + "; ".join(areas))
    return made
