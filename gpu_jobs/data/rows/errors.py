"""The error of a row that cannot be encoded. A server turns it into a 422."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_NAME = 80  # characters of a field's name that are compared and shown; a client may send any name


class RowError(ValueError):
    """A field of a row is unknown or holds a value of the wrong type.

    Attributes:
        field: The field at fault (an unknown one cut to 80 characters), or None when the row as a whole is.
        message: What is wrong, naming the value.
        expected: What the field takes.
        code: ``unknown_field``, ``wrong_type`` or ``wrong_length``.
        row: Position in the list of rows, where there was a list.
    """

    def __init__(self, field: str | None, message: str, expected: str, code: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.expected = expected
        self.code = code
        self.row: int | None = None


def wrong_type(field: str, value: object, expected: str) -> RowError:
    """The error of a value that `field` cannot take."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return RowError(field, f"{short(field)!r} is {shown}; it takes {expected}", expected, "wrong_type")


def short(name: str) -> str:
    """A name cut to 80 characters."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def listed(names: Sequence[str], most: int = 50) -> str:
    """The first of some names, each cut, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(short, names[:most])) + more
