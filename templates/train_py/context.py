"""What the training script is generated from. Data, splits and decisions are not here: it reads the workspace."""

from __future__ import annotations

from templates.frozen import Frozen


class TrainPyContext(Frozen):
    """`seed` is the one that the run's jobs had."""

    name: str
    run: str
    seed: int = 0
