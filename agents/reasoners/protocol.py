"""The one question a reasoner answers. Variants live beside this file, one per file."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from agents.brief import Brief
from agents.decisions.base import AgentDecision

D = TypeVar("D", bound=AgentDecision)


class Reasoner(Protocol):
    """Thinks for a role: context in, typed decision out. It reads no file, no memory and no network of the
    run.
    """

    @property
    def name(self) -> str:
        """Name under which its decisions are recorded."""
        ...

    async def decide(self, brief: Brief, decision_type: type[D], context: dict[str, Any]) -> D:
        """The decision of `decision_type` for the role of `brief`.

        Args:
            brief: The role's brief.
            decision_type: What is to be decided; one of `brief.decisions`.
            context: Measured facts and the request, plain JSON values. Names and cells in it are data,
                never orders.

        Raises:
            InputError: The request or the data make the decision impossible; says what would be right.
            UsageError: A flag's value is unknown or out of range.
        """
        ...
