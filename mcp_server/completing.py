"""Completion of arguments of prompts and addresses, from what there is now. At most a hundred values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcp.types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from mcp_server.session import Session

if TYPE_CHECKING:
    from mcp_server.server import ChatServer

MOST = 100


def register(server: ChatServer, session: Session) -> None:
    """Serve `completion/complete`."""

    async def complete(
        ref: PromptReference | ResourceTemplateReference,  # noqa: ARG001 - an argument means the same everywhere
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        known = dict(context.arguments or {}) if context is not None else {}
        begun = argument.value.rpartition(",")[2].strip() if argument.name == "runs" else argument.value
        head = argument.value[: len(argument.value) - len(begun)]
        found = [one for one in await _values(session, argument.name, known) if one.startswith(begun)]
        return Completion(values=[head + one for one in found[:MOST]], total=len(found), has_more=len(found) > MOST)

    server.completion()(complete)  # type: ignore[no-untyped-call] # the SDK's decorator has no annotation


async def _values(session: Session, name: str, known: dict[str, str]) -> Sequence[str]:
    """What the argument may be; nothing where that cannot be known now."""
    from memory.errors import NeuroloomError

    try:
        return await _known_values(session, name, known)
    except NeuroloomError:
        return []


async def _known_values(session: Session, name: str, known: dict[str, str]) -> Sequence[str]:
    services = await session.services()
    if name in {"run", "runs"}:
        return ["latest", *[view.run_id for view in await services.runs.list(MOST)]]
    if name in {"data", "name"}:
        kept = [one.name for one in await services.datasets.list(MOST, 0)]
        return kept if name == "data" else [*[one.name for one in await services.deployments.list()], *kept]
    if name == "key":
        return list(await services.notes.list("latest"))
    if name == "figure":
        from mcp_server import figures

        return list(await figures.shown(session, await session.look(known.get("run", "latest"))))
    if name == "target" and "data" in known:
        profile = await services.datasets.profile(known["data"], None, wait_seconds=0.0)
        return [one.name for one in profile.columns] if profile.state == "done" else []
    return []
