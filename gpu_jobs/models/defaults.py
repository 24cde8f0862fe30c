"""Recommended networks and training settings by task and rows; how they were found is in `benchmarks/RESULTS.md`.

Plain data, no torch: agents start from these and change what the data demands. Thresholds, not laws.
"""

from __future__ import annotations

from typing import Any

from .architecture import Architecture, Inputs, Task

SMALL_ROWS = 2_000
"""Below this many training rows: no number embedding, few members, strong regularisation."""
SMALL_PATIENCE = 25
"""An epoch of a small table is a dozen steps, and a plateau of ten epochs is not yet the end of learning."""
LARGE_ROWS = 100_000
"""Above this many: larger batches and half of the members, so that an epoch stays short."""
HUGE_ROWS = 500_000
"""Above this many: a quarter of the members."""


def recommended_architecture(
    task: Task, rows: int, numbers: int, categories: tuple[int, ...], outputs: int
) -> dict[str, Any]:
    """An ARCH document for `rows` training rows.

    Args:
        task: binary, multiclass or regression.
        rows: training rows.
        numbers: encoded float columns.
        categories: levels of each embedded column.
        outputs: classes, or 1.
    """
    if rows < SMALL_ROWS:
        choice: dict[str, Any] = {
            "members": 4, "depth": 2, "width": 128, "dropout": 0.3, "scale_members": True,
        }  # fmt: skip
    else:
        members = 8 if rows <= LARGE_ROWS else 4 if rows <= HUGE_ROWS else 2
        choice = {
            "members": members, "depth": 3, "width": 128, "number_embedding": "piecewise",
            "bins": 256, "bin_size": 4, "dropout": 0.0 if task == "regression" else 0.1,
        }  # fmt: skip
    architecture = Architecture(Inputs(numbers, categories), outputs, task, **choice)
    return architecture.as_dict()


def recommended_training(task: Task, rows: int) -> dict[str, Any]:
    """A TRAIN document (recommended fields only) for `rows` training rows."""
    classes = task != "regression"
    if rows < SMALL_ROWS:
        batch = 64 if rows < 1_000 else 128
        return {
            "epochs": max(80, min(400, 80_000 // rows)), "batch": batch,
            "rate": 3e-3 if classes and rows < 1_000 else 6e-3,
            "label_smoothing": 0.02 if classes and rows >= 1_000 else 0.0,
            "weight_decay": 0.3, "ema": 0.98, "patience": SMALL_PATIENCE,
        }  # fmt: skip
    batch = 256 if rows <= LARGE_ROWS else 2048
    epochs = max(8, min(60, 320_000 // rows)) if classes else max(10, min(100, 400_000 // rows))
    return {
        "epochs": epochs, "batch": batch, "rate": 6e-3 if classes else 2e-2, "weight_decay": 0.02, "ema": 0.98,
        "patience": 10,
    }  # fmt: skip
