"""The figures of a run's report as pictures. They were drawn by the run's own job; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcp_server.session import Session
from phases.views import RunView

TELLING = ("baselines", "loss", "importance")
MOST_BYTES = 1_000_000
Figures = Mapping[str, Mapping[str, Any]]


async def shown(session: Session, view: RunView) -> Figures:
    """The figures that may be shown, by name: rows of `Figures.list`, their words without cells."""
    from memory.errors import NeuroloomError

    services, privacy = await session.services(), await session.privacy(view)
    found: dict[str, Mapping[str, Any]] = {}
    for row in await services.figures.list(view.run_id):
        if row["png"] is None:
            continue
        try:
            privacy.artifact(f"reports/{Path(row['png']).name}")
        except NeuroloomError:
            continue
        found[str(row["name"])] = {**row, "title": privacy.text(row["title"]), "alt": privacy.text(row["alt"])}
    return found


def telling(names: Sequence[str]) -> str | None:
    """The figure to show when none is named."""
    return next((name for name in TELLING if name in names), names[0] if names else None)


def png(figure: Mapping[str, Any]) -> bytes:
    """One figure as PNG.

    Raises:
        InputError: it is gone, or larger than a client takes.
    """
    from memory.errors import InputError

    name = figure["name"]
    try:
        data = Path(figure["png"]).read_bytes()
    except OSError as error:
        raise InputError(f"figure {name!r} cannot be read", code="input.no_such_figure", field="figure") from error
    if len(data) > MOST_BYTES:
        raise InputError(f"figure {name!r} has {len(data)} bytes", code="input.too_large", field="figure")
    return data
