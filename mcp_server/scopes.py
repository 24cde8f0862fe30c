"""Which scope each tool needs, and the refusal of a call whose token has less. It knows no token.

Some needs are seen only by the tool, once it has read what the call is about:

- `run_approve` needs `train`; when the question that it finds is about a deployment, it calls `require("deploy")`.
- `run_start` needs `train`, and `deploy` with `deploy: true`. When the argument is left out, the tool deploys only if
  `current().may("deploy")`; a retraining that would change a deployment calls `require("deploy")`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_server.principal import SCOPES, Principal, Scope, current
from mcp_server.refusal import CallRefused

TOOLS: Mapping[str, Scope] = {
    "dataset_profile": "read",
    "deployment_list": "read",
    "doctor": "read",
    "memory_get": "read",
    "model_list": "read",
    "model_predict": "read",
    "report_get": "read",
    "run_compare": "read",
    "run_get": "read",
    "run_list": "read",
    "run_wait": "read",
    "dataset_add": "train",
    "memory_set": "train",
    "run_approve": "train",
    "run_cancel": "train",
    "run_resume": "train",
    "run_start": "train",
    "run_steer": "train",
    "deployment_change": "deploy",
}
"""Every tool; one that is not listed needs `admin`."""

ARGUMENTS: Mapping[tuple[str, str], Scope] = {("run_start", "deploy"): "deploy"}
"""Arguments that need more than their tool does, whenever they are neither absent nor false."""


def needed(tool: str, arguments: Mapping[str, Any]) -> Scope:
    """The scope that a call of a tool needs."""
    asked = [scope for (name, key), scope in ARGUMENTS.items() if name == tool and _said(arguments.get(key))]
    return max([TOOLS.get(tool, "admin"), *asked], key=SCOPES.index)


def check(principal: Principal, scope: Scope, what: str) -> None:
    """Refuse when the principal has less.

    Raises:
        CallRefused: `auth.scope`, saying what is needed and what the token has.
    """
    if principal.may(scope):
        return
    has = [one for one in SCOPES if one in principal.scopes]
    raise CallRefused(
        f"{what} needs the scope {scope!r}; the token {principal.name!r} has {', '.join(has) or 'none'}",
        code="auth.scope",
        field="token",
        valid=SCOPES[SCOPES.index(scope) :],
        next=f"ask the person for a token that may: neuroloom mcp-token create NAME --scope {scope}",
    )


def require(scope: Scope, what: str) -> None:
    """Refuse from inside a tool, where only the tool knows what the call is about.

    Raises:
        CallRefused: `auth.scope`.
    """
    check(current(), scope, what)


def _said(value: Any) -> bool:
    return value is not None and value is not False
