"""Tools that bring tables to where the runs are, and tell what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from mcp_server import details
from mcp_server.replies import page, reply
from mcp_server.session import Session, session_of
from mcp_server.tool import ToolInfo
from mcp_server.tools.runs import Limit, Offset
from mcp_server.words import Short

if TYPE_CHECKING:
    from app.services import DatasetsService
    from phases.datasets import UploadView

Row = dict[Annotated[str, Field(max_length=200)], Any]
Path = Annotated[str, Field(min_length=1, max_length=1000)]
KEPT = ("name", "bytes", "sha256", "rows")
CHUNK = 1_400_000  # characters of base64: about 1 MB of file


async def dataset_add(
    ctx: Context[Any, Any],
    name: Annotated[Short | None, Field(description="Lower-case letters, digits, hyphens")] = None,
    path: Annotated[Path | None, Field(description="A file in the data roots")] = None,
    rows: Annotated[list[Row] | None, Field(min_length=1, max_length=5000, description="A small table, inline")] = None,
    text: Annotated[str | None, Field(max_length=250_000, description="A small table as CSV, inline")] = None,
    size: Annotated[int | None, Field(ge=1, description="Begin an upload: bytes of the file, with sha256")] = None,
    sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None,
    upload: Annotated[Short | None, Field(description="Goes on with that upload: index and chunk, or done")] = None,
    index: Annotated[int | None, Field(ge=0)] = None,
    chunk: Annotated[str | None, Field(max_length=CHUNK, description="base64")] = None,
    done: bool = False,
) -> CallToolResult:
    """Keep a table for runs: from a path here, inline, or uploaded in chunks (begin, chunks, done)."""
    from memory.errors import UsageError

    services = await session_of(ctx).services()
    if upload is not None:
        return await _uploaded(services.datasets, upload, index, chunk, done)
    ways = [way for way, given in (("path", path), ("rows", rows), ("text", text), ("size", size)) if given is not None]
    if len(ways) != 1 or (ways != ["path"] and name is None):
        fix = "name with one of path, rows, text, or size and sha256 to begin an upload"
        raise UsageError("give a name and exactly one source", code="usage.contradiction", field="name", fix=fix)
    if size is not None:
        return _uploading(await services.datasets.begin(str(name), size, sha256 or ""))
    if path is not None:
        kept = await services.datasets.add_path(path, name)
    else:
        kept = await services.datasets.add_inline(str(name), rows if rows is not None else str(text))
    return _kept(kept.model_dump(mode="json"))


async def _uploaded(
    datasets: DatasetsService, upload: str, index: int | None, chunk: str | None, done: bool
) -> CallToolResult:
    from memory.errors import UsageError

    if done:
        return _kept((await datasets.finish(upload)).model_dump(mode="json"))
    if index is None or chunk is None:
        raise UsageError("an upload goes on with index and chunk, or ends with done", code="usage.missing",
                         field="chunk", fix=f'dataset_add(upload="{upload}", index=0, chunk=…)')  # fmt: skip
    return _uploading(await datasets.chunk(upload, index, chunk))


def _uploading(state: UploadView) -> CallToolResult:
    index = state.missing[0] if state.missing else state.chunks
    left = state.size - state.received
    more = (
        f'dataset_add(upload="{state.upload}", index={index}, chunk=…) with at most {state.largest_chunk} bytes a chunk'
    )
    again = more if left > 0 else f'dataset_add(upload="{state.upload}", done=true)'
    words = f"upload {state.upload}: {state.received} of {state.size} bytes are here"
    return reply(state.model_dump(mode="json"), words, next=again)


def _kept(record: dict[str, Any]) -> CallToolResult:
    kept = {key: record[key] for key in KEPT}
    again = f'dataset_profile(data="{record["name"]}"), then run_start(data="{record["name"]}", target=…)'
    return reply({"dataset": kept}, f"dataset {record['name']} is kept, {record['bytes']} bytes", next=again)


async def dataset_profile(
    ctx: Context[Any, Any],
    data: Annotated[Path | None, Field(description="Name or path; absent: the list of datasets")] = None,
    target: Short | None = None,
    seconds: Annotated[float, Field(ge=0, le=45)] = 30.0,
    limit: Limit = 20,
    offset: Offset = 0,
) -> CallToolResult:
    """What is in a table: columns with kind and statistics, warnings, a proposed target. Without data: the datasets."""
    session = session_of(ctx)
    services = await session.services()
    if data is None:
        return await _listed(services.datasets, limit, offset)
    return await _profiled(session, data, target, seconds, (limit, offset))


async def _listed(datasets: DatasetsService, limit: int, offset: int) -> CallToolResult:
    rows = [{key: getattr(one, key) for key in KEPT} for one in await datasets.list(limit, offset)]
    total = await datasets.count()

    def after(shown: int) -> str:
        more = f"dataset_profile(limit={limit}, offset={offset + shown})"
        return more if offset + shown < total else "dataset_profile(data=…)" if rows else "dataset_add(…)"

    told = {"total": total, "offset": offset}
    return page(told, "datasets", rows, after, lambda shown: details.lines(shown) or "no dataset yet")


async def _profiled(
    session: Session, data: str, target: str | None, seconds: float, place: tuple[int, int]
) -> CallToolResult:
    services = await session.services()
    profile = await services.datasets.profile(data, target, wait_seconds=seconds)
    if profile.state == "profiling":
        again = f'dataset_profile(data="{data}") again; it goes on meanwhile'
        return reply({"data": data, "state": "profiling"}, f"{data} is being profiled", next=again)
    shown = (await session.privacy()).knowing(data).profile(profile)
    limit, offset = place
    columns = shown.pop("columns")
    named = target or shown.get("proposed_target") or "…"
    table = details.quoted(data)
    begin = f"run_start(data={table}, target={details.quoted(named)}) once the person agrees to the target"

    def after(many: int) -> str:
        left = len(columns) - offset - many
        more = f"dataset_profile(data={table}, limit={limit}, offset={offset + many}) shows {left} more columns"
        return more if left > 0 else begin

    document = {**shown, "total_columns": len(columns)}
    part = columns[offset : offset + limit]
    return page(document, "columns", part, after, lambda found: details.lines([shown, *found]))


ADDS = {"dataset": "name", "file": "path", "file_path": "path", "csv": "text", "content": "text", "data": "rows",
        "upload_id": "upload", "checksum": "sha256", "finish": "done"}  # fmt: skip
PROFILES = {"dataset": "data", "path": "data", "name": "data", "file": "data", "csv": "data", "target_column": "target"}
TOOLS = (
    ToolInfo(dataset_add, "Add a dataset", {"dataset": "object", "upload": "string"}, repeats=True, aliases=ADDS),
    ToolInfo(dataset_profile, "Profile a dataset", {"columns": "array", "datasets": "array", "rows": "integer"},
             reads=True, aliases=PROFILES),
)  # fmt: skip
