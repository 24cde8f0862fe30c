"""The processes that train together, as the loop sees them: sum a tensor, agree on rank 0's word, answer a call.

`Alone` is one process; `GlooGroup` (workers.py) is several.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class Group(Protocol):
    """Ranks 0 .. world - 1; every rank makes the same calls in the same order."""

    rank: int
    world: int

    def sum(self, tensor: Tensor) -> None:
        """Replace `tensor` on every rank by the sum over ranks, the same bits everywhere."""
        ...

    def agree(self, value: Any) -> Any:
        """Rank 0's `value`, on every rank."""
        ...

    def echo(self, rank: int) -> float:
        """Seconds that a word takes from rank 0 to `rank` and back, on rank 0; 0.0 on the others."""
        ...


class Alone:
    """One process."""

    rank = 0
    world = 1

    def sum(self, tensor: Tensor) -> None:
        """Nothing to add."""

    def agree(self, value: Any) -> Any:
        """Its own value."""
        return value

    def echo(self, rank: int) -> float:  # noqa: ARG002 - the protocol's
        """Nobody to talk to."""
        return 0.0
