"""How much of a person's data may leave through a door. A level says what is allowed; everything else stays.

`schema`: names and kinds of columns, names of target classes, counts, and what was measured of the model.
`aggregates`: also rounded statistics of columns, and categories that several rows share.
`samples`: also single cells and example rows. Personal data are masked at every level.
"""

from __future__ import annotations

from typing import Final, Literal

Level = Literal["schema", "aggregates", "samples"]
LEVELS: Final[tuple[Level, ...]] = ("schema", "aggregates", "samples")


def allows(level: Level, needed: Level) -> bool:
    """Whether what needs one level may leave at another.

    Example:
        >>> allows("aggregates", "schema"), allows("aggregates", "samples")
        (True, False)
    """
    return LEVELS.index(level) >= LEVELS.index(needed)
