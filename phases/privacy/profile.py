"""The allow-list of a dataset's profile: what of it leaves at which level."""

from __future__ import annotations

from typing import Any, Final

from phases.privacy.level import Level, allows
from phases.privacy.numbers import rounded
from phases.privacy.shapes import DROPPED, Known, Shape, code, fields, label, name, number, rows, text


def _from(level: Level, shape: Shape) -> Shape:
    return lambda value, known: shape(value, known) if allows(known.level, level) else DROPPED


def _statistic(value: Any, known: Known) -> Any:
    found = number(value, known)
    return rounded(found) if isinstance(found, float) else found


_CATEGORIES = rows(fields(value=name, rows=number))
_NUMBERS = fields(
    mean=_statistic, std=_statistic, low=_statistic, q25=_statistic, median=_statistic, q75=_statistic, high=_statistic
)
_COLUMN = fields(
    name=name, kind=code, missing_share=number, distinct=number, personal=code,
    numbers=_from("aggregates", _NUMBERS), categories=_from("aggregates", _CATEGORIES), others=number,
)  # fmt: skip
PROFILE: Final[Shape] = fields(
    state=code, name=name, sha256=code, rows=number, columns=rows(_COLUMN), target=name, task=code,
    proposed_target=name, reason=text, classes=rows(fields(label=label, rows=number)), warnings=rows(text),
)  # fmt: skip
