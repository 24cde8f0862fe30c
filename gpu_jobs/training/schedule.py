"""The learning rate over a run: linear warm-up, a flat part, then half a cosine to zero. No state."""

from __future__ import annotations

import math

from .settings import TrainSettings


def rate_at(step: int, total: int, settings: TrainSettings) -> float:
    """The learning rate of optimiser step `step` (from 0) of `total` planned steps.

    Warm-up rises linearly from 5 % over the share `warmup`; "cosine" then stays until the share `flat` and
    falls as (1 + cos(pi s)) / 2 to zero at the end; "constant" stays.
    """
    share = step / max(1, total)
    rise = min(1.0, 0.05 + 0.95 * share / settings.warmup) if settings.warmup else 1.0
    if settings.schedule == "constant":
        return settings.rate * rise
    begin = max(settings.flat, settings.warmup)
    if share <= begin:
        return settings.rate * rise
    return settings.rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, (share - begin) / (1.0 - begin))))
