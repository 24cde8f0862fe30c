"""Which files of a run's folder hold no cells: an allow-list of paths, made by looking into finished runs.

Weights and graphs are not on it: the bins of a number's embedding are values of the column. Reports, cards and guides
are not on it either, because their sentences may quote cells; a chat gets a report made from allowed values instead.
"""

from __future__ import annotations

import re
from typing import Final

_PLOTS = "loss|rate|baselines|importance|calibration|confusion|roc|precision-recall|latency"
_CODE = r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+){0,4}\.py"
ALLOWED: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(attempts/\d+/)?configs/(architecture|training|monitoring)\.json",
        r"attempts/\d+/(history|training-result)\.json",
        rf"reports/({_PLOTS})\.(svg|png)",
        r"(attempts/\d+/)?scripts/(train|serve)\.py",
        rf"(attempts/\d+/)?scripts/rows/{_CODE}",
        rf"scripts/training_code/{_CODE}",
        r"scripts/(deploy|backup-checkpoints)\.sh",
        r"tests/validation\.py",
        r"Dockerfile|\.dockerignore|requirements(-train)?\.txt",
        r"monitoring/(prometheus|rules)\.yml",
    )
)


_OF_CLASSES: Final = re.compile(r"reports/(confusion|roc|precision-recall)\.(svg|png)")


def names_classes(path: str) -> bool:
    """Whether a path, relative to the run's folder, is a figure on which the classes of the target are named.

    Example:
        >>> names_classes("reports/confusion.png"), names_classes("reports/loss.png")
        (True, False)
    """
    return _OF_CLASSES.fullmatch(path) is not None


def holds_no_cells(path: str) -> bool:
    """Whether a path, relative to the run's folder, is one of the files without cells.

    Example:
        >>> holds_no_cells("reports/loss.svg"), holds_no_cells("reports/../data/snapshot.json")
        (True, False)
    """
    return any(pattern.fullmatch(path) for pattern in ALLOWED)


def inside(path: str) -> bool:
    """Whether a path is relative and stays in the folder it starts from, written plainly."""
    parts = path.split("/")
    return bool(path) and "\0" not in path and "\\" not in path and not {"", ".", ".."} & set(parts)
