"""Errors as a model can act on them: stable code, what is wrong, what is valid, what to call next."""

from __future__ import annotations

import logging
import re
import traceback
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from mcp_server.replies import refusal
from memory.errors import NeuroloomError

if TYPE_CHECKING:
    from mcp.types import CallToolResult

    from phases.privacy.privacy import Privacy

log = logging.getLogger("neuroloom.mcp")
AS_TOOLS = (
    (r"neuroloom deploy (\S+) --override --why \S+(?: \(recorded\))?",
     r'deployment_change(action="start", run="\1", override=true, why=…); the reason is recorded'),
    (r"neuroloom deploy (\S+)", r'deployment_change(action="start", run="\1")'),
    (r"neuroloom undeploy (\S+)", r'deployment_change(action="stop", name="\1")'),
    (r"neuroloom rollback (\S+)", r'deployment_change(action="rollback", name="\1")'),
    (r"neuroloom run (\S+) --from (\S+)", r'run_start(data=…, from_run="\2")'),
    (r"neuroloom run \S+ --target column", "run_start(data=…, target=…)"),
    (r"neuroloom run (\S+) --name (\S+)", r'run_start(data=…, name="\2")'),
    (r"neuroloom (?:show|logs) (\S+)", r'run_get(run="\1")'),
    (r"neuroloom watch (\S+)", r'run_wait(run="\1")'),
    (r"neuroloom (approve|cancel|resume) (\S+)", r'run_\1(run="\2")'),
    (r"neuroloom memory list ?(r-\S+)?", "memory_get() without a key"),
    (r"neuroloom deployments", "deployment_list()"),
    (r"neuroloom runs", "run_list()"),
    (r"neuroloom dataset list", "dataset_profile() without data"),
    (r"neuroloom doctor", "doctor()"),
    (r"--reject", "approve=false"),
)  # fmt: skip


def explained(error: BaseException, privacy: Privacy) -> CallToolResult:
    """What a failed call answers; an unforeseen failure is logged with its place and told without its words.

    Args:
        error: What was raised.
        privacy: What may be told; a message may quote cells of a table.
    """
    if isinstance(error, ValidationError):
        return refusal(_of_arguments(error))
    if isinstance(error, NeuroloomError):
        return refusal(of_error(error, privacy))
    where = "".join(traceback.format_tb(error.__traceback__))  # its message may quote data: only where it happened
    log.error("a call failed unforeseen: %s\n%s", type(error).__name__, where)
    return refusal(
        {
            "code": "internal",
            "message": f"Neuroloom itself failed here ({type(error).__name__}); nothing was changed by this call"
            " beyond what run_get and deployment_list show",
            "next": "call doctor(); if it finds nothing, call again, and report the server's log",
        }
    )


def of_error(error: NeuroloomError, privacy: Privacy) -> dict[str, Any]:
    """The document of an error, its fix said in tools."""
    told = privacy.error(error)
    kept = {key: told.get(key) for key in ("code", "message", "field")}
    return {**kept, "valid": list(getattr(error, "valid", ())), "next": in_tools(told.get("fix"))}


def in_tools(fix: str | None) -> str | None:
    """A fix that names commands of the terminal, in the words of the tools."""
    if fix is None:
        return None
    for pattern, tool in AS_TOOLS:
        fix = re.sub(pattern, tool, fix)
    return re.sub(r"(?<!\S)--([a-z][a-z-]+)", lambda flag: flag[1].replace("-", "_"), fix)


def _of_arguments(error: ValidationError) -> dict[str, Any]:
    """Which argument is wrong and what it may be; the rejected values are not repeated."""
    rows = error.errors(include_url=False, include_input=False, include_context=False)
    told = [f"{'.'.join(str(part) for part in row['loc'])[:120] or 'arguments'}: {row['msg']}" for row in rows[:5]]
    field = str(rows[0]["loc"][0]) if rows and rows[0]["loc"] else None
    missing = [str(row["loc"][0]) for row in rows if row["type"] == "missing"]
    code = "usage.missing" if missing else "usage.value"
    return {"code": code, "message": "; ".join(told), "field": field, "next": "correct the arguments and call again"}
