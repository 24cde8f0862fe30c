"""What stands around every call of the chat door, in order: limits, scopes, arguments, the call, redaction, audit.

It is a middleware of the MCP library, for both protocol revisions and every transport. It knows no tool's work.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, CallToolResult, TextContent, Tool
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from mcp_server import scopes
from mcp_server.audit import AuditLog
from mcp_server.limits import Limits
from mcp_server.naming import ToolInfo, no_such_tool
from mcp_server.outgoing import CleanSession
from mcp_server.principal import LOCAL, SCOPES, Principal, acting
from mcp_server.recording import Call, Recorder
from mcp_server.redaction import Redactor
from mcp_server.refusal import CallRefused

REFUSED = -32050
"""The protocol error of a refusal that is no tool's; its data has the same document."""

LISTS = frozenset({"tools/list", "prompts/list", "resources/list", "resources/templates/list"})
OPENING = LISTS | {"initialize", "ping", "server/discover", "logging/setLevel"}
"""What a client says first. Over HTTP it counts as calls do; from standard input it has no limits to load."""

STREAMS = frozenset({"subscriptions/listen"})
NOBODY = Principal("nobody", frozenset(), "http")
LOOPBACK = Principal("loopback", frozenset(SCOPES), "http")
"""Whoever calls a server that was started with --no-token, which only this machine reaches."""

_log = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]


def tool_infos(tools: Iterable[Tool], aliases: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, ToolInfo]:
    """What the guard has to know, from the tools as they are listed.

    Args:
        tools: As `await server.list_tools()` gives them.
        aliases: By tool: wrong name of an argument → right name.
    """
    known = aliases or {}
    return {
        tool.name: ToolInfo(frozenset(tool.input_schema.get("properties", {})), known.get(tool.name, {}))
        for tool in tools
    }


class Guard:
    """The middleware: `MCPServer(middleware=[Guard(…)])`.

    Args:
        tools: By name; read at each call, so it may be filled after the server was made.
        limits: How often and how many at once.
        redactor: Takes secrets out of answers and errors.
        audit: Where calls are recorded; None records nothing.
    """

    def __init__(
        self, tools: Mapping[str, ToolInfo], limits: Limits, redactor: Redactor, audit: AuditLog | None
    ) -> None:
        self._tools = tools
        self._limits = limits
        self._redactor = redactor
        self._recorder = Recorder(audit, redactor, tools)

    async def __call__(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Answer one message; notifications pass as they are."""
        if ctx.request_id is None:
            return await call_next(ctx)
        ctx = replace(ctx, session=CleanSession(ctx.session, self._redactor))
        call, outcome = Call(ctx, whose(ctx.request)), "cancelled"
        try:
            with acting(call.principal):
                result = self._cleaned(await self._called(call, call_next))
            outcome = _outcome(result)
            return result
        except CallRefused as refused:
            outcome = refused.code
            return self._refusal(ctx, refused)
        except MCPError as error:
            outcome = _code_of(error)
            raise self._clean_error(error) from error
        except ValidationError:
            outcome = "usage.invalid"
            raise
        except Exception as error:
            outcome = "internal"
            _log.exception("%s failed", ctx.method)
            raise MCPError(INTERNAL_ERROR, f"{ctx.method} failed; the server's log says why",
                           {"error": {"code": "internal", "next": "call doctor"}}) from error  # fmt: skip
        finally:
            self._recorder.ended(call, outcome)

    async def _called(self, call: Call, call_next: CallNext) -> HandlerResult:
        principal, ctx = call.principal, call.ctx
        if ctx.method in OPENING and principal.door == "stdio":
            return await call_next(ctx)
        who = principal.name if ctx.method not in STREAMS else f"{principal.name} (streams)"
        with self._limits.call(who):
            if ctx.method != "tools/call":
                scopes.check(principal, "read", ctx.method)
                if ctx.method in STREAMS:
                    self._recorder.opened(call)
                return await call_next(ctx)
            return await call_next(self._allowed(call))

    def _allowed(self, call: Call) -> Context:
        """The call as it is made: with the right names of its arguments, and recorded if it changes something."""
        principal, ctx = call.principal, call.ctx
        name, arguments = _asked(ctx)
        tool = self._tools.get(name)
        if tool is None:
            raise no_such_tool(name, self._tools)
        scopes.check(principal, scopes.needed(name, {}), name)
        given = tool.named(name, arguments)
        scope = scopes.needed(name, given)
        scopes.check(principal, scope, name)
        if scope != "read":
            self._recorder.begun(call)
        return ctx if given == arguments else replace(ctx, params={**(ctx.params or {}), "arguments": given})

    def _cleaned(self, result: HandlerResult) -> HandlerResult:
        if isinstance(result, BaseModel):
            result = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        cleaned: HandlerResult = self._redactor.clean(result)
        return cleaned

    def _clean_error(self, error: MCPError) -> MCPError:
        return MCPError(error.code, self._redactor.text(error.message), self._redactor.clean(error.data))

    def _refusal(self, ctx: Context, refused: CallRefused) -> CallToolResult:
        """A result that the model reads, where the protocol has a place for one; else a protocol error."""
        document = self._redactor.clean(refused.document())
        message = self._redactor.text(refused.message)
        if ctx.method != "tools/call":
            raise MCPError(REFUSED, message, document)
        words = f"{refused.code}: {message}" + (f"\nnext: {refused.fix}" if refused.fix else "")
        return CallToolResult(
            is_error=True, structured_content=document, content=[TextContent(type="text", text=words)]
        )


def whose(request: Request | None) -> Principal:
    """Who makes a call: the token of its HTTP request, or whoever started this process on its standard input."""
    user = request.scope.get("user") if request is not None else None
    token = user.access_token if isinstance(user, AuthenticatedUser) else get_access_token()
    if token is not None:
        return Principal(token.client_id, frozenset(token.scopes), "http")
    if request is None:
        return LOCAL
    return NOBODY if user is not None else LOOPBACK


def _asked(ctx: Context) -> tuple[str, Mapping[str, Any]]:
    params = ctx.params or {}
    arguments = params.get("arguments")
    return str(params.get("name")), arguments if isinstance(arguments, Mapping) else {}


def _outcome(result: HandlerResult) -> str:
    """`ok`, `asked` (the person is asked something), or the code of the error that a result tells."""
    found = result if isinstance(result, Mapping) else {}
    if found.get("resultType") == "input_required":
        return "asked"
    if not found.get("isError"):
        return "ok"
    content = found.get("structuredContent")
    error = content.get("error") if isinstance(content, Mapping) else None
    return str(error.get("code", "tool.error")) if isinstance(error, Mapping) else "tool.error"


def _code_of(error: MCPError) -> str:
    told = error.data.get("error") if isinstance(error.data, Mapping) else None
    return str(told["code"]) if isinstance(told, Mapping) and "code" in told else f"rpc.{error.code}"
