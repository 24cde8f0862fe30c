"""Who watches a training run: where it reports and is told to stop. Jobs and `train.py` bring one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Watch(Protocol):
    """The outside of a training run; a job object is one."""

    @property
    def stopping(self) -> bool:
        """True when training must save itself and stop; asked before every step, so it must be cheap."""
        ...

    def control(self) -> Mapping[str, Any]:
        """`{"orders": [order, …]}`, every order of a person so far (see `orders.obey`); {} for none."""
        ...

    def emit(self, type: str, **fields: Any) -> None:
        """Report one event."""
        ...


class Silent:
    """Watches nothing and orders nothing."""

    stopping = False

    def control(self) -> Mapping[str, Any]:
        """No orders."""
        return {}

    def emit(self, type: str, **fields: Any) -> None:
        """Drop the event."""
