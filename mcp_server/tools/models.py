"""Tools on models: their list, and predictions."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from mcp_server import details
from mcp_server.replies import page
from mcp_server.session import session_of
from mcp_server.tool import ToolInfo
from mcp_server.tools.runs import Limit, Offset
from mcp_server.words import Short

Row = dict[Annotated[str, Field(max_length=200)], Any]
Rows = Annotated[list[Row], Field(min_length=1, max_length=100)]


async def model_predict(
    ctx: Context[Any, Any],
    rows: Annotated[Rows, Field(description='e.g. [{"age": 41, "plan": "basic"}]')],
    model: Annotated[Short, Field(description="Deployment name or run id")] = "latest",
) -> CallToolResult:
    """Predict rows with a deployed model, or with the model of a run."""
    session = session_of(ctx)
    services = await session.services()
    answer = await services.models.predict(model, rows)
    privacy = await session.privacy(await session.meant(model))
    predictions = privacy.predictions(answer["predictions"])
    told = {"model": answer["model"], "latency_ms": answer.get("latency_ms"), "total": len(predictions)}
    believed = "a probability is what the model believes, not a fact"

    def after(shown: int) -> str:
        return believed if shown == len(predictions) else f"send the rows from the {shown + 1}. on in another call"

    return page(told, "predictions", predictions, after, details.lines)


async def model_list(ctx: Context[Any, Any], limit: Limit = 10, offset: Offset = 0) -> CallToolResult:
    """Model versions of this workspace: metric, run, what serves them."""
    session = session_of(ctx)
    services = await session.services()
    found = await services.models.list(limit + 1, offset)
    rows = [_row(one) for one in found[:limit]]

    def after(shown: int) -> str:
        return f"model_list(limit={limit}, offset={offset + shown})" if shown < len(found) else "report_get(run=…)"

    return page({"offset": offset}, "models", rows, after, lambda shown: details.lines(shown) or "no model yet")


def _row(one: dict[str, Any]) -> dict[str, Any]:
    from mcp_server.briefs import figure

    shown = {
        key: figure(value) if isinstance(value, dict) and "value" in value else value for key, value in one.items()
    }
    return {key: value for key, value in shown.items() if key != "path" and value is not None}


TOOLS = (
    ToolInfo(model_predict, "Predict", {"predictions": "array", "model": "object"}, reads=True,
             aliases={"inputs": "rows", "data": "rows", "instances": "rows", "row": "rows", "input": "rows",
                      "run": "model", "run_id": "model", "name": "model", "model_id": "model", "deployment": "model",
                      "target": "model"}),
    ToolInfo(model_list, "Models", {"models": "array"}, reads=True),
)  # fmt: skip
