"""What people order of a training run that goes on: which orders are new, and what each changes. It keeps no state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .progress import Progress

LEAST_FACTOR, MOST_FACTOR = 0.01, 100.0
MOST_EPOCHS = 100_000


def fresh(control: Mapping[str, Any], obeyed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The orders in `control` that are not among the records of `obeyed`, in the order in which they were given."""
    known = {record["order"] for record in obeyed}
    return [dict(order) for order in control.get("orders") or () if order.get("id") not in known]


def obey(order: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Change rate and number of epochs as ordered; what is out of its range changes nothing.

    Args:
        order: `{"id", "stop_early", "rate", "epochs", "metric"}`; all but `id` may be absent. `rate` multiplies what
            the rate is by then, `epochs` is the new most.
        progress: Where the run stands, between two epochs.

    Returns:
        The record of it: `{"order": id, "epoch": the epoch after which it holds, …what it changed}`.
    """
    record: dict[str, Any] = {"order": order["id"], "epoch": progress.epoch}
    rate, epochs = order.get("rate"), order.get("epochs")
    if isinstance(rate, int | float) and LEAST_FACTOR <= rate <= MOST_FACTOR:
        progress.rate_factor *= rate
        record["rate"] = float(rate)
    if isinstance(epochs, int) and 0 < epochs <= MOST_EPOCHS:
        progress.epochs = max(epochs, progress.epoch)
        record["epochs"] = progress.epochs
    if order.get("stop_early"):
        record["stop_early"] = True
    return record
