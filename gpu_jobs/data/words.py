"""Chooses the n-grams of a text column that say most about the target, from training rows, and weighs them.

Chosen by the chi-squared statistic (classes) or the squared correlation (numbers) of an n-gram's presence with the
target; weighted by smoothed inverse document frequency. How n-grams are counted is `rows/text.py`'s matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rows.text import BITS, cut, grams, measures, pieces

_MOST_TEXTS = 20_000
_CANDIDATES = 60_000
_BYTES = 250_000_000  # of encoded weights, over all rows
_NARROWEST, _WIDE, _WIDEST = 64, 1024, 2048
_MANY_CLASSES = 20


def fit_text(texts: list[str | None], target: NDArray[Any], classes: int, rows: int) -> dict[str, Any]:
    """Buckets (ascending), weights and scales of the measures for a text column's training rows.

    Args:
        texts: Training texts.
        target: Their class indices or numbers.
        classes: Number of classes; 0 for a number.
        rows: Rows of the whole table, which bound the width.
    """
    known = [i for i, text in enumerate(texts) if text]
    step = -(-len(known) // _MOST_TEXTS) or 1
    chosen = known[::step]
    sample = [cut(texts[i] or "") for i in chosen]
    width = _width(len(known), classes, rows)
    buckets, weights = _choose(sample, _answers(target[chosen], classes), width) if sample else ([], [])
    return {"buckets": buckets, "weights": weights, "measures": _scales(sample)}


def _width(texts: int, classes: int, rows: int) -> int:
    """A quarter of the texts or 24 per class, within bounds, and no more than memory allows for all rows."""
    widest = _WIDEST if classes > _MANY_CLASSES else _WIDE
    wanted = min(max(texts // 4, 24 * classes, 2 * _NARROWEST), widest)
    return max(min(wanted, _BYTES // (4 * max(rows, 1))), _NARROWEST)


def _answers(target: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """One column per class, or the standardised number."""
    if classes:
        one_hot: NDArray[np.float64] = np.eye(classes)[target]
        return one_hot
    spread = target.std() or 1.0
    answers: NDArray[np.float64] = ((target - target.mean()) / spread)[:, None]
    return answers


def _choose(texts: list[str], answers: NDArray[np.float64], width: int) -> tuple[list[int], list[float]]:
    parts = [(at, *_present(texts[at:end])) for at, end in pieces(texts)]
    documents = np.sum([np.bincount(buckets, minlength=1 << BITS) for _, _, buckets in parts], axis=0)
    common = np.flatnonzero((documents >= min(3, max(1, len(texts) // 50))) & (documents <= 0.9 * len(texts)))
    if len(common) > _CANDIDATES:
        common = np.sort(common[np.argsort(-documents[common], kind="stable")[:_CANDIDATES]])
    place = np.full(1 << BITS, -1, np.int64)
    place[common] = np.arange(len(common))
    sums = np.zeros((answers.shape[1], len(common)))
    for start, owner, buckets in parts:
        hit = place[buckets] >= 0
        who, at = owner[hit] + start, place[buckets[hit]]
        for k in range(answers.shape[1]):
            sums[k] += np.bincount(at, answers[who, k], minlength=len(common))
    best = _best(_scores(sums, documents[common].astype(np.float64), answers), width)
    weights = np.log((1 + len(texts)) / (1 + documents[common[best]])) + 1
    return common[best].tolist(), weights.tolist()


def _present(texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each n-gram once per text: (text, bucket)."""
    owner, buckets = grams(texts)
    keys = np.unique((owner << BITS) | buckets)
    return keys >> BITS, keys & ((1 << BITS) - 1)


def _scores(
    sums: NDArray[np.float64], documents: NDArray[np.float64], answers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Per class its term of chi-squared; for a standardised number the squared correlation times n."""
    n = len(answers)
    mean = answers.mean(axis=0)[:, None]
    variance = mean * (1 - mean) if answers.shape[1] > 1 else np.ones((1, 1))
    spread = variance * documents * (1 - documents / n)
    found: NDArray[np.float64] = (sums - documents * mean) ** 2 / np.maximum(spread, 1e-9)
    return found


def _best(scores: NDArray[np.float64], width: int) -> NDArray[np.int64]:
    """Up to `width` n-grams, ascending: every class in turn gives its next best, so that none goes without."""
    ranks = np.argsort(-scores, axis=1, kind="stable")[:, :width]
    turns = ranks.T.reshape(-1)
    _, first = np.unique(turns, return_index=True)
    return np.sort(turns[np.sort(first)[:width]])


def _scales(texts: list[str]) -> list[tuple[float, float]]:
    """Median and spread of each measure."""
    table = np.asarray([measures(text) for text in texts] or [(0.0,) * 4])
    low, median, high = np.quantile(table, [0.25, 0.5, 0.75], axis=0)
    spread = np.where(high > low, high - low, (table.max(axis=0) - table.min(axis=0)) / 2)
    return [(float(m), float(s) or 1.0) for m, s in zip(median, spread, strict=True)]
