"""Changes a JSON file as text, so that comments, order and layout of everything else stay: for other people's files.

JSON with comments and trailing commas, as VS Code allows them. A fragment is merged in (`merge`) or taken out again
(`strip`), as `editors.fragments` says. Every edit is read again: one that does not say what it should is refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from editors.fragments import EditError, merged, stripped

MOST_EDITS = 500
TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<comment>//[^\r\n]*|/\*.*?\*/)|(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")"""
    r"""|(?P<mark>[{}\[\],:])|(?P<word>[-+.\w]+)""",
    re.S,
)


class NotJsonError(EditError):
    """The text is no JSON, with or without comments."""


@dataclass
class Part:
    """A member of an object (with its key) or an element of a list; `comma` is the place of the comma after it."""

    key: str | None
    start: int
    node: Node
    before: int
    comma: int | None = None


@dataclass
class Node:
    """A value with its place in the text and its parts in their order, a repeated key included.

    `last` is where its content's last token or comment ends; `noted` says that this is a comment up to the line's end.
    """

    start: int
    end: int = 0
    value: Any = None
    parts: list[Part] = field(default_factory=list)
    last: int = 0
    noted: bool = False


def value(text: str) -> Any:
    """What the text says; of a repeated key the last one counts.

    Raises:
        NotJsonError: it is no JSON.
    """
    return _parse(text).value


def merge(text: str, fragment: dict[str, Any]) -> str:
    """The text with the fragment in it: missing members and elements are added at the end, ours are replaced.

    Raises:
        NotJsonError: the text is no JSON object.
        EditError: the fragment cannot be added without a loss.
    """
    text = text if text.strip() else "{}\n"
    return rewrite(text, merged(_object(text), fragment))


def strip(text: str, fragment: dict[str, Any], before: dict[str, Any] | None = None) -> str:
    """The text without the fragment; what stood in its place `before` it came is put back.

    Raises:
        NotJsonError: the text is no JSON object.
        EditError: the fragment cannot be taken out without a loss.
    """
    return rewrite(text, stripped(_object(text), fragment, before or {}))


def rewrite(text: str, wanted: dict[str, Any]) -> str:
    """The text, changed where it must be so that it says `wanted`.

    Raises:
        EditError: it cannot be changed so.
    """
    for _ in range(MOST_EDITS):
        node = _parse(text)
        if node.value == wanted:
            return text
        text = _nearer(text, node, wanted)
    raise EditError("it cannot be changed without touching what is not ours")


def _object(text: str) -> dict[str, Any]:
    found = value(text)
    if not isinstance(found, dict):
        raise NotJsonError("it is no JSON object")
    return found


def _nearer(text: str, node: Node, wanted: Any) -> str:
    """The text with its first difference to `wanted` gone."""
    if isinstance(node.value, dict) and isinstance(wanted, dict):
        return _nearer_object(text, node, wanted)
    if isinstance(node.value, list) and isinstance(wanted, list):
        for at, one in enumerate(node.value):
            if at >= len(wanted) or one != wanted[at]:
                return _cut(text, node, at)
        return _add(text, node, wanted[len(node.value)])
    return _replace(text, node, wanted)


def _nearer_object(text: str, node: Node, wanted: dict[str, Any]) -> str:
    keys = [part.key for part in node.parts]
    for at, key in enumerate(keys):
        if key not in wanted:
            if keys.count(key) > 1:
                raise EditError(f"it has {key!r} more than once")
            return _cut(text, node, at)
    last = {part.key: part.node for part in node.parts}
    for key, one in wanted.items():
        if key not in last:
            return _add(text, node, one, key)
        if last[key].value != one:
            return _nearer(text, last[key], one)
    return text


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
    final = node.parts[-1]
    own = text[final.before : final.start]
    inner = _indent(text, final.start) if "\n" in own else line
    said = f"{_break(own, inner, node.noted)}{name}{_text(wanted, inner, unit)}"
    if final.comma is not None:  # trailing commas are the custom here
        return text[: node.last] + _newlines(said, text) + "," + text[node.last :]
    return text[: final.node.end] + "," + text[final.node.end : node.last] + _newlines(said, text) + text[node.last :]


def _break(own: str, inner: str, noted: bool) -> str:
    """What stands before the last member, from its newline on: the new one gets the same, and none is in a comment."""
    at = own.rfind("\n")
    return own[at:] if at >= 0 else f"\n{inner}" if noted else " "


def _replace(text: str, node: Node, wanted: Any) -> str:
    line = _indent(text, node.start)
    return text[: node.start] + _newlines(_text(wanted, line, _unit(text)), text) + text[node.end :]


def _cut(text: str, node: Node, number: int) -> str:
    """Take a member or an element out, with its comma and the space before it; comments stay."""
    part, before = node.parts[number], node.parts[number - 1] if number else None
    end = part.node.end if part.comma is None else part.comma + 1
    note = "" if part.comma is None else text[part.node.end : part.comma].rstrip(" \t")
    rest = (note if note.strip() else "") + text[end:]
    if _ends_in_note(text, part.before) and not rest.lstrip(" \t").startswith(("\n", "\r")):
        rest = _newlines("\n", text) + rest
    text = text[: part.before] + rest
    if part.comma is None and before is not None and before.comma is not None:
        text = text[: before.comma] + text[before.comma + 1 :]
    start, removed = node.start, _parse_at(text, node.start)
    inside = text[start + 1 : removed.end - 1]
    return text[: start + 1] + text[removed.end - 1 :] if inside and not inside.strip() else text


def _ends_in_note(text: str, place: int) -> bool:
    """Whether a comment up to its line's end stands right before a place."""
    at = 0
    while at < place:
        found = TOKEN.match(text, at)
        if found is None:
            return False
        if found.end() == place:
            return found[0].startswith("//")
        at = found.end()
    return False


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
    """Reads one token ahead.

    `end` is where the token before it, or a comment after that, ends; `noted` says that this is a comment up to the
    line's end.
    """

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
            key = None
            if opening == "{":
                key = self._key()
            part = Part(key, start, self.value(), before)
            node.parts.append(part)
            if self.peek() != closing:
                part.comma = self.start
                self.take(",")
        values = [part.node.value for part in node.parts]
        node.value = values if opening == "[" else {part.key: part.node.value for part in node.parts}
        node.last, node.end, node.noted = self.end, self.start + 1, self.noted
        self.take(closing)

    def _key(self) -> str:
        kind, start = self.kind, self.start
        key = _plain(kind, self.take(), start)
        if not isinstance(key, str):
            raise NotJsonError(f"a key in quotes is missing at character {start}")
        self.take(":")
        return key

    def _next(self, place: int) -> None:
        self.end, self.noted = place, False
        while place < len(self.text):
            found = TOKEN.match(self.text, place)
            if found is None:
                raise NotJsonError(f"{self.text[place]!r} at character {place} is not expected")
            if found.lastgroup not in {"space", "comment"}:
                self.kind, self.start, self.stop = str(found.lastgroup), place, found.end()
                return
            place = found.end()
            if found.lastgroup == "comment":
                self.end, self.noted = place, found[0].startswith("//")
        self.kind, self.start, self.stop = "", place, place


def _plain(kind: str, said: str, place: int) -> Any:
    if kind not in {"string", "word"} or said[0] in "{}[],:":
        raise NotJsonError(f"{said!r} at character {place} is not expected")
    try:
        return json.loads(said, parse_constant=_no_value)
    except ValueError as error:
        raise NotJsonError(f"{said!r} at character {place} is no value") from error


def _no_value(said: str) -> Any:
    raise ValueError(said)
