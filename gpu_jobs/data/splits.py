"""Which rows train, validate and test. Identical rows stay on one side; the same seed gives the same split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
SPLITS = ("train", "validation", "test")
METHODS = ("stratified", "random", "group", "time", "files")
_REPEATS = 0.5  # from this share of repeated rows on, repeats are how the table is, not copies


@dataclass(frozen=True)
class Split:
    """Row numbers per split, ascending, and what was done about identical rows.

    Attributes:
        rows: ``train``, ``validation``, ``test``.
        repeated: Rows that equal an earlier row in all features.
        across: Identical rows that stand on two sides; 0 unless the table is made of repeats.
        dropped: Rows left out because a training row equals them and the method cannot move them.
        held: The rows drawn for the test, before such rows were left out.
    """

    rows: dict[str, Rows]
    held: Rows
    repeated: int = 0
    across: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Plan:
    """What a split is made from; all arrays speak of the same n rows.

    Attributes:
        method: One of `METHODS`.
        fractions: Shares of train, validation and test; together 1.
        seed: Seed of the shuffles.
        rows: Row numbers in the snapshot (n,), those with a target.
        same: Number of each row's set of identical rows (n,); a set stays on one side where the method can.
        equal: The same by the columns that became inputs (n,), where those are others.
        classes: Number of the target's value (n,) where each side gets its share of every value, or None.
        group: Number of each row's group (n,), for ``group``.
        time: Sortable time (n,), NaN = unknown, for ``time``.
        role: 0 data, 1 validation file, 2 test file (n,), for ``files``.
    """

    method: str
    fractions: tuple[float, float, float]
    seed: int
    rows: Rows
    same: Rows
    equal: Rows | None = None
    classes: Rows | None = None
    group: Rows | None = None
    time: NDArray[np.float64] | None = None
    role: Rows | None = None


def split(plan: Plan) -> Split:
    """Divides the rows of a plan."""
    equal = plan.same if plan.equal is None else plan.equal
    side = _sides(plan, 0 < _repeated(plan.same) < _REPEATS * len(plan.rows))
    held = np.sort(plan.rows[side == SPLITS.index("test")])
    repeated, across = _repeated(equal), _across(side, equal)
    dropped = 0
    if _repeated(_in_its_file(plan, equal)) < _REPEATS * len(plan.rows) and across.any():
        side[across] = -1
        dropped, across = int(across.sum()), np.zeros_like(across)
    rows = {name: np.sort(plan.rows[side == i]) for i, name in enumerate(SPLITS)}
    return Split(rows, held, repeated, int(across.sum()), dropped)


def _repeated(same: Rows) -> int:
    return len(same) - (int(same.max()) + 1 if len(same) else 0)


def _in_its_file(plan: Plan, equal: Rows) -> Rows:
    """Sets of identical rows within each file: a file that holds another one's rows again is not made of repeats."""
    if plan.method != "files" or plan.role is None:
        return equal
    number: Rows = np.unique(equal * 3 + plan.role, return_inverse=True)[1]
    return number


def _sides(plan: Plan, together: bool) -> Rows:
    """0 train, 1 validation, 2 test for each row."""
    random = np.random.default_rng(plan.seed)
    if plan.method == "time" and plan.time is not None:
        return _by_time(plan.time, plan.fractions)
    if plan.method == "files" and plan.role is not None:
        return _by_files(plan, together)
    if plan.method == "group" and plan.group is not None:
        return _by_units(plan.group, None, plan.fractions, random)
    units = plan.same if together else np.arange(len(plan.rows))
    return _by_units(units, plan.classes, plan.fractions, random)


def _by_units(units: Rows, classes: Rows | None, fractions: tuple[float, ...], random: np.random.Generator) -> Rows:
    """Whole units (sets of rows) to sides, class by class, each side getting its share of every class."""
    _, first, number, size = np.unique(units, return_index=True, return_inverse=True, return_counts=True)
    kinds = np.zeros(len(first), np.int64) if classes is None else classes[first]
    side = np.zeros(len(first), np.int64)
    for kind in np.unique(kinds):
        members = random.permutation(np.flatnonzero(kinds == kind))
        side[members] = _shares(size[members], fractions)
    return side[number]


def _shares(sizes: Rows, fractions: tuple[float, ...]) -> Rows:
    """Sides of shuffled units: test first, then validation, then train, by their number of rows.

    Each side gets at least one unit where there are enough; what is left over trains.
    """
    total = int(sizes.sum())
    wanted = [min(max(round(total * share), int(share > 0)), len(sizes) // 3 or 1) if len(sizes) < 12 else
              round(total * share) for share in (fractions[2], fractions[1])]  # fmt: skip
    if len(sizes) < sum(share > 0 for share in fractions):
        wanted = [0, 0]
    middle = np.cumsum(sizes) - sizes / 2
    return np.where(middle < wanted[0], 2, np.where(middle < sum(wanted), 1, 0)).astype(np.int64)


def _by_time(time: NDArray[np.float64], fractions: tuple[float, ...]) -> Rows:
    """Oldest rows train, newest test; equal times stay together; unknown times train."""
    known = np.flatnonzero(~np.isnan(time))
    ordered = np.sort(time[known])
    side = np.zeros(len(time), np.int64)
    if len(ordered):
        cuts = [min(round(len(ordered) * share), len(ordered) - 1) for share in (fractions[0], 1 - fractions[2])]
        side[known] = np.searchsorted(ordered[cuts], time[known], side="right")
    return side


def _by_files(plan: Plan, together: bool) -> Rows:
    """Given files keep their side; the data's own rows fill the sides that no file was given for."""
    role = plan.role if plan.role is not None else np.zeros(len(plan.rows), np.int64)
    given = [bool((role == side).any()) for side in (1, 2)]
    shares = [0.0 if has else share for has, share in zip(given, plan.fractions[1:], strict=True)]
    train = plan.fractions[0]
    total = train + sum(shares)
    fractions = (train / total, shares[0] / total, shares[1] / total)
    side = role.copy()
    own = np.flatnonzero(role == 0)
    units = plan.same[own] if together else np.arange(len(own))
    classes = plan.classes[own] if plan.classes is not None else None
    side[own] = _by_units(units, classes, fractions, np.random.default_rng(plan.seed))
    return side


def _across(side: Rows, same: Rows) -> NDArray[np.bool_]:
    """Rows of validation and test that equal a row of an earlier side."""
    earliest = np.full(int(same.max()) + 1 if len(same) else 0, 3, np.int64)
    np.minimum.at(earliest, same, side)
    return side > earliest[same]
