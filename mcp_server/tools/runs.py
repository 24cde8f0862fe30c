"""Tools that start, read and follow runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, Resolve
from mcp.types import CallToolResult
from pydantic import Field

from mcp_server import asking, briefs, details, principal, scopes, waiting
from mcp_server.replies import page, reply
from mcp_server.session import DOOR, Session, session_of
from mcp_server.tool import ToolInfo
from mcp_server.words import Run, Short
from phases.views import RunView

Limit = Annotated[int, Field(ge=1, le=50)]
Offset = Annotated[int, Field(ge=0, le=100_000)]
Numbers = dict[Annotated[str, Field(max_length=40)], float]
Columns = Annotated[list[Short], Field(max_length=500)]
Status = Literal["queued", "running", "waiting", "deployed", "finished", "rejected", "failed", "cancelled"]
Detail = Literal["brief", "phases", "metrics", "decisions", "events"]


async def run_start(
    ctx: Context[Any, Any],
    data: Annotated[str | None, Field(max_length=1000, description="Dataset name, or path in the data roots")] = None,
    target: Annotated[
        Short | None, Field(description="Column to predict; absent: the run proposes one and asks")
    ] = None,
    goal: Annotated[str | None, Field(max_length=2000)] = None,
    name: Annotated[Short | None, Field(description="Deployment name")] = None,
    task: Literal["binary", "multiclass", "regression"] | None = None,
    metric: Short | None = None,
    positive: Short | None = None,
    at_least: Annotated[Numbers | None, Field(description='Required, e.g. {"accuracy": 0.9}')] = None,
    at_most: Annotated[Numbers | None, Field(description='e.g. {"latency_ms": 20, "rmse": 3}')] = None,
    drop: Columns | None = None,
    group: Short | None = None,
    time: Short | None = None,
    epochs: Annotated[int | None, Field(ge=1, le=100_000)] = None,
    budget_seconds: Annotated[float | None, Field(gt=0, le=864_000)] = None,
    seed: Annotated[int | None, Field(ge=0, lt=2**32)] = None,
    gates: Literal["default", "reference"] | None = None,
    backend: Literal["local", "ssh"] | None = None,
    deploy: Annotated[bool | None, Field(description="Serve the model when its gates pass (default: yes)")] = None,
    from_run: Annotated[Short | None, Field(description="Recipe of that run; a deployment's name retrains it")] = None,
    request_id: Annotated[Short | None, Field(description="The same id never starts a second run")] = None,
) -> CallToolResult:
    """Train on a table and, if its gates pass, serve the model. Answers at once; the run goes on by itself."""
    session = session_of(ctx)
    services = await session.services()
    given = {"target": target, "goal": goal, "name": name, "task": task, "metric": metric, "positive": positive,
             "drop": drop, "group": group, "time": time, "epochs": epochs, "budget_seconds": budget_seconds,
             "seed": seed, "gates": gates, "backend": backend, "from_run": from_run}  # fmt: skip
    retrained = from_run is not None and any(one.name == from_run for one in await services.deployments.list())
    path = await _data(session, data, None if retrained else from_run)
    if retrained and from_run is not None:
        scopes.require("deploy", "retraining a deployment")
        changes = details.retraining(given, (at_least, at_most), deploy)
        workspace = str(Path.cwd())
        view = await services.models.retrain(
            from_run, path, workspace=workspace, door=DOOR, once=request_id, changes=changes
        )
    else:
        serves = principal.current().may("deploy") if deploy is None else deploy
        request = details.request(session, path, given, (at_least, at_most), serves)
        view = await services.runs.start(request, once=request_id)
    return _started(view, await session.shown(view), path)


def _started(view: RunView, shown: Mapping[str, Any], path: str) -> CallToolResult:
    document, words = briefs.brief(view, shown), briefs.words(view, shown)
    if view.data != path:
        words = f"This request id was used before, for other data: this is the run that it started.\n{words}"
        document["note"] = "this request id was used before, for other data"
    return reply(document, words, next=briefs.next_step(view))


async def _data(session: Session, data: str | None, from_run: str | None) -> str:
    """The table's path: of a dataset or a file in the data roots; of the recipe's run where none is named."""
    from memory.errors import UsageError

    services = await session.services()
    if data is not None:
        return str(services.datasets.locate(data))
    if from_run is not None and (view := await services.runs.get(from_run)).data is not None:
        return str(services.datasets.locate(view.data))
    fix = "dataset_profile() lists the datasets; dataset_add keeps a new one"
    raise UsageError("data is missing: a dataset's name or a path", code="usage.missing", field="data", fix=fix)


async def run_get(
    ctx: Context[Any, Any],
    run: Run = "latest",
    detail: Detail = "brief",
    limit: Limit = 10,
    offset: Offset = 0,
) -> CallToolResult:
    """How a run stands: phases, gates, metrics with their split, question, error. detail gives more of one kind."""
    session = session_of(ctx)
    view = await session.look(run)
    if detail == "brief":
        return await followed(session, view)
    rows = await details.rows(session, view, await session.privacy(view), detail)
    told = {"run": view.run_id, "status": view.status, "detail": detail, "total": len(rows), "offset": offset}

    def after(shown: int) -> str:
        more = f'run_get(run="{view.run_id}", detail="{detail}", limit={limit}, offset={offset + shown})'
        return more if offset + shown < len(rows) else briefs.next_step(view)

    return page(told, "rows", rows[offset : offset + limit], after, details.lines)


async def run_wait(
    ctx: Context[Any, Any],
    waited: Annotated[waiting.Waited, Resolve(waiting.waited)],
    outcome: Annotated[ElicitationResult[Any], Resolve(waiting.asked)],
    run: Run = "latest",
    seconds: waiting.Seconds = 30.0,
) -> CallToolResult:
    """Wait (at most 50 s) until the run ends or asks; reports progress. Still going: call again."""
    session = session_of(ctx)
    view, question = waited.view, waited.view.question
    answer = asking.given(question, asking.settled(outcome)) if question is not None else None
    if answer is not None:
        scopes.require(await asking.scope_of(session, view), "answering this question")
        view = await asking.answered(session, view, answer)
    return await followed(session, view)


async def followed(session: Session, view: RunView) -> CallToolResult:
    """A run in short, made once for each look at it."""
    return await session.told(view, _told)


def _told(view: RunView, shown: Mapping[str, Any]) -> CallToolResult:
    document, text = briefs.brief(view, shown), briefs.words(view, shown)
    return reply(document, text, next=briefs.next_step(view), more=details.links(view))


async def run_list(
    ctx: Context[Any, Any], limit: Limit = 10, offset: Offset = 0, status: Status | None = None
) -> CallToolResult:
    """Runs of this workspace, newest first."""
    session = session_of(ctx)
    services = await session.services()
    found = await services.runs.list(limit + 1, offset=offset, status=status)
    rows = []
    for view in found[:limit]:
        shown = await session.shown(view)
        rows.append(details.row(view, shown))
    last = "run_get(run=…)" if rows else "dataset_profile(data=…), then run_start(data=…, target=…)"

    def after(shown: int) -> str:
        return f"run_list(limit={limit}, offset={offset + shown})" if shown < len(found) else last

    return page({"offset": offset}, "runs", rows, after, lambda shown: details.lines(shown) or "no run yet")


FOLLOWED = {"run": "string", "status": "string", "phases": "object", "metrics": "object", "question": "object"}
ALIASES = {"run_id": "run", "id": "run", "job_id": "run", "runid": "run"}
STARTS = {
    "dataset": "data", "path": "data", "file": "data", "csv": "data", "data_path": "data", "file_path": "data",
    "target_column": "target", "label": "target", "y": "target", "description": "goal", "objective": "goal",
    "model_name": "name", "random_state": "seed", "max_epochs": "epochs", "n_epochs": "epochs",
    "requirements": "at_least", "idempotency_key": "request_id", "retrain": "from_run",
}  # fmt: skip
TOOLS = (
    ToolInfo(run_start, "Train a model", FOLLOWED, aliases=STARTS, prefixes={"min_": "at_least", "max_": "at_most"}),
    ToolInfo(run_get, "One run", FOLLOWED, reads=True, aliases=ALIASES),
    ToolInfo(run_wait, "Wait for a run", FOLLOWED, aliases={**ALIASES, "timeout": "seconds", "wait": "seconds"}),
    ToolInfo(run_list, "Runs", {"runs": "array"}, reads=True, aliases={"count": "limit", "state": "status"}),
)
