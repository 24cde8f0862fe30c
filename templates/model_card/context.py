"""What a model card says. Metrics are measurements; a bare float does not validate."""

from __future__ import annotations

from memory.measurement import Measurement
from templates.frozen import Frozen
from templates.report.context import Baseline, Check, Override


class ModelCardContext(Frozen):
    """The model in one page, for whoever has to decide whether to use it.

    Attributes:
        rows: rows of each split, in order.
        features: (column, kind) pairs the model reads; `dropped`: (column, reason).
        limits: sentences about where it should not be trusted.
        architecture: one line.
        rejected: the checks that a gate refused the model for; `override`: why it is served all the same.
    """

    name: str
    version: str
    run: str
    created: str
    goal: str | None = None
    task: str
    target: str
    positive: str | None = None
    labels: tuple[str, ...] = ()
    primary: str
    metrics: dict[str, Measurement]
    baselines: tuple[Baseline, ...] = ()
    rows: dict[str, int]
    split: str
    dataset_sha256: str
    source: str
    features: tuple[tuple[str, str], ...]
    dropped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    architecture: str
    rejected: tuple[Check, ...] = ()
    override: Override | None = None
