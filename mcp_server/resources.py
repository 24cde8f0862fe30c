"""The addresses of a chat: neural://runs, /memory, /datasets. What leaves here went through privacy as in the tools."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.shared.exceptions import MCPError
from mcp.types import Annotations, Resource

from mcp_server import details, figures, run_files
from mcp_server.session import Session, session_of

if TYPE_CHECKING:
    from mcp_server.server import ChatServer
    from phases.privacy.privacy import Privacy

T = TypeVar("T", bound=str | bytes)
LISTED = 20
FOR_MODELS = Annotations(audience=["assistant"], priority=0.6)
RUN = "neural://runs/{run}"


def register(server: ChatServer) -> None:
    """Serve the fixed address and the templates."""
    json_at = functools.partial(server.resource, mime_type="application/json", annotations=FOR_MODELS)
    json_at("neural://memory", title="Names in memory")(_told_fixed(server, memory_names))
    json_at(RUN, title="One run")(told(run_now))
    server.resource(f"{RUN}/report", title="Report of a run", mime_type="text/markdown")(told(run_report))
    json_at(f"{RUN}/metrics", title="Metrics of a run")(told(run_metrics))
    json_at(f"{RUN}/events", title="Events of a run")(told(run_events))
    server.resource(f"{RUN}/figures/{{figure}}", title="Figure of a report", mime_type="image/png")(told(run_figure))
    server.resource(f"{RUN}/artifacts/{{+path}}", title="File of a run")(told(run_artifact))
    json_at("neural://memory/{+key}", title="Value in memory")(told(memory_value))
    json_at("neural://datasets/{name}", title="Dataset")(told(dataset))


def told(read: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """The reader, whose refusals are told to the client in its own words."""

    @functools.wraps(read)
    async def wrapped(*args: Any, **named: Any) -> T:
        from phases.privacy.privacy import Privacy

        try:
            return await read(*args, **named)
        except MCPError:
            raise
        except Exception as error:  # an address is answered as a tool is: with a code, and without foreign words
            said = [word for word in (*args, *named.values()) if isinstance(word, str)]
            level = session_of(named["ctx"]).settings.privacy.level if "ctx" in named else "schema"
            raise _refusal(error, Privacy(level, said=said)) from None

    return wrapped


def _refusal(error: Exception, privacy: Privacy) -> ResourceError:
    """What the client is told: its own mistakes, and what may not leave, as invalid parameters."""
    from mcp_server.failures import explained

    told = (explained(error, privacy).structured_content or {})["error"]
    words = f"{told['code']}: {told['message']}" + (f" ({told['next']})" if told.get("next") else "")
    theirs = str(told["code"]).startswith(("input.", "usage.", "privacy."))
    return (ResourceNotFoundError if theirs else ResourceError)(words)


def _told_fixed(server: ChatServer, read: Callable[[Session], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    """A fixed address has no context: its reader gets the session of the server."""

    async def wrapped() -> str:
        return await told(read)(server.session)

    wrapped.__name__, wrapped.__doc__ = read.__name__, read.__doc__
    return wrapped


async def present(session: Session) -> list[Resource]:
    """The addresses of the newest runs and of the datasets; none while Redis is away."""
    from memory.errors import NeuroloomError

    try:
        services = await session.services()
        runs = await services.runs.list(LISTED)
        kept = await services.datasets.list(LISTED, 0)
    except NeuroloomError:
        return []
    rows = [
        Resource(uri=f"neural://runs/{view.run_id}", name=view.run_id, description=f"{view.status}, {view.created_at}",
                 mime_type="application/json")
        for view in runs
    ]  # fmt: skip
    rows += [
        Resource(uri=f"neural://datasets/{one.name}", name=one.name, description=f"dataset, {one.bytes} bytes",
                 mime_type="application/json")
        for one in kept
    ]  # fmt: skip
    return rows


async def memory_names(session: Session) -> str:
    """Names of the values of the latest run, and of what people asserted."""
    services = await session.services()
    return _json({"keys": list(await services.notes.list("latest"))})


async def run_now(run: str, ctx: Context[Any, Any]) -> str:
    """A run as it is now: phases, gates, metrics, question, error."""
    session = session_of(ctx)
    view = await session.look(run)
    return _json(await session.shown(view))


async def run_report(run: str, ctx: Context[Any, Any]) -> str:
    """The report of a run in Markdown."""
    session = session_of(ctx)
    view = await session.look(run)
    return await session.report(view)


async def run_metrics(run: str, ctx: Context[Any, Any]) -> str:
    """Every metric of the model and its baselines, with unit, interval and split."""
    session = session_of(ctx)
    view = await session.look(run)
    rows = await details.rows(session, view, await session.privacy(view), "metrics")
    return _json({"run": view.run_id, "status": view.status, "metrics": rows})


async def run_events(run: str, ctx: Context[Any, Any]) -> str:
    """What happened in a run, newest first: up to 500 events."""
    session = session_of(ctx)
    view = await session.look(run)
    rows = await details.rows(session, view, await session.privacy(view), "events")
    return _json({"run": view.run_id, "total": len(rows), "events": rows[: details.EVENTS]})


async def run_figure(run: str, figure: str, ctx: Context[Any, Any]) -> bytes:
    """A figure of the report as PNG."""
    from memory.errors import InputError

    session = session_of(ctx)
    view = await session.look(run)
    drawn = (await figures.shown(session, view)).get(figure)
    if drawn is None:
        raise InputError(f"run {view.run_id!r} has no figure {figure!r}", code="input.no_such_figure", field="figure")
    return figures.png(drawn)


async def run_artifact(run: str, path: str, ctx: Context[Any, Any]) -> str | bytes:
    """A file of a run's folder that holds no cells; text as text."""
    session = session_of(ctx)
    view = await session.look(run)
    data = run_files.read(Path(view.workspace), path, (await session.privacy(view)).artifact)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


async def memory_value(key: str, ctx: Context[Any, Any]) -> str:
    """A value of the latest run by name, or of `<run id>/<name>`."""
    return _json(await details.remembered(session_of(ctx), "latest", key))


async def dataset(name: str, ctx: Context[Any, Any]) -> str:
    """A dataset: its size and hash, and its profile where it was made."""
    session = session_of(ctx)
    services = await session.services()
    kept = await services.datasets.get(name)
    row = {key: getattr(kept, key) for key in ("name", "bytes", "sha256", "rows")}
    profile = await services.datasets.profile(name, None, wait_seconds=0.0)
    shown = (await session.privacy()).profile(profile) if profile.state == "done" else None
    return _json({**row, "profile": shown})


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1)
