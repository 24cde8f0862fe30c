"""What can go wrong when a generated server is started or measured, with the attributes of a job's error."""

from __future__ import annotations


class ServingError(Exception):
    """A server that did not start, or did not answer as it should.

    Attributes:
        code: `serving.*`.
        message: what happened, with the end of the server's log where there is one.
        field: always None; here because every error of a job has it.
        fix: what to do about it.
    """

    def __init__(self, message: str, *, code: str, field: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.field, self.fix = code, message, field, fix
