"""Changes a JSON file as text, so that comments, order and layout of everything else stay: for other people's files.

JSON with comments and trailing commas, as VS Code allows them. A fragment is merged in (`merge`) or taken out again
(`strip`): objects by key, lists by element. A value under one of the names in `WHOLE` is ours as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

WHOLE = frozenset({"neuroloom", "neuroloom@neuroloom"})
TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<comment>//[^\r\n]*|/\*.*?\*/)|(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")"""
    r"""|(?P<mark>[{}\[\],:])|(?P<word>[-+.\w]+)""",
    re.S,
)


class NotJsonError(ValueError):
    """The text is no JSON, with or without comments."""


@dataclass
class Part:
    """A member of an object or an element of a list; `comma` is the place of the comma after it."""

    start: int
    node: Node
    before: int
    comma: int | None = None


@dataclass
class Node:
    """A value with its place in the text; `parts` by key or number; `last` is where its content's last token ends."""

    start: int
    end: int = 0
    value: Any = None
    parts: dict[Any, Part] = field(default_factory=dict)
    last: int = 0


def value(text: str) -> Any:
    """What the text says.

    Raises:
        NotJsonError: it is no JSON.
    """
    return _parse(text).value


def merge(text: str, fragment: dict[str, Any]) -> str:
    """The text with the fragment in it: missing members and elements are added at the end, ours are replaced.

    Raises:
        NotJsonError: the text is no JSON object.
    """
    text = text if text.strip() else "{}\n"
    if not isinstance(value(text), dict):
        raise NotJsonError("it is no JSON object")
    for path, wanted in _leaves(fragment):
        text = _put(text, path, wanted)
    return text


def strip(text: str, fragment: dict[str, Any]) -> str:
    """The text without the fragment; what became empty with it goes too, plain values (`"version": 1`) stay.

    Raises:
        NotJsonError: the text is no JSON object.
    """
    if not isinstance(value(text), dict):
        raise NotJsonError("it is no JSON object")
    for path, wanted in _leaves(fragment):
        text = _drop(text, path, wanted)
    return text


