"""The list of tools: what each is called, what it may do, what it answers. It holds no tool's code.

Input schemas are made from the functions' signatures and freed of what costs a model's attention and says nothing.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations

Function = Callable[..., Awaitable[CallToolResult]]
MODULES = ("datasets", "runs", "control", "results", "models", "deployments", "memory", "machine")


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


def _tools() -> Mapping[str, ToolInfo]:
    modules = [importlib.import_module(f"mcp_server.tools.{name}") for name in MODULES]
    return MappingProxyType({tool.name: tool for module in modules for tool in module.TOOLS})


TOOLS: Mapping[str, ToolInfo] = _tools()


def arguments_for(tool: ToolInfo, known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments under their right names.

    Args:
        tool: The tool that is called.
        known: Its properties by name.
        given: As the client sent them.

    Raises:
        UsageError: a name that is none of the tool's, with the nearest; or one given twice.
    """
    from memory.errors import UsageError

    named: dict[str, Any] = {}
    for name, value in given.items():
        right = name if name in known else tool.aliases.get(name.lower(), _folded(name, known))
        if right is None and (table := _prefixed(name, tool)) is not None:
            right, key = table
            earlier = named.pop(right, {})
            value = {**(earlier if isinstance(earlier, Mapping) else {}), key: value}
        if right is None:
            near = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise UsageError(
                f"{tool.name} has no argument {name[:80]!r}{hint}",
                code="usage.no_such_argument",
                field=name[:80],
                fix=f"call {tool.name} with only: {', '.join(known) or 'no argument'}",
            )
        if right in named:
            raise UsageError(f"{right!r} is given twice, once as {name[:80]!r}", code="usage.twice", field=right)
        named[right] = value
    return named


def _prefixed(name: str, tool: ToolInfo) -> tuple[str, str] | None:
    """The table and its key that a name such as `min_accuracy` means."""
    found = next((begin for begin in tool.prefixes if name.startswith(begin) and len(name) > len(begin)), None)
    return None if found is None else (tool.prefixes[found], name[len(found) :])


def _folded(name: str, known: Mapping[str, Any]) -> str | None:
    """`minAccuracy` and `min-accuracy` are `min_accuracy`."""
    letters = {one.replace("_", ""): one for one in known}
    return letters.get(name.lower().replace("_", "").replace("-", ""))


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
