"""Text fields: hashed word and character n-grams, weighted and normalised, plus a few measures of the text.

Which n-grams are kept, and their weights, come from the training rows; this file only counts them. Hashes are
polynomials over UTF-8 bytes modulo 2^64, computed for a whole column at once; one row runs the same code.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from math import log, log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import wrong_type
from .fields import Categories, Column, Numbers, described, markers_of
from .numbers import scaled

BITS = 21  # n-grams are told apart by this many bits of their hash
MEASURES = ("characters", "words", "digits", "capitals")
_LENGTHS = (3, 4, 5)
_LONGEST = 64  # bytes of a word that count
_CHUNK = 2_000  # texts hashed at once, so that the hashes of a long column are never all in memory
_LOGS = np.asarray([0.0, *(1.0 + log(count) for count in range(1, 256))])
_BASE = 0x9E3779B97F4A7C15


def _powers(count: int) -> NDArray[np.uint64]:
    values = [pow(_BASE, i, 2**64) for i in range(1, count + 1)]
    return np.asarray(values, np.uint64)


_POWERS = _powers(_LONGEST)
_WORD_BYTE = np.zeros(256, bool)
_WORD_BYTE[[*range(48, 58), *range(65, 91), *range(97, 123), 39, *range(128, 256)]] = True


def grams(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All n-grams of lower-cased texts: (text, bucket) of words, word pairs and 3 to 5 bytes in a row."""
    joined = "\0".join(texts).lower().encode("utf-8", "replace") + b"\0"
    raw = np.frombuffer(joined, np.uint8)
    ends = raw == 0
    owner = np.cumsum(ends) - ends
    if len(texts) != owner[-1] + 1:  # a text holds the separator itself
        return grams([text.replace("\0", " ") for text in texts])
    pieces = [_words(raw, owner), *(_bytes(raw, ends, owner, n) for n in _LENGTHS)]
    return np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces])


def _bytes(
    raw: NDArray[np.uint8], ends: NDArray[np.bool_], owner: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    count = len(raw) - n + 1
    if count <= 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    hashes = np.zeros(count, np.uint64)
    whole = np.ones(count, bool)
    for i in range(n):
        hashes += raw[i : i + count].astype(np.uint64) * _POWERS[i]
        whole &= ~ends[i : i + count]
    return owner[:count][whole], _buckets(hashes[whole], n)


def _words(raw: NDArray[np.uint8], owner: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    inside = _WORD_BYTE[raw]
    starts = inside.copy()
    starts[1:] &= ~inside[:-1]
    begin = np.flatnonzero(starts)
    if not len(begin):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    at = np.flatnonzero(inside)
    number = np.cumsum(starts)[at] - 1
    depth = np.minimum(at - begin[number], _LONGEST - 1)
    first = np.searchsorted(at, begin)
    hashes = np.add.reduceat(raw[at].astype(np.uint64) * _POWERS[depth], first)
    who = owner[begin]
    pairs = who[1:] == who[:-1]
    double = (hashes[:-1] * _POWERS[1] + hashes[1:])[pairs]
    return (
        np.concatenate([who, who[1:][pairs]]),
        np.concatenate([_buckets(hashes, 1), _buckets(double, 2)]),
    )


def _buckets(hashes: NDArray[np.uint64], kind: int) -> NDArray[np.int64]:
    """Mixes hashes as MurmurHash3 ends and keeps `BITS` bits; `kind` keeps families apart."""
    mixed = hashes + np.uint64(kind * _BASE % 2**64)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    buckets: NDArray[np.int64] = (mixed >> np.uint64(64 - BITS)).astype(np.int64)
    return buckets


def measures(text: str) -> tuple[float, float, float, float]:
    """log(1 + characters), log(1 + words), share of digits, share of capitals."""
    count = len(text) or 1
    digits = sum(map(text.count, "0123456789"))
    capitals = sum(map(str.isupper, text))
    return log1p(len(text)), log1p(len(text.split())), digits / count, capitals / count


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
        for at in range(0, len(texts), _CHUNK):
            part = [text or "" for text in texts[at : at + _CHUNK]]
            rows, places, weights = self._weigh(part)
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

    def _weigh(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
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
            text = value.strip()
            return None if text.lower() in self.markers else text
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return None if value != value else str(value)
        raise wrong_type(self.name, value, self.expected)
