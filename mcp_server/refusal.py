"""What the chat door answers instead of a call it does not make: a code, what is valid, what to do next."""
# ruff: noqa: N818  (the name says what happened, as in memory.errors)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from memory.errors import NeuroloomError

SHOWN = 80


class CallRefused(NeuroloomError):
    """The chat door did not make this call.

    Args:
        message: What is wrong.
        code: `auth.scope`, `limit.rate`, `limit.at_once`, `audit.unwritable` or `usage.*`.
        field: The argument at fault.
        valid: What would be right, as a list of choices.
        next: What to do about it; `fix` of the other errors.
        retry_after_s: Seconds after which the same call may be made again.
    """

    default_code: ClassVar[str] = "auth.refused"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        field: str | None = None,
        valid: Sequence[str] = (),
        next: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message, code=code, field=field, fix=next)
        self.valid = tuple(valid)
        self.retry_after_s = retry_after_s

    def document(self) -> dict[str, Any]:
        """The error as structured content: `{"error": {code, message, field, valid, next, …}}`."""
        error: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "valid": list(self.valid),
            "next": self.fix,
        }
        if self.retry_after_s is not None:
            error["retry_after_s"] = self.retry_after_s
        return {"error": error}


def shown(name: object) -> str:
    """A name that came from outside, quoted and bounded."""
    text = repr(name)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
