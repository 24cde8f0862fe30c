"""The arguments of a call under their right names. What models are known to make up is put right, the rest refused."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_server.refusal import CallRefused, shown


@dataclass(frozen=True)
class ToolInfo:
    """The argument names of a tool.

    Attributes:
        arguments: Those that it has.
        aliases: Made-up names and the right ones.
        prefixes: Beginnings of made-up names whose rest is a key of the right one: `min_f1` is `f1` of `at_least`.
    """

    arguments: frozenset[str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)

    def named(self, tool: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments under their right names.

        Raises:
            CallRefused: a name that is none of the tool's, with the nearest; or one that is given twice.
        """
        unknown = [name for name in given if self._right(name)[0] is None]
        if unknown:
            raise self._unknown(tool, unknown)
        found: dict[str, Any] = {}
        for name, value in sorted(given.items(), key=lambda one: one[0] not in self.arguments):
            right, key = self._right(name)
            if right is None:
                continue
            if key is not None:
                earlier = found.pop(right, {})
                value = {**(earlier if isinstance(earlier, Mapping) else {}), key: value}
            if right in found:
                told = f"{right!r} is given twice, once as {shown(name)}"
                raise CallRefused(told, code="usage.twice", field=name[:80],
                                  next=f"call {tool} again with {right!r} once; nothing was done")  # fmt: skip
            found[right] = value
        return found

    def _right(self, name: str) -> tuple[str | None, str | None]:
        """The right name, and the key in its table where the name stands for one."""
        if name in self.arguments:
            return name, None
        letters = {_folded(one): one for one in self.arguments}
        known = self.aliases.get(name.lower()) or letters.get(_folded(name))
        if known is not None:
            return known, None
        begun = next((begin for begin in self.prefixes if name.startswith(begin) and len(name) > len(begin)), None)
        return (None, None) if begun is None else (self.prefixes[begun], name[len(begun) :])

    def _unknown(self, tool: str, names: list[str]) -> CallRefused:
        near = difflib.get_close_matches(names[0][:80], self.arguments, n=1, cutoff=0.5)
        return CallRefused(
            f"{tool} has no argument {', '.join(map(shown, names[:5]))}"
            + (f"; did you mean {near[0]!r}?" if near else ""),
            code="usage.unknown_argument",
            field=names[0][:80],
            valid=sorted(self.arguments),
            next=f"call {tool} again with the names in `valid`; nothing was done",
        )


def no_such_tool(name: str, tools: Mapping[str, Any]) -> CallRefused:
    """The refusal of a tool that is not there, with the nearest."""
    near = difflib.get_close_matches(name[:80], tools, n=1, cutoff=0.5)
    return CallRefused(
        f"no tool {shown(name)}" + (f"; did you mean {near[0]!r}?" if near else ""),
        code="usage.unknown_tool",
        field="name",
        valid=sorted(tools),
        next="call one of the tools in `valid`",
    )


def _folded(name: str) -> str:
    """`budgetSeconds` and `budget-seconds` are `budget_seconds`."""
    return name.lower().replace("_", "").replace("-", "")
