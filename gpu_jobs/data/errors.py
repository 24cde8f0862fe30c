"""What the training code raises when data is unusable. Jobs and doors read its attributes; it knows neither.

Exception
└── DataError          code "input.*": the person's data or request cannot be used, `fix` says what to do
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from .rows.errors import LONGEST_NAME, short


class DataError(Exception):
    """Data or a request about data that cannot be used.

    Attributes:
        message: What is wrong, naming the culprit.
        code: Stable code, such as ``input.ragged``.
        field: The column or option at fault, or None.
        fix: What the person can do about it, or None.
    """

    def __init__(self, message: str, code: str, field: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field
        self.fix = fix


def nearest(name: str, choices: Iterable[str], count: int = 3, cutoff: float = 0.4) -> list[str]:
    """The choices most like `name`, best first, ignoring case and what follows the first 80 characters."""
    by_lower: dict[str, str] = {}
    for choice in choices:
        by_lower.setdefault(choice[:LONGEST_NAME].lower(), choice)
    found = get_close_matches(name[:LONGEST_NAME].lower(), list(by_lower), n=count, cutoff=cutoff)
    return [by_lower[lower] for lower in found]


def named(names: Iterable[str]) -> str:
    """Names as a message shows them: quoted, so that nothing in them can steer a terminal, and cut."""
    return ", ".join(repr(short(name)) for name in names)
