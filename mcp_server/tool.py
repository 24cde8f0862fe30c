"""One tool: what it is called, what it may do, what it answers, and how it is registered. It holds no tool's code.

Input schemas are made from the functions' signatures and freed of what costs a model's attention and says nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations

Function = Callable[..., Awaitable[CallToolResult]]


@dataclass(frozen=True)
class ToolInfo:
    """One tool.

    Attributes:
        name: `noun_verb`; the function's own name.
        title: For people.
        answers: JSON types of the answer's fields, beside `next` and `error`, such as `{"run": "string"}`.
        reads: It changes nothing.
        destroys: It can end or replace something.
        repeats: A second call with the same arguments changes nothing more.
        outside: It reaches beyond this machine.
        aliases: Argument names that models are known to make up, and the right ones.
        prefixes: Beginnings of made-up names whose rest is a key of the right one: `min_f1` is `f1` of `at_least`.
    """

    function: Function
    title: str
    answers: Mapping[str, str] = field(default_factory=dict)
    reads: bool = False
    destroys: bool = False
    repeats: bool = False
    outside: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    def registered(self) -> Tool:
        """The tool as the SDK keeps it: all four hints, a lean input schema, the schema of its answer."""
        hints = ToolAnnotations(
            title=self.title,
            read_only_hint=self.reads,
            destructive_hint=self.destroys,
            idempotent_hint=self.repeats or self.reads,
            open_world_hint=self.outside,
        )
        made = Tool.from_function(self.function, title=self.title, annotations=hints, structured_output=False)
        made.description = " ".join((self.function.__doc__ or "").split())
        made.parameters = {**_lean(made.parameters), "additionalProperties": False}
        made.fn_metadata.output_schema = self.answer_schema()
        return made

    def answer_schema(self) -> dict[str, Any]:
        """JSON schema of the structured answer; an error is told in the same object."""
        fields = {name: {"type": kind} for name, kind in self.answers.items()}
        return {"type": "object", "properties": {**fields, "next": {"type": "string"}, "error": {"type": "object"}}}


def _lean(schema: Any) -> Any:
    """A schema without titles, nulls beside a type and defaults of nothing."""
    if isinstance(schema, list):
        return [_lean(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key != "title" or isinstance(value, dict)}
    choices = [one for one in kept.get("anyOf", []) if one != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        kept = {**choices[0], **kept}
    if kept.get("default", ...) is None:
        del kept["default"]
    return {key: _lean(value) for key, value in kept.items()}
