"""The figures of a run's report as pictures. They were drawn by the run's own job; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phases.views import RunView

if TYPE_CHECKING:
    from phases.privacy.privacy import Privacy

TELLING = ("baselines", "loss", "importance")
MOST_BYTES = 1_000_000


def names(view: RunView, privacy: Privacy) -> list[str]:
    """Names of the figures that may be shown."""
    from memory.errors import NeuroloomError

    found = []
    for path in sorted((Path(view.workspace) / "reports").glob("*.png")):
        try:
            privacy.artifact(f"reports/{path.name}")
        except NeuroloomError:
            continue
        found.append(path.stem)
    return found


def telling(found: Sequence[str]) -> str | None:
    """The figure to show when none is named."""
    return next((name for name in TELLING if name in found), found[0] if found else None)


def png(view: RunView, name: str) -> bytes:
    """One figure as PNG.

    Raises:
        InputError: it is gone, or larger than a client takes.
    """
    from memory.errors import InputError

    path = Path(view.workspace) / "reports" / f"{name}.png"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"figure {name!r} cannot be read", code="input.no_such_figure", field="figure") from error
    if len(data) > MOST_BYTES:
        raise InputError(f"figure {name!r} has {len(data)} bytes", code="input.too_large", field="figure")
    return data
