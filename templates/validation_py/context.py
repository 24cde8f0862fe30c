"""What the validation script is generated from."""

from __future__ import annotations

from templates.frozen import Frozen


class ValidationPyContext(Frozen):
    """`tolerance` is the largest relative difference that still counts as equal."""

    name: str
    run: str
    tolerance: float = 1e-4
