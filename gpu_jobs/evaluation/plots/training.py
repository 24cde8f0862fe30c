"""Figures of the training run: loss with the best epoch marked, and learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .canvas import BLUE, GREEN, ORANGE, PURPLE, Plot, sheet, spoken

Epochs = Sequence[Mapping[str, Any]]


def _series(epochs: Epochs, name: str) -> tuple[list[int], list[float]]:
    known = [(int(e["epoch"]), float(e[name])) for e in epochs if e.get(name) is not None]
    return [x for x, _ in known], [y for _, y in known]


def loss_plot(folder: Path, epochs: Epochs, best: int | None) -> list[Plot]:
    """Draw the losses of a run's epochs; `best` is the epoch whose weights were kept.

    An epoch is a mapping with "epoch", "train_loss", "validation_loss" and "rate"; with none, nothing is drawn.
    """
    if not epochs:
        return []
    with sheet(folder, "loss", "Loss per epoch") as (page, made):
        marker = "o" if len(epochs) < 3 else None
        for name, label, colour in (("train_loss", "train", BLUE), ("validation_loss", "validation", ORANGE)):
            x, y = _series(epochs, name)
            page.axes.plot(x, y, label=label, color=colour, marker=marker)
            page.alt.append(f"{label.capitalize()} loss goes from {spoken(y[0])} to {spoken(y[-1])}." if y else "")
        held = dict(zip(*_series(epochs, "validation_loss"), strict=True))
        if best in held:
            page.axes.axvline(best, color=GREEN, linestyle="--", linewidth=1.2)
            page.axes.plot([best], [held[best]], "o", color=GREEN, label=f"best: epoch {best}")
            what = "lowest validation loss" if held[best] == min(held.values()) else "validation loss of what was kept"
            page.alt.append(f"The {what}, {spoken(held[best])}, is at epoch {best} of {len(epochs)}.")
        page.axes.set(xlabel="epoch", ylabel="loss")
        page.axes.xaxis.get_major_locator().set_params(integer=True)
        page.axes.legend()
    return made


def rate_plot(folder: Path, epochs: Epochs) -> list[Plot]:
    """Draw the learning rate of each epoch."""
    x, y = _series(epochs, "rate")
    if not y:
        return []
    with sheet(folder, "rate", "Learning rate", (6.4, 2.6)) as (page, made):
        page.axes.plot(x, y, color=PURPLE, marker="o" if len(x) < 3 else None)
        page.axes.set(xlabel="epoch", ylabel="learning rate")
        page.axes.set_ylim(bottom=0)
        page.axes.xaxis.get_major_locator().set_params(integer=True)
        page.alt.append(f"The learning rate peaks at {spoken(max(y))} and ends at {spoken(y[-1])}.")
    return made
