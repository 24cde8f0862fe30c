"""Tools on what is served: its list, and changes to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, Resolve
from mcp.types import CallToolResult
from pydantic import Field

from mcp_server import asking, details
from mcp_server.replies import reply
from mcp_server.session import DOOR, session_of
from mcp_server.tool import ToolInfo
from mcp_server.words import Run, Short
from phases.views import DeploymentView

PATIENCE = 45.0
SHOWN = ("name", "status", "url", "run_id", "version", "previous", "restarts", "since")


async def deployment_list(ctx: Context[Any, Any], name: Short | None = None) -> CallToolResult:
    """What is served on this machine, with address and version."""
    session = session_of(ctx)
    services = await session.services()
    found = [await services.deployments.get(name)] if name else await services.deployments.list()
    rows = [_row(one) for one in found]
    again = 'model_predict(model=…, rows=[…]); deployment_change(action="rollback"|"stop", name=…)'
    return reply({"deployments": rows}, details.lines(rows) or "nothing is served", next=again)


async def deployment_change(
    ctx: Context[Any, Any],
    outcome: Annotated[ElicitationResult[Any], Resolve(asking.override_agreed)],
    action: Literal["start", "stop", "rollback"],
    name: Annotated[Short | None, Field(description="Deployment; needed for stop and rollback")] = None,
    run: Annotated[Run | None, Field(description="For start: whose model; the latest by default")] = None,
    override: Annotated[bool, Field(description="Serve a model that a gate rejected")] = False,
    why: Annotated[str | None, Field(max_length=500, description="The person's reason; needed to override")] = None,
) -> CallToolResult:
    """Serve a run's model, stop a deployment, or go back to its previous version."""
    session = session_of(ctx)
    services = await session.services()
    outcome = asking.settled(outcome)
    _agreed(outcome)
    if action == "start":
        view = await services.deployments.deploy(
            run or "latest", name, override, _reason(why, outcome), door=DOOR, patience=PATIENCE
        )
        session.forget(run or "latest")
        return _told(view, "is served")
    named = _named(name)
    if action == "rollback":
        return _told(await services.deployments.rollback(named), "is back at its previous version")
    await services.deployments.undeploy(named)
    return reply({"stopped": named}, f"{named} is not served any more; its model stays", next="deployment_list()")


def _agreed(outcome: ElicitationResult[Any]) -> None:
    """A person who closed the form or said no has not agreed."""
    from memory.errors import UsageError

    refused = outcome.action != "accept" or (isinstance(outcome.data, asking.Approval) and not outcome.data.approve)
    if refused:
        raise UsageError("the person did not agree to the override; nothing was changed", code="usage.declined",
                         field="override", fix="report_get shows which check failed")  # fmt: skip


def _reason(why: str | None, outcome: ElicitationResult[Any]) -> str | None:
    said = outcome.data.why if outcome.action == "accept" and isinstance(outcome.data, asking.Approval) else ""
    return why or said or None


def _named(name: str | None) -> str:
    from memory.errors import UsageError

    if name is None:
        raise UsageError("name is missing: which deployment", code="usage.missing", field="name",
                         fix="deployment_list() tells the names")  # fmt: skip
    return name


def _row(one: DeploymentView) -> dict[str, Any]:
    whole = one.model_dump(mode="json")
    return {key: whole[key] for key in SHOWN if whole[key] is not None}


def _told(one: DeploymentView, what: str) -> CallToolResult:
    words = f"{one.name} {what}" + (f" at {one.url}" if one.url else "")
    return reply({"deployment": _row(one)}, words, next=f'model_predict(model="{one.name}", rows=[…])')


TOOLS = (
    ToolInfo(deployment_list, "Deployments", {"deployments": "array"}, reads=True),
    ToolInfo(deployment_change, "Change a deployment", {"deployment": "object", "stopped": "string"}, destroys=True,
             aliases={"run_id": "run", "deployment": "name", "reason": "why", "operation": "action"}),
)  # fmt: skip
