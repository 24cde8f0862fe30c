"""The figures service: which figures a run's report has, where their files are, and what each says. It draws none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phases.services.runs import Runs
from phases.workspace import read_json


class Figures:
    """Figures of runs."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs

    async def list(self, run: str) -> Sequence[dict[str, Any]]:
        """The figures of the run's report, in its order; none before its `plots` job has ended.

        Returns:
            Rows `{"name", "title", "alt", "svg", "png"}`: `name` is one word such as `loss`, `confusion` or
            `importance`, `alt` says what the figure shows, `svg` and `png` are paths, None where there is no file.
        """
        root = Path((await self.runs.get(run)).workspace)
        result = root / "jobs" / "plots" / "result.json"
        own = result.is_file() and result.resolve().is_relative_to(root.resolve())
        rows = read_json(result)["plots"] if own else []
        return [_row(root / "reports", row) for row in rows]


def _row(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    drawn = folder / Path(str(row["file"])).name
    paths = {"svg": drawn, "png": drawn.with_suffix(".png")}
    files = {kind: str(path) if path.is_file() else None for kind, path in paths.items()}
    return {"name": drawn.stem, "title": row["title"], "alt": row["alt"], **files}
