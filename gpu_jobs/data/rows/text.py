"""Text fields: hashed word and character n-grams, weighted and normalised, plus a few measures of the text.

Which n-grams are kept, and their weights, come from the training rows; this file only counts them, in the first
20,000 characters of a text. Hashes are polynomials over UTF-8 bytes modulo 2^64, computed for a whole column at
once; one row runs the same code.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from math import log, log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import wrong_type
from .fields import Categories, Column, Numbers, described, markers_of
from .numbers import scaled

BITS = 21  # n-grams are told apart by this many bits of their hash
MEASURES = ("characters", "words", "digits", "capitals")
_SHORTEST_RUN, _LONGEST_RUN = 3, 5
_LONGEST_WORD = 64  # bytes of a word that count
LONGEST_TEXT = 20_000  # characters of a text that count: one value must not hold up an endpoint
_CHUNK = 500_000  # characters hashed at once, so that the hashes of a long column are never all in memory
_LOGS = np.asarray([0.0, *(1.0 + log(count) for count in range(1, 256))])
_BASE = 0x9E3779B97F4A7C15
_POWERS = np.asarray([pow(_BASE, i, 2**64) for i in range(1, _LONGEST_WORD + 1)], np.uint64)
_FAMILIES = np.asarray([_BASE * i % 2**64 for i in range(_LONGEST_RUN + 1)], np.uint64)  # keep kinds apart
_MIX = np.asarray([0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53], np.uint64)
_SHIFT, _REST = np.uint64(33), np.uint64(64 - BITS)
Indices = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_WORD_BYTE = np.zeros(256, bool)
_WORD_BYTE[[*range(48, 58), *range(65, 91), *range(97, 123), 39, *range(128, 256)]] = True


def grams(texts: Sequence[str]) -> tuple[Indices, Indices]:
    """All n-grams of lower-cased texts: (text, bucket) of words, word pairs and 3 to 5 bytes in a row."""
    joined = "\0".join(texts).lower().encode("utf-8", "replace") + b"\0"
    raw = np.frombuffer(joined, np.uint8)
    ends = raw == 0
    owner = np.cumsum(ends) - ends
    if len(texts) != owner[-1] + 1:  # a text holds the separator itself
        return grams([text.replace("\0", " ") for text in texts])
    values = raw.astype(np.uint64)
    pieces = [*_words(raw, values, owner), *_bytes(values, ends, owner)]
    if not pieces:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate([piece[0] for piece in pieces]), _buckets(np.concatenate([piece[1] for piece in pieces]))


def _bytes(values: Hashes, ends: NDArray[np.bool_], owner: Indices) -> Iterator[tuple[Indices, Hashes]]:
    """Owner and hash of every run of 3, 4 and 5 bytes within one text; each length goes on from the one before."""
    count = len(values)
    hashes, broken = values * _POWERS[0], ends
    for n in range(1, min(_LONGEST_RUN, count)):
        hashes = hashes[:-1] + values[n:] * _POWERS[n]
        broken = broken[:-1] | ends[n:]
        if n + 1 >= _SHORTEST_RUN:
            whole = ~broken
            yield owner[: count - n][whole], hashes[whole] + _FAMILIES[n + 1]


def _words(raw: NDArray[np.uint8], values: Hashes, owner: Indices) -> Iterator[tuple[Indices, Hashes]]:
    """Owner and hash of every word, and of every two words in a row."""
    inside = _WORD_BYTE[raw]
    starts = inside.copy()
    starts[1:] &= ~inside[:-1]
    begin = np.flatnonzero(starts)
    if not len(begin):
        return
    at = np.flatnonzero(inside)
    depth = np.minimum(at - begin[np.cumsum(starts[at]) - 1], _LONGEST_WORD - 1)
    hashes = np.add.reduceat(values[at] * _POWERS[depth], np.searchsorted(at, begin))
    who = owner[begin]
    yield who, hashes + _FAMILIES[1]
    pairs = who[1:] == who[:-1]
    yield who[1:][pairs], (hashes[:-1] * _POWERS[1] + hashes[1:])[pairs] + _FAMILIES[2]


def _buckets(hashes: Hashes) -> Indices:
    """Mixes hashes as MurmurHash3 ends and keeps `BITS` bits."""
    hashes ^= hashes >> _SHIFT
    hashes *= _MIX[0]
    hashes ^= hashes >> _SHIFT
    hashes *= _MIX[1]
    buckets: Indices = (hashes >> _REST).astype(np.int64)
    return buckets


def measures(text: str) -> tuple[float, float, float, float]:
    """log(1 + characters), log(1 + words), share of digits, share of capitals."""
    count = len(text) or 1
    digits = sum(map(text.count, "0123456789"))
    capitals = sum(map(str.isupper, text))
    return log1p(len(text)), log1p(len(text.split())), digits / count, capitals / count


def cut(text: str) -> str:
    """The part of a text that counts, without outer spaces."""
    return text.strip()[:LONGEST_TEXT]


def pieces(texts: Sequence[str | None]) -> Iterator[tuple[int, int]]:
    """(start, end) of pieces of about `_CHUNK` characters; no result depends on where they end."""
    at = held = 0
    for i, text in enumerate(texts):
        held += len(text or "") + 1
        if held >= _CHUNK:
            yield at, i + 1
            at, held = i + 1, 0
    if at < len(texts):
        yield at, len(texts)


class TextField:
    """Weights of the kept n-grams from `start` on, and four scaled measures from `measures_at` on."""

    expected = "a text"

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.start: int = spec["start"]
        self.kept = np.asarray(spec["buckets"], np.int64)  # ascending
        self.weights = np.asarray(spec["weights"], np.float64)
        self.measures_at: int = spec["measures_at"]
        self.scales = [(float(median), float(scale)) for median, scale in spec["measures"]]
        self.missing_at: int | None = spec["missing_at"]
        self.markers = markers_of(spec)
        self._place = np.full(1 << BITS, -1, np.int16)
        self._place[self.kept] = np.arange(len(self.kept), dtype=np.int16)

    def one(self, value: Any, numbers: array[float], _categories: array[int]) -> None:
        """One raw value: a text or None."""
        text = self._text(value)
        self._measure(text, numbers)
        if text is None:
            return
        _, places, weights = self._weigh([text])
        for place, weight in zip(places.tolist(), weights.tolist(), strict=True):
            numbers[self.start + place] = weight

    def column(self, values: Column, numbers: Numbers, _categories: Categories) -> None:
        """N raw values, as a list or an object array."""
        texts = [self._text(value) for value in values]
        for i, text in enumerate(texts):
            self._measure(text, numbers[i])
        for at, end in pieces(texts):
            rows, places, weights = self._weigh([text or "" for text in texts[at:end]])
            numbers[at + rows, self.start + places] = weights

    def describe(self) -> dict[str, Any]:
        """Name, kind and example."""
        return described(self.spec)

    def _measure(self, text: str | None, numbers: Any) -> None:
        if text is None:
            if self.missing_at is not None:
                numbers[self.missing_at] = 1.0
            return
        at = self.measures_at
        for value, (median, scale) in zip(measures(text), self.scales, strict=True):
            numbers[at] = scaled(value, median, scale)
            at += 1

    def _weigh(self, texts: list[str]) -> tuple[Indices, Indices, NDArray[np.float64]]:
        """(text, place, weight): (1 + log count) x idf, each text's weights of unit length."""
        owner, buckets = grams(texts)
        places = self._place[buckets]
        hit = places >= 0
        width = max(len(self.kept), 1)
        keys, counts = np.unique(owner[hit] * width + places[hit], return_counts=True)
        rows, columns = keys // width, keys % width
        weights = _LOGS[np.minimum(counts, 255)] * self.weights[columns]
        squares = np.bincount(rows, weights * weights, minlength=len(texts))
        return rows, columns, weights / np.sqrt(squares[rows])

    def _text(self, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, str):
            text = cut(value)
            return None if text.lower() in self.markers else text
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return None if value != value else str(value)
        raise wrong_type(self.name, value, self.expected)
