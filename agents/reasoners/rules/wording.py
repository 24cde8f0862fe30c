"""How rules put facts into one plain line. Names and cells are quoted and shortened, so that none can pose as prose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

LONGEST = 600


def quoted(name: object, longest: int = 40) -> str:
    """A column name or label as a short Python literal: line breaks and quotes in it are escaped."""
    text = repr(str(name))
    return text if len(text) <= longest else f"{text[: longest - 2]}…{text[-1]}"


def listed(names: Iterable[object], most: int = 4) -> str:
    """`'a', 'b' and 3 more`."""
    known = list(names)
    shown = ", ".join(quoted(name) for name in known[:most])
    return f"{shown} and {len(known) - most} more" if len(known) > most else shown


def one_line(parts: Sequence[str]) -> str:
    """The parts that say something, joined by `; `, on one line and no longer than a reason may be."""
    text = "; ".join(" ".join(part.split()) for part in parts if part)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def percent(share: float) -> str:
    """A share as a percentage with a sensible number of digits."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
