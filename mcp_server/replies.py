"""Answers of tools: one small document, the same in words, and what to call next. Bounded, whatever is put in."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mcp.types import CallToolResult, ContentBlock, TextContent

STRUCTURED_BYTES = 4000
TEXT_CHARACTERS = 12_000
SHORT = (400, 160, 60)
FEW = (20, 10, 5, 2, 0)


def reply(document: Mapping[str, Any], text: str, *, next: str, more: Sequence[ContentBlock] = ()) -> CallToolResult:
    """A successful answer.

    Args:
        document: What the tool found; cut to 4 kB of JSON together with `next`, and says so in `cut`.
        text: The same for people and for clients that show only text.
        next: What to do or to call now.
        more: Further content, such as a picture or a link.
    """
    whole = bounded({**spare(document), "next": next[:600]})
    words = f"{text[:TEXT_CHARACTERS]}\n\nNext: {next}" if next else text[:TEXT_CHARACTERS]
    return CallToolResult(content=[TextContent(type="text", text=words), *more], structured_content=whole)


def page(
    document: Mapping[str, Any], key: str, rows: Sequence[Any], next_of: Callable[[int], str], words: Callable[..., str]
) -> CallToolResult:
    """A page of rows: as many of them as fit into the answer, at least one, and `next` goes on after the last shown.

    Args:
        document: The answer beside the rows.
        key: The field of the rows.
        rows: The page that was asked for.
        next_of: What to call after that many rows.
        words: The rows that are shown, in words.
    """
    low, high = min(1, len(rows)), len(rows)
    while low < high:
        middle = (low + high + 1) // 2
        told = {**document, key: rows[:middle], "next": next_of(middle)[:600]}
        low, high = (middle, high) if _size(spare(told)) <= STRUCTURED_BYTES else (low, middle - 1)
    shown = rows[:low]
    return reply({**document, key: shown}, words(shown), next=next_of(low))


def refusal(error: Mapping[str, Any]) -> CallToolResult:
    """A call that was refused or failed: `{"error": {code, message, field, valid, next}}`, and in words."""
    told = {key: value for key, value in error.items() if value not in (None, [], "")}
    words = f"{told['code']}: {told['message']}"
    if told.get("valid"):
        words += f"\nValid: {', '.join(map(str, told['valid']))}"
    if told.get("next"):
        words += f"\nNext: {told['next']}"
    content: list[ContentBlock] = [TextContent(type="text", text=words[:TEXT_CHARACTERS])]
    return CallToolResult(content=content, structured_content=bounded({"error": told}), is_error=True)


def bounded(document: dict[str, Any], most: int = STRUCTURED_BYTES) -> dict[str, Any]:
    """The document in at most `most` bytes of compact JSON: texts, then lists and tables are cut, and it says so."""
    if _size(document) <= most:
        return document
    for few in FEW:
        for short in SHORT:
            cut = {key: _cut(value, short, few) for key, value in document.items()}
            cut["cut"] = True
            if _size(cut) <= most:
                return cut
    kept = ("error", "run", "status", "next")
    last = {key: _cut(document[key], SHORT[-1], 3) for key in kept if key in document} | {"cut": True}
    return last if _size(last) <= most else {"cut": True, "next": str(document.get("next", ""))[:300]}


def spare(value: Any) -> Any:
    """The value without fields that say nothing, and with numbers to six digits."""
    if isinstance(value, Mapping):
        return {key: spare(one) for key, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        return [spare(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) and math.isfinite(value) else value


def _size(document: Any) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def _cut(value: Any, short: int, few: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= short else value[: short - 1] + "…"
    if isinstance(value, Mapping):
        kept = list(value.items())[: max(few, 1) * 2]
        return {str(key)[:short]: _cut(one, short, few) for key, one in kept}
    if isinstance(value, list | tuple):
        return [_cut(one, short, few) for one in value[:few]]
    return value
