"""Tools that show what runs came to: the report with its figures, and runs side by side."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import Field

from mcp_server import briefs, details, figures
from mcp_server.replies import reply
from mcp_server.session import session_of
from mcp_server.tool import ToolInfo
from mcp_server.tools.runs import ALIASES
from mcp_server.words import Run, Short

Runs = Annotated[list[Run], Field(min_length=2, max_length=10)]


async def report_get(
    ctx: Context[Any, Any],
    run: Run = "latest",
    figure: Annotated[Short | None, Field(description="Name of one figure; the answer lists them")] = None,
) -> CallToolResult:
    """The report of a run in Markdown with its most telling figure, or one named figure as a picture."""
    from memory.errors import InputError

    session = session_of(ctx)
    view = await session.look(run)
    there = await figures.shown(session, view)
    if figure is not None and figure not in there:
        told = f"run {view.run_id!r} has no figure {figure!r}"
        raise InputError(told, code="input.no_such_figure", field="figure",
                         fix=f"one of {', '.join(there)}" if there else "it has none yet")  # fmt: skip
    text = await session.report(view) if figure is None else f"figure {figure} of run {view.run_id}"
    drawn = there.get(figure or figures.telling(list(there)) or "")
    more: list[ContentBlock] = []
    if drawn is not None:
        picture = base64.b64encode(figures.png(drawn)).decode()
        more.append(TextContent(type="text", text=f"The figure {drawn['name']!r}, {drawn['title']}: {drawn['alt']}"))
        more.append(ImageContent(type="image", data=picture, mime_type="image/png"))
    privacy = await session.privacy(view)
    document = briefs.brief(view, privacy.run(view)) | {"figures": list(there)}
    return reply(document, text, next=briefs.next_step(view), more=[*more, *details.links(view)])


async def run_compare(ctx: Context[Any, Any], runs: Runs) -> CallToolResult:
    """Runs side by side: metrics with intervals, recipe differences, whether the figures are comparable, the best."""
    session = session_of(ctx)
    services = await session.services()
    shown = (await session.privacy()).comparison(await services.comparison.compare(runs))
    rows = [_compared(one, shown["metric"]) for one in shown["runs"]]
    verdict = (
        shown["best"]["told"] if shown.get("best") else "no run can be called the best: " + "; ".join(shown["why_not"])
    )
    document = {**shown, "runs": rows, "best": shown.get("best") and _verdict(shown["best"])}
    again = 'report_get(run=…) of the best; deployment_change(action="start", run=…) serves it'
    return reply(document, f"{verdict}\n{details.lines(rows)}", next=again)


def _compared(one: Mapping[str, Any], metric: str | None) -> dict[str, Any]:
    """One run as a row: the metric that all share, what it took."""
    kept = ("run_id", "status", "target", "seed", "judged_on", "epochs", "run_seconds")
    scores = {name: briefs.figure(value) for name, value in one["metrics"].items() if name == (metric or one["metric"])}
    return {**{key: one[key] for key in kept if one.get(key) is not None}, **scores}


def _verdict(best: Mapping[str, Any]) -> dict[str, Any]:
    return {**best, "value": briefs.figure(best["value"])}


TOOLS = (
    ToolInfo(report_get, "Report and figures", {"run": "string", "status": "string", "figures": "array"}, reads=True,
             aliases={**ALIASES, "plot": "figure", "chart": "figure", "name": "figure"}),
    ToolInfo(run_compare, "Compare runs", {"runs": "array"}, reads=True, aliases={"run_ids": "runs", "ids": "runs"}),
)  # fmt: skip
