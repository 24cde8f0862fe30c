"""The conformance suite's tools that ask the client: on its session (older revision) or in their answer (newer)."""

from __future__ import annotations

import json
from typing import Any, Literal

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

Answer = str | InputRequiredResult
STRING: dict[str, Any] = {"type": "string"}
AS_TITLED: list[JsonValue] = [{"const": f"value{one}", "title": f"Value {one}"} for one in (1, 2, 3)]
AS_ITEMS: JsonValue = {"anyOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "B"}]}


class Response(BaseModel):
    response: str = Field(description="The answer")


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


class Enums(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    untitled_single: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})
    titled_single: str = Field(json_schema_extra={"oneOf": AS_TITLED})
    untitled_multi: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": ["a", "b", "c"]}})
    titled_multi: list[str] = Field(json_schema_extra={"items": AS_ITEMS})
    legacy_enum: str = Field(json_schema_extra={"enum": ["s", "m"], "enumNames": ["Small", "Medium"]})


def register(server: MCPServer[Any], description: str) -> None:
    """Mount the tools and the prompt that ask."""
    _on_the_session(server, description)
    for ask in (
        test_streaming_elicitation,
        test_input_required_result_elicitation,
        test_input_required_result_sampling,
        test_input_required_result_list_roots,
        test_input_required_result_request_state,
        test_input_required_result_multiple_inputs,
        test_input_required_result_multi_round,
        test_input_required_result_tampered_state,
        test_input_required_result_capabilities,
    ):
        server.tool(description=description)(ask)
    server.prompt(description=description)(test_input_required_result_prompt)


def form(message: str, **properties: Any) -> ElicitRequest:
    """A form with these fields, all of them required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(question: str) -> CreateMessageRequest:
    """A question to the client's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=question))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def filled(ctx: Context[Any, Any], key: str) -> dict[str, Any] | None:
    """What the client filled in under this key; None where it was not asked yet."""
    found = (ctx.input_responses or {}).get(key)
    return dict(found.content or {}) if isinstance(found, ElicitResult) else None


def _on_the_session(server: MCPServer[Any], description: str) -> None:
    """Tools that ask while they work, which the older revision alone allows."""

    @server.tool(description=description)
    async def test_sampling(prompt: str, ctx: Context[Any, Any]) -> str:
        message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
        found = await ctx.session.create_message(messages=[message], max_tokens=100, related_request_id=ctx.request_id)
        assert isinstance(found, CreateMessageResult)
        return f"LLM response: {found.content.text if isinstance(found.content, TextContent) else found.content}"

    @server.tool(description=description)
    async def test_elicitation(message: str, ctx: Context[Any, Any]) -> str:
        return f"User response: action={(await ctx.elicit(message, Response)).action}"

    @server.tool(description=description)
    async def test_elicitation_sep1034_defaults(ctx: Context[Any, Any]) -> str:
        found = await ctx.elicit("Please review and update the form fields with defaults", Defaults)
        return f"Elicitation completed: action={found.action}"

    @server.tool(description=description)
    async def test_elicitation_sep1330_enums(ctx: Context[Any, Any]) -> str:
        return f"Elicitation completed: action={(await ctx.elicit('Please select', Enums)).action}"


async def test_streaming_elicitation(ctx: Context[Any, Any]) -> Answer:
    await ctx.report_progress(1, 2, "working")
    if ctx.input_responses:
        return "answered"
    return InputRequiredResult(input_requests={"user_name": form("Name?", name=STRING)})


async def test_input_required_result_elicitation(ctx: Context[Any, Any]) -> Answer:
    found = filled(ctx, "user_name")
    if found is not None:
        return f"Hello, {found.get('name', '?')}!"
    return InputRequiredResult(input_requests={"user_name": form("What is your name?", name=STRING)})


async def test_input_required_result_sampling(ctx: Context[Any, Any]) -> Answer:
    found = (ctx.input_responses or {}).get("capital_question")
    if isinstance(found, CreateMessageResult):
        return f"Model said: {found.content.text if isinstance(found.content, TextContent) else found.content}"
    return InputRequiredResult(input_requests={"capital_question": sample("What is the capital of France?")})


async def test_input_required_result_list_roots(ctx: Context[Any, Any]) -> Answer:
    found = (ctx.input_responses or {}).get("client_roots")
    if isinstance(found, ListRootsResult):
        return f"{len(found.roots)} roots"
    return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})


async def test_input_required_result_request_state(ctx: Context[Any, Any]) -> Answer:
    if ctx.input_responses and ctx.request_state == "nonce":
        return "state-ok"
    asked = {"confirm": form("Confirm", ok={"type": "boolean"})}
    return InputRequiredResult(input_requests=asked, request_state="nonce")


async def test_input_required_result_multiple_inputs(ctx: Context[Any, Any]) -> Answer:
    if {"user_name", "greeting", "client_roots"} <= set(ctx.input_responses or {}):
        return "all three are answered"
    asked = {
        "user_name": form("Name?", name=STRING),
        "greeting": sample("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    return InputRequiredResult(input_requests=asked, request_state="asked")


async def test_input_required_result_multi_round(ctx: Context[Any, Any]) -> Answer:
    state = json.loads(ctx.request_state) if ctx.request_state else {"round": 0}
    first, second = filled(ctx, "step1"), filled(ctx, "step2")
    if state["round"] == 1 and first is not None:
        kept = json.dumps({"round": 2, "name": first.get("name")})
        return InputRequiredResult(input_requests={"step2": form("Color?", color=STRING)}, request_state=kept)
    if state["round"] == 2 and second is not None:
        return f"{state['name']} likes {second.get('color')}"
    begun = json.dumps({"round": 1})
    return InputRequiredResult(input_requests={"step1": form("Name?", name=STRING)}, request_state=begun)


async def test_input_required_result_tampered_state(ctx: Context[Any, Any]) -> Answer:
    if ctx.request_state is not None:
        return "the state came back whole"
    asked = {"confirm": form("Confirm", ok={"type": "boolean"})}
    return InputRequiredResult(input_requests=asked, request_state="sealed")


async def test_input_required_result_capabilities(ctx: Context[Any, Any]) -> InputRequiredResult:
    known = ctx.client_capabilities
    asked: dict[str, ElicitRequest | CreateMessageRequest | ListRootsRequest] = {}
    if known is None or known.sampling is not None:
        asked["sample"] = sample("hello")
    if known is None or known.elicitation is not None:
        asked["ask"] = form("Name?", name=STRING)
    return InputRequiredResult(input_requests=asked, request_state="asked")


async def test_input_required_result_prompt(ctx: Context[Any, Any]) -> Answer:
    found = filled(ctx, "user_context")
    if found is not None:
        return f"Use: {found.get('context')}"
    return InputRequiredResult(input_requests={"user_context": form("Context?", context=STRING)})
