"""Where the records of delimited text end, and how many fields each has, found over whole arrays of bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 22
_NEWLINE = 10


@dataclass(frozen=True)
class Structure:
    """The records of a text.

    Attributes:
        ends: Offset of each record's newline (or the text's end), int64 (n,).
        fields: Fields of each record, int64 (n,); 0 for a blank line.
        open_quote: Whether a quote is never closed.
    """

    ends: NDArray[np.int64]
    fields: NDArray[np.int64]
    open_quote: bool

    @property
    def filled(self) -> NDArray[np.int64]:
        """Fields of the records that are not blank."""
        return self.fields[self.fields > 0]

    def usual(self) -> tuple[int, float]:
        """The most frequent number of fields, and its share of the records that are not blank."""
        counts = np.bincount(self.filled)
        if not len(counts):
            return 0, 0.0
        most = int(counts.argmax())
        return most, float(counts[most] / counts.sum())


def scan(raw: bytes, delimiter: str, quote: str | None) -> Structure:
    """Finds records: newlines and delimiters count where the number of quotes before them is even (RFC 4180)."""
    mark, fence = ord(delimiter), ord(quote) if quote and quote.encode() in raw else None
    ends, fields = [], []
    inside, carried, last = 0, 0, -1
    for at in range(0, len(raw), _CHUNK):
        part = np.frombuffer(raw, np.uint8, min(_CHUNK, len(raw) - at), at)
        newline, delimiters = part == _NEWLINE, part == mark
        if fence is not None:
            parity = np.cumsum(part == fence, dtype=np.uint8)
            parity += np.uint8(inside)
            outside = (parity & 1) == 0
            newline &= outside
            delimiters &= outside
            inside = int(parity[-1]) & 1
        stops = np.flatnonzero(newline)
        before = np.searchsorted(np.flatnonzero(delimiters), stops)
        ends.append(stops + at)
        fields.append(np.diff(before, prepend=-carried) if len(stops) else before)
        total = int(np.count_nonzero(delimiters))
        carried = total - int(before[-1]) if len(stops) else carried + total
    if raw and raw[-1] != _NEWLINE:
        ends.append(np.asarray([len(raw)], np.intp))
        fields.append(np.asarray([carried], np.intp))
    end = np.concatenate(ends) if ends else np.zeros(0, np.int64)
    field = (np.concatenate(fields) if fields else np.zeros(0, np.int64)) + 1
    lengths = np.diff(end, prepend=last) - 1
    field[lengths == 0] = 0
    return Structure(end, field, bool(inside))


def without_blank_lines(raw: bytes, structure: Structure) -> bytes:
    """The text without its blank records."""
    if structure.fields.all():
        return raw
    starts = np.concatenate([[0], structure.ends[:-1] + 1])
    keep = structure.fields > 0
    return b"\n".join(raw[a:b] for a, b in zip(starts[keep].tolist(), structure.ends[keep].tolist(), strict=True))
