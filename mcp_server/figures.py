"""The figures of a run's report as pictures. They were drawn by the run's own job; nothing is drawn here."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcp_server import run_files
from mcp_server.session import Session
from phases.views import RunView

TELLING = ("baselines", "loss", "importance")
PNG = b"\x89PNG\r\n\x1a\n"
Figures = Mapping[str, Mapping[str, Any]]


async def shown(session: Session, view: RunView) -> Figures:
    """The figures that may be shown, by name: rows of `Figures.list`, their words without cells, and `read`."""
    from memory.errors import NeuroloomError

    services, privacy = await session.services(), await session.privacy(view)
    found: dict[str, Mapping[str, Any]] = {}
    for row in await services.figures.list(view.run_id):
        if row["png"] is None:
            continue
        file = (Path(view.workspace), f"reports/{Path(row['png']).name}", privacy.artifact)
        try:
            run_files.place(*file)
        except NeuroloomError:
            continue
        words = {key: privacy.text(row[key]) for key in ("title", "alt")}
        found[str(row["name"])] = {**row, **words, "read": functools.partial(run_files.read, *file)}
    return found


def telling(names: Sequence[str]) -> str | None:
    """The figure to show when none is named."""
    return next((name for name in TELLING if name in names), names[0] if names else None)


def png(figure: Mapping[str, Any]) -> bytes:
    """One figure as PNG.

    Raises:
        InputError: it is gone, larger than a client takes, or no PNG.
    """
    from memory.errors import InputError

    data: bytes = figure["read"]()
    if not data.startswith(PNG):
        raise InputError(f"figure {figure['name']!r} is no PNG", code="input.no_such_figure", field="figure")
    return data
