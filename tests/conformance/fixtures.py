"""The names that the MCP conformance suite calls: tools with set answers, addresses, prompts. Mounted for it alone.

The product's own tools, middleware, prompts and subscriptions stay as they are beside them. Questions to the client are
in `asking.py`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Annotated, Any

from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.types import (
    AudioContent,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    SetLevelRequestParams,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

from tests.conformance import asking

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
FIXTURE = "A name that the conformance suite calls."
NEEDS_SAMPLING = -32021
ADDRESS = {"street": {"type": "string"}, "city": {"type": "string"}}
SCHEMA_2020: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": ADDRESS}},
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def register(server: MCPServer[Any]) -> None:
    """Mount everything that the suite calls by name on this server."""
    _contents(server)
    _reports(server)
    _changes(server)
    _schemas(server)
    _addresses(server)
    _prompts(server)
    _levels(server)
    asking.register(server, FIXTURE)


def image() -> ImageContent:
    """One transparent pixel."""
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, mime: str, text: str) -> EmbeddedResource:
    """A resource inside an answer."""
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime, text=text))


def _contents(server: MCPServer[Any]) -> None:
    """Tools that answer with one kind of content each."""

    @server.tool(description=FIXTURE)
    def test_simple_text() -> str:
        return "This is a simple text response for testing."

    @server.tool(description=FIXTURE)
    def test_image_content() -> list[ImageContent]:
        return [image()]

    @server.tool(description=FIXTURE)
    def test_audio_content() -> list[AudioContent]:
        return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]

    @server.tool(description=FIXTURE)
    def test_embedded_resource() -> list[EmbeddedResource]:
        return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]

    @server.tool(description=FIXTURE)
    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        value = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
        return [TextContent(type="text", text="Multiple content types test:"), image(), value]

    @server.tool(description=FIXTURE)
    def test_error_handling() -> str:
        raise RuntimeError("This tool intentionally returns an error for testing")


def _reports(server: MCPServer[Any]) -> None:
    """Tools that tell something while they work."""

    @server.tool(description=FIXTURE)
    async def test_tool_with_logging(ctx: Context[Any, Any]) -> str:
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.session.send_log_message("info", line, related_request_id=ctx.request_id)
        return "logged"

    @server.tool(description=FIXTURE)
    async def test_logging_tool(ctx: Context[Any, Any]) -> str:
        await ctx.session.send_log_message("info", "a line", related_request_id=ctx.request_id)
        return "logged"

    @server.tool(description=FIXTURE)
    async def test_tool_with_progress(ctx: Context[Any, Any]) -> str:
        for step in (0, 50, 100):
            await ctx.report_progress(step, 100, f"Completed step {step} of 100")
        return "done"

    @server.tool(description="Tells that it began, and waits until it is cancelled; no name of the suite.")
    async def test_endless(ctx: Context[Any, Any]) -> str:
        await ctx.report_progress(1, None, "it waits")
        await asyncio.Event().wait()
        return "never"

    @server.tool(description=FIXTURE)
    async def test_reconnection(ctx: Context[Any, Any]) -> str:
        await ctx.close_sse_stream()
        return "Reconnection test completed"


def _changes(server: MCPServer[Any]) -> None:
    """Tools that change the lists of tools and prompts for a moment, and say so."""

    @server.tool(description=FIXTURE)
    async def test_trigger_tool_change(ctx: Context[Any, Any]) -> str:
        server.add_tool(lambda: "passing", name="passing_tool", description=FIXTURE)
        server.remove_tool("passing_tool")
        await ctx.notify_tools_changed()
        return "changed"

    @server.tool(description=FIXTURE)
    async def test_trigger_prompt_change(ctx: Context[Any, Any]) -> str:
        server.add_prompt(Prompt.from_function(lambda: "passing", name="passing_prompt", description=FIXTURE))
        server.remove_prompt("passing_prompt")
        await ctx.notify_prompts_changed()
        return "changed"


def _schemas(server: MCPServer[Any]) -> None:
    """Tools whose description to the client is what is looked at."""

    @server.tool(description=FIXTURE)
    def json_schema_2020_12_tool() -> str:
        return "seen"

    registered = server._tool_manager.get_tool("json_schema_2020_12_tool")
    assert registered is not None
    registered.parameters = SCHEMA_2020

    @server.tool(description=FIXTURE)
    def test_x_mcp_header(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "none") -> str:
        return region

    @server.tool(description=FIXTURE)
    async def test_missing_capability(ctx: Context[Any, Any]) -> str:
        known = ctx.client_capabilities
        if known is None or known.sampling is None:
            needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(code=NEEDS_SAMPLING, message="this tool needs sampling", data=needed)
        return "sampling is there"


def _addresses(server: MCPServer[Any]) -> None:
    """What can be read."""

    @server.resource("test://static-text", mime_type="text/plain", description=FIXTURE)
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png", description=FIXTURE)
    def static_binary() -> bytes:
        return base64.b64decode(PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json", description=FIXTURE)
    def from_template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", description=FIXTURE)
    def watched() -> str:
        return "watched"


def _prompts(server: MCPServer[Any]) -> None:
    """What can be prompted."""

    @server.prompt(description=FIXTURE)
    def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    @server.prompt(description=FIXTURE)
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(description=FIXTURE)
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        found = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(found), UserMessage("Please process the embedded resource above.")]

    @server.prompt(description=FIXTURE)
    def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(image()), UserMessage("Please analyze the image above.")]


def _levels(server: MCPServer[Any]) -> None:
    """The older revision's method for the level of log messages, which the product does not send."""

    async def accepted(_ctx: Any, _params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()

    server._lowlevel_server.add_request_handler("logging/setLevel", SetLevelRequestParams, accepted)
