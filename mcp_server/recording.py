"""What is recorded of a call: before it where it changes something, and after it. No arguments and no secrets."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import ServerRequestContext

from mcp_server.audit import BEGUN, AuditLog, Entry, arguments_hash
from mcp_server.naming import ToolInfo
from mcp_server.principal import Principal
from mcp_server.redaction import Redactor
from mcp_server.refusal import CallRefused

RECORDED = frozenset(
    {
        "tools/call",
        "resources/read",
        "resources/subscribe",
        "subscriptions/listen",
        "prompts/get",
        "completion/complete",
    }
)
NAMED, LONGEST = 64, 4096

_log = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]


@dataclass
class Call:
    """One call while it is answered: as it came, who made it, since when; an id once its begin is recorded."""

    ctx: Context
    principal: Principal
    since: float = field(default_factory=time.perf_counter)
    id: str = ""


class Recorder:
    """Writes the records of calls.

    Args:
        audit: Where to; None records nothing.
        redactor: Takes secrets out of names that come from outside.
        tools: By name; read at each call.
    """

    def __init__(self, audit: AuditLog | None, redactor: Redactor, tools: Mapping[str, ToolInfo]) -> None:
        self._audit = audit
        self._redactor = redactor
        self._tools = tools
        self._unrecorded = False

    def begun(self, call: Call) -> None:
        """Record that a call begins which changes something, so that a kill in between leaves a trace.

        Raises:
            CallRefused: `audit.unwritable`.
        """
        if self._audit is not None:
            call_id = uuid.uuid4().hex[:16]
            self._audit.begin(self._entry(call, BEGUN, 0.0, call_id))
            call.id = call_id

    def opened(self, call: Call) -> None:
        """Record that a stream begins, which only reads: where that cannot be written it goes on without."""
        with suppress(CallRefused):
            self.begun(call)

    def ended(self, call: Call, outcome: str) -> None:
        """Record a call that has been made. That a record cannot be written is said once, until one can again."""
        if self._audit is None or call.ctx.method not in RECORDED:
            return
        ms = round((time.perf_counter() - call.since) * 1000, 3)
        try:
            self._audit.append(self._entry(call, outcome, ms, call.id))
        except OSError as error:
            if not self._unrecorded:
                _log.error("calls are not recorded any more: %s: %s", self._audit.folder, error.strerror)
            self._unrecorded = True
        else:
            self._unrecorded = False

    def _entry(self, call: Call, outcome: str, ms: float, call_id: str) -> Entry:
        name, arguments = self._asked(call.ctx)
        params = call.ctx.session.client_params
        return Entry(
            principal=call.principal.name,
            door=call.principal.door,
            client=self._plain(params.client_info.name if params else ""),
            method=call.ctx.method,
            name=self._plain(name),
            arguments_sha256=arguments_hash(arguments),
            outcome=outcome,
            ms=ms,
            call=call_id,
        )

    def _asked(self, ctx: Context) -> tuple[str, Any]:
        """What was called, and its arguments, of which only the hash is kept."""
        params = ctx.params or {}
        if ctx.method in {"resources/read", "resources/subscribe"}:
            return _beginning(params.get("uri")), {"uri": params.get("uri")}
        if ctx.method == "subscriptions/listen":
            return "", params.get("notifications") or {}
        if ctx.method == "completion/complete":
            ref = params.get("ref")
            told = ref if isinstance(ref, Mapping) else {}
            name = str(told["name"]) if "name" in told else _beginning(told.get("uri"))
            return name, {key: params.get(key) for key in ("ref", "argument", "context")}
        name = str(params.get("name"))
        known = ctx.method != "tools/call" or name in self._tools
        return name if known else "unknown", params.get("arguments") or {}

    def _plain(self, text: str) -> str:
        """A name from outside, without secrets and control characters, and bounded."""
        if len(text) > LONGEST:
            return "too long"
        shown = self._redactor.text(text)[:NAMED]
        return "".join(letter if letter.isprintable() else "�" for letter in shown)


def _beginning(uri: Any) -> str:
    """Of an address only what comes before its first variable part."""
    scheme, _, rest = str(uri).partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
