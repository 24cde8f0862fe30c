"""What every decision carries (who, why, on what evidence) and the record kept of one. It decides nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Role = Literal["ml-developer", "neural-orchestrator", "cicd-engineer"]
OneLine = Annotated[str, StringConstraints(min_length=1, max_length=600, pattern=r"^[^\r\n]+$")]


class AgentDecision(BaseModel):
    """A typed choice of one role.

    Attributes:
        agent: The role that decides.
        reason: One line in plain words.
        evidence: The measured facts it rests on, plain JSON values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    agent: Role
    reason: OneLine
    evidence: dict[str, Any] = Field(default_factory=dict)


class Decision(BaseModel):
    """The record of a decision, as appended to `neural/<run>/decisions`.

    Attributes:
        key: What was decided, unique in the run, such as `task-plan` or `diagnosis-1`.
        type: Name of the decision's type, a key of `agents.decisions.TYPES`.
        agent: The role that decided.
        reasoner: Who thought for it: `rules`, or a model.
        reason: The decision's one line.
        evidence: The decision's evidence.
        value: The whole decision as plain JSON values.
        at: UTC time, ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    type: str
    agent: Role
    reasoner: str
    reason: OneLine
    evidence: dict[str, Any]
    value: dict[str, Any]
    at: str

    @classmethod
    def record(cls, decision: AgentDecision, *, key: str, reasoner: str, at: datetime | None = None) -> Decision:
        """The record of `decision`; `at` defaults to now."""
        return cls(
            key=key,
            type=type(decision).__name__,
            agent=decision.agent,
            reasoner=reasoner,
            reason=decision.reason,
            evidence=decision.evidence,
            value=decision.model_dump(mode="json"),
            at=(at or datetime.now(UTC)).isoformat(timespec="seconds"),
        )

    def typed(self) -> AgentDecision:
        """The decision itself, checked again against its type's limits.

        Raises:
            KeyError: `type` names no decision type.
            pydantic.ValidationError: The stored value breaks a limit.
        """
        from agents.decisions import TYPES

        return TYPES[self.type].model_validate(self.value)
