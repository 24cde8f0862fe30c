"""The command that puts runs side by side: compare. It changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.names import run_ids

if TYPE_CHECKING:
    from app.services import Services

WIDEST = 40


@click.command(short_help="Put runs side by side, and say what may be compared.")
@click.argument("runs", metavar="RUN RUN…", nargs=-1, required=True, shell_complete=run_ids)
@command_options
def compare(door: Door, runs: tuple[str, ...]) -> int:
    """Compare two to ten RUNs: metrics with intervals, what differs in the recipes, and which is best, if any.

    Example:
      neuroloom compare latest r-20261121
    """

    async def work(services: Services) -> dict[str, Any]:
        return await services.comparison.compare(runs)

    found = door.call(work)
    door.say(found, lambda: _told(found))
    return failures.OK


def _told(found: dict[str, Any]) -> str:
    from app.cli.figures import one_line
    from app.cli.summary import table

    blocks = [table(_figures(found["runs"]))]
    if found["differences"]:
        rows = [("differs", *(run["run_id"] for run in found["runs"]))]
        for name, values in found["differences"].items():
            rows.append((one_line(name), *(one_line(_short(value), WIDEST) for value in values)))
        blocks.append(table(rows))
    if not found["comparable"]:
        blocks.append("\n".join(["the numbers cannot be compared:", *(f"  {why}" for why in found["why_not"])]))
    elif found["best"] is not None:
        blocks.append(str(found["best"]["told"]))
    return "\n\n".join(blocks)


def _figures(runs: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A row per run: its state, its metric beside the baselines', and what it cost."""
    from app.cli.figures import figure, one_line, span
    from memory.measurement import Measurement

    def shown(value: dict[str, Any] | None, *, interval: bool = False) -> str:
        return "–" if value is None else figure(Measurement.model_validate(value), interval=interval)

    baselines = list(dict.fromkeys(name for run in runs for name in run["baselines"]))
    rows = [("run", "status", "target", "metric", "model", *baselines, "parameters", "epochs", "time")]
    for run in runs:
        own = run["metrics"].get(run["metric"]) if run["metric"] else None
        others = (shown(run["baselines"].get(name)) for name in baselines)
        epochs = "–" if run["epochs"] is None else str(run["epochs"])
        built = "–" if run["parameters"] is None else shown(run["parameters"]).removesuffix(" parameters")
        head = (run["run_id"], run["status"], one_line(run["target"] or "", 30), run["metric"] or "–")
        rows.append((*head, shown(own, interval=True), *others, built, epochs, span(run["run_seconds"])))
    return rows


def _short(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items() if one is not None)
    return (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
