"""The one error tree of Neuroloom, with stable codes. It raises nothing by itself and knows no door.

NeuroloomError
├── InputError        input.*              what a person gave cannot be used
├── UsageError        usage.*              a call or a flag that makes no sense
├── RedisAway         memory.away          no usable answer from Redis
├── MemoryConflict    memory.conflict      somebody else changed the value since it was read
├── StaleEpoch        memory.stale_epoch   another runner has taken the run over
├── AssertedOnly      memory.asserted      a claim stands where a measured value was asked for
├── SchemaRefused     memory.schema        the stored state belongs to another version of Neuroloom
├── BackendError      backend.*            the place where jobs run failed
├── JobError          job.*                a job failed
├── RunError          run.*                a run cannot go on
├── GateRejected      gate.rejected        a blocking check failed
├── DeployError       deploy.*             a deployment could not be made or changed
└── PrivacyRefused    privacy.refused      it may hold cells of a person's table, which do not leave here
└── CallRefused       auth.* limit.* …     the chat door does not make this call (mcp_server.refusal)
"""
# ruff: noqa: N818  (the names say what happened: StaleEpoch, not StaleEpochError)

from __future__ import annotations

from typing import ClassVar


class NeuroloomError(Exception):
    """Base of all errors that a door may show: one message, a stable code, the field at fault and the fix.

    Args:
        message: What is wrong, naming the culprit and the valid choices.
        code: Stable dotted code; the class's own when absent.
        field: The flag, column or key at fault, if there is one.
        fix: What to do about it, as a sentence or a command.

    Example:
        >>> InputError("no column 'agee'", code="input.no_such_target", field="target").as_dict()["code"]
        'input.no_such_target'
    """

    default_code: ClassVar[str] = "neuroloom.error"

    def __init__(
        self, message: str, *, code: str | None = None, field: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.field = field
        self.fix = fix

    def as_dict(self) -> dict[str, str | None]:
        """The error as the `error` document of `--json`: code, message, field, fix."""
        return {"code": self.code, "message": self.message, "field": self.field, "fix": self.fix}


class InputError(NeuroloomError):
    """What a person gave (file, column, value) cannot be used."""

    default_code = "input.invalid"


class UsageError(NeuroloomError):
    """A call, flag or name that makes no sense here."""

    default_code = "usage.invalid"


class RedisAway(NeuroloomError):
    """No usable answer from Redis; nothing is lost, and what was being written was either written or not."""

    default_code = "memory.away"


class MemoryConflict(NeuroloomError):
    """Somebody else changed the value since it was read; nothing was written."""

    default_code = "memory.conflict"


class StaleEpoch(NeuroloomError):
    """Another runner has taken the run over; nothing was written, and the caller must stop."""

    default_code = "memory.stale_epoch"


class AssertedOnly(NeuroloomError):
    """A claim of a person or a tool stands where only a measured value counts."""

    default_code = "memory.asserted"


class SchemaRefused(NeuroloomError):
    """The stored state was written by another version of Neuroloom and is left untouched."""

    default_code = "memory.schema"


class BackendError(NeuroloomError):
    """The place where jobs run could not do what it was asked."""

    default_code = "backend.failed"


class JobError(NeuroloomError):
    """A job failed, was lost or ran out of its limits."""

    default_code = "job.failed"


class RunError(NeuroloomError):
    """A run cannot go on, or the call does not fit its state."""

    default_code = "run.failed"


class GateRejected(NeuroloomError):
    """A blocking check of a gate failed."""

    default_code = "gate.rejected"


class DeployError(NeuroloomError):
    """A deployment could not be made, changed or found."""

    default_code = "deploy.failed"


class PrivacyRefused(NeuroloomError):
    """What was asked for may hold cells of a person's table, and the privacy level keeps them here."""

    default_code = "privacy.refused"
