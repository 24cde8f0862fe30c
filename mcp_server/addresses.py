"""Addresses that change: which run, memory key or dataset one is about, and what of it tells that it changed.

It only looks; `watching` tells whoever listens.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

if TYPE_CHECKING:
    from app.services import Services

LONGEST: Final = 512
FORMS: Final = (
    "neural://runs/<run>",
    "neural://runs/<run>/report",
    "neural://runs/<run>/metrics",
    "neural://runs/<run>/events",
    "neural://memory",
    "neural://memory/<key>",
    "neural://datasets/<name>",
)
_PART = r"[^/?#\s]+"
_FORM = re.compile(
    rf"neural://(?:runs/(?P<run>{_PART})(?:/(?:report|metrics|events))?|datasets/(?P<dataset>{_PART})"
    rf"|memory(?:/(?P<memory>{_PART}(?:/{_PART})*))?)"
)


@dataclass(frozen=True)
class Watched:
    """What an address is about; several addresses are about one run."""

    kind: Literal["run", "memory", "dataset"]
    name: str


def watched(uri: str) -> Watched:
    """What this address is about.

    Raises:
        MCPError: -32602, it is none that changes; the forms are named.
    """
    found = _FORM.fullmatch(uri) if len(uri) <= LONGEST else None
    if found is None:
        raise refused(f"{uri[:80]!r} is no address that can be watched", "input.no_such_address", FORMS)
    if found["run"]:
        return Watched("run", unquote(found["run"]))
    return Watched("dataset", unquote(found["dataset"])) if found["dataset"] else _of_memory(found["memory"])


def refused(message: str, code: str, valid: tuple[str, ...] = ()) -> MCPError:
    """The refusal of a subscription, in words and as a document."""
    told = f"{code}: {message}" + (f"; valid: {', '.join(valid)}" if valid else "")
    document = {"code": code, "message": message, "field": "uri", "valid": list(valid), "next": None}
    return MCPError(code=INVALID_PARAMS, message=told, data={"error": document})


async def state(services: Services, what: Watched) -> str | None:
    """What is there now, as a text that differs after each change; None where nothing is.

    Raises:
        NeuroloomError: it cannot be known now; Redis is away.
    """
    from memory.errors import InputError

    try:
        return await _STATES[what.kind](services, what.name)
    except InputError:
        return None


def _of_memory(key: str | None) -> Watched:
    return Watched("memory", unquote(key or ""))


async def _of_run(services: Services, name: str) -> str:
    run, event = await services.runs.newest_event(name)
    return f"{run} {event}"


async def _memory(services: Services, key: str) -> str:
    if not key:
        return "\n".join(sorted(await services.notes.list("latest")))
    found = await services.notes.get("latest", key, envelope=True)
    return f"{found['version']} {found['at']} {found['written_by']}"


async def _dataset(services: Services, name: str) -> str:
    found = await services.datasets.get(name)
    return f"{found.sha256} {found.added_at} {found.rows}"


_STATES: Final[Mapping[str, Callable[[Services, str], Awaitable[str]]]] = {
    "run": _of_run,
    "memory": _memory,
    "dataset": _dataset,
}
