"""Allow-lists as shapes: a shape says what of a value may leave. What no shape names does not leave.

A shape is a function of the value and of what is known; it gives the allowed part, or `DROPPED`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

from phases.privacy.level import Level, allows
from phases.privacy.schema import Schema
from phases.privacy.words import CELL, LONGEST, known_words, masked, plain

DROPPED: Final = object()
MOST_ROWS: Final = 1000
LONGEST_NAME: Final = 200
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/%+-]{0,119}")


@dataclass(frozen=True)
class Known:
    """What shapes may use: the level, the table's schema, and names that the caller gave itself."""

    level: Level
    schema: Schema = field(default_factory=Schema)
    said: frozenset[str] = frozenset()

    @cached_property
    def words(self) -> frozenset[str]:
        """Names that may stand in a sentence."""
        return known_words(self.schema, self.said)

    def text(self, message: str, longest: int = LONGEST) -> str:
        """A sentence without cells; at `samples` only a table with personal data has its cells masked."""
        if allows(self.level, "samples") and not self.schema.personal:
            return plain(message, longest)
        return masked(message, self.words, longest)


Shape = Callable[[Any, Known], Any]


def number(value: Any, _known: Known) -> Any:
    """A finite number, a yes or no, or nothing."""
    if value is None or isinstance(value, bool | int):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else DROPPED


def code(value: Any, known: Known) -> Any:
    """A word of ours: a status, an id, a unit, a hash, a moment; anything else only as a sentence."""
    if not isinstance(value, str):
        return number(value, known)
    return value if _CODE.fullmatch(value) else known.text(value, LONGEST_NAME)


def digest(value: Any, _known: Known) -> Any:
    """A SHA-256 in hex."""
    return value if isinstance(value, str) and _DIGEST.fullmatch(value) else DROPPED


def text(value: Any, known: Known) -> Any:
    """A sentence, its cells masked."""
    return known.text(value) if isinstance(value, str) else DROPPED if value is not None else None


def name(value: Any, _known: Known) -> Any:
    """The name of a column, a file, a run, a deployment: it is allowed, only cut."""
    return value[:LONGEST_NAME] if isinstance(value, str) else DROPPED if value is not None else None


def label(value: Any, known: Known) -> Any:
    """The name of a class of the target; masked where the target holds personal data."""
    kind = known.schema.personal.get(known.schema.target or "")
    if kind is not None and value is not None:
        return f"<{kind}>"
    return name(value, known) if isinstance(value, str) else number(value, known)


def figure(value: Any, known: Known) -> Any:
    """What a check compares: a measurement, a plain number, or a fact in words."""
    if isinstance(value, Mapping):
        return measurement(value, known)
    return text(value, known) if isinstance(value, str) else number(value, known)


def cells(value: Any, known: Known) -> Any:
    """A row of cells by column, at `samples` only; personal data are masked there too."""
    if not allows(known.level, "samples") or not isinstance(value, Mapping):
        return DROPPED
    personal = known.schema.personal
    return {str(key)[:LONGEST_NAME]: _cell(one, personal.get(str(key))) for key, one in value.items()}


def _cell(value: Any, personal: str | None) -> Any:
    if value is None or personal is not None:
        return None if value is None else f"<{personal}>"
    return value[:LONGEST_NAME] if isinstance(value, str) else value


def example(value: Any, known: Known) -> Any:
    """A row to try the model with: a real one at `samples`, a made-up one below."""
    found = cells(value, known)
    return (known.schema.example(known.level) or None) if found is DROPPED else found


def at_samples(shape: Shape) -> Shape:
    """The shape, and nothing below `samples`."""
    return lambda value, known: shape(value, known) if allows(known.level, "samples") else DROPPED


def fields(**shapes: Shape) -> Shape:
    """An object: the named fields of it, those that are there."""

    def shape(value: Any, known: Known) -> Any:
        if not isinstance(value, Mapping):
            return None if value is None else DROPPED
        found = {key: one(value[key], known) for key, one in shapes.items() if key in value}
        return {key: one for key, one in found.items() if one is not DROPPED}

    return shape


def rows(of: Shape, most: int = MOST_ROWS) -> Shape:
    """A list: the allowed part of each item, the first `most` of them."""

    def shape(value: Any, known: Known) -> Any:
        if not isinstance(value, list | tuple):
            return None if value is None else DROPPED
        found = [of(item, known) for item in value[:most]]
        return [item for item in found if item is not DROPPED]

    return shape


def table(of: Shape, key: Shape = code) -> Shape:
    """An object whose keys are names of ours, such as metrics, or columns with `key=name`."""

    def shape(value: Any, known: Known) -> Any:
        if not isinstance(value, Mapping):
            return None if value is None else DROPPED
        found = {key(str(word), known): of(item, known) for word, item in list(value.items())[:MOST_ROWS]}
        return {word: item for word, item in found.items() if item is not DROPPED and word != CELL}

    return shape


_SOURCE = (
    "kind", "run", "job", "dataset_sha256", "code_version", "device", "seed", "load", "at", "split", "rows"
)  # fmt: skip


@lru_cache(maxsize=4096)
def _source(values: tuple[Any, ...]) -> dict[str, Any]:
    """The provenance of these values in the order of `_SOURCE`, without what is neither a number nor a word of ours."""
    plain = (isinstance(one, int | float | None) or (isinstance(one, str) and _CODE.fullmatch(one)) for one in values)
    return {key: one for key, one, allowed in zip(_SOURCE, values, plain, strict=True) if allowed}


def _provenance(value: Any, _known: Known) -> Any:
    """Where a figure comes from; one job measures many, so each source is looked at once."""
    if not isinstance(value, Mapping):
        return None if value is None else DROPPED
    values = tuple(one if isinstance(one, str | int | float) else None for one in map(value.get, _SOURCE))
    return dict(_source(values))


measurement: Final[Shape] = fields(value=number, unit=code, interval=rows(number), provenance=_provenance)
