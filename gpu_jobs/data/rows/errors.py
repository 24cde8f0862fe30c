"""The error of a row that cannot be encoded. A server turns it into a 422."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_NAME = 80  # characters of a field's name that are compared and shown; a client may send any name
LARGEST = 1e16  # a number up to which it is written out


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
    return RowError(field, f"{short(field)!r} is {_shown(value)}; it takes {expected}", expected, "wrong_type")


def json_kind(value: object) -> str:
    """What a value is in the words of JSON: null, true, false, a number, a text, a list or an object."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    kinds = ((str, "a text"), (list, "a list"), (dict, "an object"))
    return next((words for kind, words in kinds if isinstance(value, kind)), "a number")


def _shown(value: object) -> str:
    """A text or a plain number as it is, cut to 60 characters; of all else only the kind: a list may be deep."""
    if isinstance(value, str):
        text = repr(value[:60])
        return text if len(value) <= 60 and len(text) <= 60 else text[:57] + "..."
    if isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST:
        return str(value)
    return json_kind(value)


def short(name: str) -> str:
    """A name cut to 80 characters."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def listed(names: Sequence[str], most: int = 50) -> str:
    """The first of some names, each cut, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(short, names[:most])) + more