def _leaves(fragment: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What is merged as one: values that are ours as a whole, lists, and plain values."""
    for key, found in fragment.items():
        if isinstance(found, dict) and key not in WHOLE:
            yield from _leaves(found, (*path, key))
        else:
            yield (*path, key), found


def _put(text: str, path: tuple[str, ...], wanted: Any) -> str:
    node = _parse(text)
    for depth, key in enumerate(path):
        part = node.parts.get(key)
        if part is None or (depth < len(path) - 1 and not isinstance(part.node.value, dict)):
            for outer in reversed(path[depth + 1 :]):
                wanted = {outer: wanted}
            return _add(text, node, wanted, key) if part is None else _replace(text, part.node, wanted)
        node = part.node
    if isinstance(wanted, list) and isinstance(node.value, list):
        for one in wanted:
            if one not in node.value:
                text = _add(text, node, one)
                node = _at(text, path)
        return text
    return text if node.value == wanted else _replace(text, node, wanted)


def _drop(text: str, path: tuple[str, ...], wanted: Any) -> str:
    node = _at(text, path)
    if node is None or not (path[-1] in WHOLE or isinstance(wanted, list)):
        return text
    if isinstance(wanted, list) and isinstance(node.value, list):
        for one in wanted:
            node = _at(text, path)
            if node is not None and one in node.value:
                text = _cut(text, node, node.value.index(one))
        node = _at(text, path)
        if node is None or node.value:
            return text
    for depth in range(len(path), 0, -1):
        owner, key = _at(text, path[: depth - 1]), path[depth - 1]
        if owner is None or (depth < len(path) and owner.parts[key].node.value):
            break
        text = _cut(text, owner, key)
    return text


def _at(text: str, path: tuple[str, ...]) -> Any:
    """The node at a path, or None."""
    node = _parse(text)
    for key in path:
        if key not in node.parts or not isinstance(node.value, dict):
            return None
        node = node.parts[key].node
    return node


def _add(text: str, node: Node, wanted: Any, key: str | None = None) -> str:
    """Add a member or an element at the end of an object or a list."""
    name = "" if key is None else json.dumps(key) + ": "
    line = _indent(text, node.start)
    unit = _unit(text)
    if not node.parts:
        inner = f"{line}{unit}"
        said = f"\n{inner}{name}{_text(wanted, inner, unit)}"
        closing = "" if text[node.last : node.end - 1].count("\n") else f"\n{line}"
        return text[: node.last] + _newlines(said + closing, text) + text[node.last :]
    final = list(node.parts.values())[-1]
    own = text[final.before : final.start]
    inner = _indent(text, final.start) if "\n" in own else line
    said = f"{_break(own)}{name}{_text(wanted, inner, unit)}"
    if final.comma is not None:  # trailing commas are the custom here
        return text[: node.last] + _newlines(said, text) + "," + text[node.last :]
    return text[: final.node.end] + "," + text[final.node.end : node.last] + _newlines(said, text) + text[node.last :]


def _break(own: str) -> str:
    """What stands before the last member, from its newline on: the new one gets the same."""
    at = own.rfind("\n")
    return own[at:] if at >= 0 else " "


def _replace(text: str, node: Node, wanted: Any) -> str:
    line = _indent(text, node.start)
    return text[: node.start] + _newlines(_text(wanted, line, _unit(text)), text) + text[node.end :]


def _cut(text: str, node: Node, key: Any) -> str:
    """Take a member or an element out, with its comma and the space before it; comments stay."""
    parts = list(node.parts.items())
    number = next(at for at, (name, _) in enumerate(parts) if name == key)
    part = parts[number][1]
    if part.comma is not None:
        text = text[: part.before] + text[part.comma + 1 :]
    else:
        text = text[: part.before] + text[part.node.end :]
        comma = parts[number - 1][1].comma if number else None
        text = text if comma is None else text[:comma] + text[comma + 1 :]
    start, removed = node.start, _parse_at(text, node.start)
    inside = text[start + 1 : removed.end - 1]
    return text[: start + 1] + text[removed.end - 1 :] if inside and not inside.strip() else text


def _text(wanted: Any, line: str, unit: str) -> str:
    return json.dumps(wanted, indent=unit, ensure_ascii=False).replace("\n", "\n" + line)


def _newlines(said: str, text: str) -> str:
    return said.replace("\n", "\r\n") if "\r\n" in text else said


def _indent(text: str, place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    found = re.search(r"\{[ \t]*\r?\n([ \t]+)\"", text)
    return found[1] if found else "  "


def _parse(text: str) -> Node:
    return _parse_at(text, 0)


def _parse_at(text: str, place: int) -> Node:
    """The value that begins at or after a place; at place 0 the whole text is one value."""
    reader = _Reader(text, place)
    try:
        node = reader.value()
        if place == 0 and reader.peek() != "":
            raise NotJsonError(f"there is more after its end, at character {reader.start}")
    except RecursionError as error:
        raise NotJsonError("it is nested too deeply") from error
    return node


class _Reader:
    """Reads one token ahead; `end` is where the token before it, or a comment after that, ends."""

    def __init__(self, text: str, place: int) -> None:
        self.text = text
        self.kind, self.start, self.stop, self.end = "", place, place, place
        self._next(place)

    def peek(self) -> str:
        """The token ahead; "" at the end."""
        return self.text[self.start : self.stop]

    def take(self, wanted: str = "") -> str:
        """Go past the token ahead."""
        found = self.peek()
        if not found or (wanted and found != wanted):
            what = f"{wanted!r} is missing" if wanted else "it ends too early"
            raise NotJsonError(f"{what} at character {self.start}")
        self._next(self.stop)
        return found

    def value(self) -> Node:
        """Read a value."""
        node = Node(self.start)
        if self.peek() in {"{", "["}:
            self._several(node, self.take())
        else:
            kind, said = self.kind, self.take()
            node.end = node.start + len(said)
            node.value = _plain(kind, said, node.start)
        return node

    def _several(self, node: Node, opening: str) -> None:
        closing = "}" if opening == "{" else "]"
        while self.peek() != closing:
            before, start = self.end, self.start
            key = _plain("string", self.take(), start) if opening == "{" else len(node.parts)
            if opening == "{":
                self.take(":")
            part = node.parts[key] = Part(start, self.value(), before)
            if self.peek() != closing:
                part.comma = self.start
                self.take(",")
        values = {key: part.node.value for key, part in node.parts.items()}
        node.value = values if opening == "{" else list(values.values())
        node.last, node.end = self.end, self.start + 1
        self.take(closing)

    def _next(self, place: int) -> None:
        self.end = place
        while place < len(self.text):
            found = TOKEN.match(self.text, place)
            if found is None:
                raise NotJsonError(f"{self.text[place]!r} at character {place} is not expected")
            if found.lastgroup not in {"space", "comment"}:
                self.kind, self.start, self.stop = str(found.lastgroup), place, found.end()
                return
            place = found.end()
            self.end = place if found.lastgroup == "comment" else self.end
        self.kind, self.start, self.stop = "", place, place


def _plain(kind: str, said: str, place: int) -> Any:
    if kind not in {"string", "word"} or said[0] in "{}[],:":
        raise NotJsonError(f"{said!r} at character {place} is not expected")
    try:
        return json.loads(said)
    except ValueError as error:
        raise NotJsonError(f"{said!r} at character {place} is no value") from error
