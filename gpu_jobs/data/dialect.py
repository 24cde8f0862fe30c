"""How a delimited text is written: delimiter, quote, header. It guesses from the text and reads no values."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from .structure import Structure, scan

DELIMITERS = "\t;|,"  # in order of preference where several fit equally
MARKERS = ("?", "na", "n/a", "#n/a", "nan", "null", "-", "--", ".", "")
_SAMPLE = 1 << 17
_NUMBER = re.compile(r"[+-]?(\d[\d.,' ]*|[.,]\d+)([eE][+-]?\d+)?%?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")


class Reader(Protocol):
    """Records of a text, and how many lines were read so far."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]:
        """The records."""
        ...


@dataclass(frozen=True)
class Dialect:
    """Delimiter and quote of a text; `quote` is None where quotes are ordinary characters."""

    delimiter: str
    quote: str | None


def guess(raw: bytes, tabs: bool) -> tuple[Dialect, Structure]:
    """The dialect that makes the text most rectangular, and the text's structure under it.

    Args:
        raw: UTF-8 text with plain newlines.
        tabs: Whether the file's name says that tabs separate its fields.
    """
    quoted = b'"' in raw
    sample = _first_lines(raw)
    scores = [
        (_score(scan(sample, delimiter, quote)), delimiter == "\t" and tabs, -place, quote is not None, delimiter)
        for place, delimiter in enumerate(DELIMITERS)
        for quote in (('"', None) if quoted else (None,))
    ]
    best = max(scores)
    delimiter = best[-1] if best[0] > 0 else ("\t" if tabs else ",")
    plain = scan(raw, delimiter, None)
    if not quoted:
        return Dialect(delimiter, None), plain
    fenced = scan(raw, delimiter, '"')
    return (Dialect(delimiter, None), plain) if _plain_fits(plain, fenced) else (Dialect(delimiter, '"'), fenced)


def _plain_fits(plain: Structure, fenced: Structure) -> bool:
    """Whether quotes are ordinary characters: every line is whole without them, and not the same with them."""
    if plain.usual()[1] < 1.0 or plain.usual()[0] < 2:
        return False
    return fenced.open_quote or len(fenced.filled) != len(plain.filled) or fenced.usual() != plain.usual()


def _first_lines(raw: bytes) -> bytes:
    if len(raw) <= _SAMPLE:
        return raw
    return raw[: raw.rfind(b"\n", 0, _SAMPLE) + 1] or raw[:_SAMPLE]


def _score(structure: Structure) -> float:
    usual, share = structure.usual()
    if usual < 2:
        return 0.0
    return round(share if structure.filled[0] == usual else share / 2, 3)


def records(raw: bytes, dialect: Dialect, count: int) -> list[list[str]]:
    """The first `count` records that are not blank, parsed."""
    text = _first_lines(raw).decode("utf-8", "replace").split("\n")
    reader = parser((line + "\n" for line in text), dialect)
    found: list[list[str]] = []
    for record in reader:
        if record and len(found) < count:
            found.append([value.strip() for value in record])
    return found


def parser(lines: Iterable[str], dialect: Dialect) -> Reader:
    """The standard library's reader of these lines: slow, but it takes quotes inside fields."""
    if dialect.quote is None:
        return csv.reader(lines, delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote)


def has_header(sample: list[list[str]]) -> bool:
    """Whether the first record names the columns: it differs in kind from the values below it."""
    first, rest = sample[0], sample[1:]
    if len(set(first)) < len(first) and not _like_values(first, rest):
        return True  # a header with a name twice, to be refused as such
    votes = [_vote(name, [row[i] for row in rest if i < len(row)]) for i, name in enumerate(first)]
    if any(votes):
        return sum(votes) >= 0
    return not _like_values(first, rest)


def _like_values(first: list[str], rest: list[list[str]]) -> bool:
    """Whether some text of the first record comes again below it, in the same column."""
    return any(
        name and name.lower() not in MARKERS and any(i < len(row) and row[i] == name for row in rest)
        for i, name in enumerate(first)
    ) or any(_NUMBER.fullmatch(name) for name in first)


def _vote(name: str, values: list[str]) -> int:
    """1: a name above numbers or dates; -1: a number or date above its like; 0: says nothing."""
    known = [value for value in values if value.lower() not in MARKERS]
    if not known or name.lower() in MARKERS:
        return 0
    for pattern in (_NUMBER, _DATE):
        if sum(pattern.fullmatch(value) is not None for value in known) > 0.8 * len(known):
            return -1 if pattern.fullmatch(name) else 1
    return 0
