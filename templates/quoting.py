"""One quoting filter per grammar a template writes. It quotes values and knows nothing of the artefacts.

Every filter returns `Quoted`; the renderer refuses an expression that is anything else (or an integer), so a
value that nobody quoted cannot reach a generated file.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~$])")
_MARKDOWN_START = re.compile(r"^([-+#=:]|\d+[.)](?=\s))")


def _steers(char: str) -> bool:
    """Controls, invisible format characters such as those that turn the direction, and halves of characters."""
    return char >= "\x7f" and unicodedata.category(char) in {"Cc", "Cf", "Cs"}


def _visible(text: str) -> str:
    """Text from data in which nothing steers the words around it: each such character is replaced."""
    text = _CONTROL.sub("\ufffd", text)
    return text if text.isascii() else "".join("\ufffd" if _steers(char) else char for char in text)


class Quoted(str):
    """Text that is already safe in the grammar it was quoted for."""

    __slots__ = ()


def python(value: object) -> Quoted:
    """A Python literal, strings in double quotes; lists and dicts one level per line when they are long."""
    return Quoted(_python(value, 0))


def _python(value: object, depth: int) -> str:
    if isinstance(value, str):
        return _CONTROL.sub(_escaped, json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        items = [f"{_python(k, depth + 1)}: {_python(v, depth + 1)}" for k, v in value.items()]
        return _bracket(items, "{", "}", depth)
    if isinstance(value, Sequence):
        return _bracket([_python(item, depth + 1) for item in value], "[", "]", depth)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise TypeError(f"cannot write {type(value).__name__} as a Python literal: {value!r}")


def _bracket(items: list[str], left: str, right: str, depth: int) -> str:
    flat = left + ", ".join(items) + right
    if len(flat) + 4 * depth <= 80 and "\n" not in flat:
        return flat
    inner = "".join(f"{'    ' * (depth + 1)}{item},\n" for item in items)
    return f"{left}\n{inner}{'    ' * depth}{right}"


def _printable(text: str) -> bool:
    return not _CONTROL.search(text)


def json_text(value: object) -> Quoted:
    """JSON with two spaces of indent; never NaN or Infinity, which JSON does not have."""
    return Quoted(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def json_visible(value: object, indent: int | None = None) -> str:
    """JSON as text to read, in which nothing invisible steers the words around it: such characters are escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return "".join(json.dumps(char)[1:-1] if _steers(char) else char for char in text)


def json_in_html(value: object) -> Quoted:
    """JSON for a `<script type="application/json">` block: no `<`, so nothing inside can end the block."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Quoted(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def shell(value: object) -> Quoted:
    """One word of a POSIX shell command. A NUL byte, which no shell word can hold, is refused."""
    text = str(value)
    if "\0" in text:
        raise ValueError(f"a shell word cannot hold a NUL byte: {text!r}")
    return Quoted(shlex.quote(text))


def yaml(value: str | float | bool | None) -> Quoted:
    """A YAML scalar that YAML 1.1 and 1.2 readers take alike: strings always quoted, floats with a point."""
    if isinstance(value, float) and not isinstance(value, bool):
        mantissa, _, exponent = json.dumps(value, allow_nan=False).partition("e")
        point = mantissa if "." in mantissa else f"{mantissa}.0"
        return Quoted(f"{point}e{exponent}" if exponent else point)
    if value is None or isinstance(value, str | int):
        return Quoted(_CONTROL.sub(_escaped, json.dumps(value, ensure_ascii=False)))
    raise TypeError(f"cannot write {type(value).__name__} as a YAML scalar: {value!r}")


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character.group()):04x}"


def dockerfile(value: object) -> Quoted:
    r"""A double-quoted word of ENV, LABEL or ARG: `\`, `"`, `$` escaped, line breaks refused."""
    text = str(value)
    if _CONTROL.search(text) or "\n" in text or "\t" in text:
        raise ValueError(f"a Dockerfile word cannot hold control characters or line breaks: {text!r}")
    return Quoted('"' + re.sub(r'([\\"$])', r"\\\1", text) + '"')


def dockerfile_word(value: object) -> Quoted:
    """An image reference: nothing but what one may hold."""
    return _only(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", value, "an image reference")


def dockerfile_copy(paths: Sequence[str]) -> Quoted:
    """The JSON form of COPY: sources, then the destination. Paths stay inside the build context."""
    for path in paths:
        if path.startswith("/") or ".." in path.split("/") or not _printable(path) or set(path) & set("*?[$\\"):
            raise ValueError(f"not a plain path inside the build context: {path!r}")
    return Quoted(json.dumps(list(paths)))


def ignore_path(value: object) -> Quoted:
    """A folder in a .dockerignore line."""
    return _only(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", value, "a plain folder")


def requirement(value: object) -> Quoted:
    """One `name==version` line."""
    return _only(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!_-]*", value, "an exact requirement")


def _only(pattern: str, value: object, what: str) -> Quoted:
    if not re.fullmatch(pattern, str(value)):
        raise ValueError(f"{value!r} is not {what}")
    return Quoted(value)


def markdown(value: object) -> Quoted:
    """Plain text inside Markdown, also inside a table cell: one line, nothing of it is markup or HTML."""
    text = _one_line(value)
    text = _MARKDOWN.sub(r"\\\1", escape(text, quote=False))
    text = _MARKDOWN_START.sub(lambda m: m.group()[:-1] + f"\\{m.group()[-1]}", text)
    return Quoted(re.sub(r"(?i:\bhttps?:|\bwww\.)|@", lambda m: f"{m.group()[:-1]}&#{ord(m.group()[-1])};", text))


def _one_line(value: object) -> str:
    return _visible(" ".join(_CONTROL.sub(" ", str(value)).split()))


def markdown_code(value: object) -> Quoted:
    """Inline code: fenced by more backticks than it holds, `|` escaped for table cells, one line."""
    text = _one_line(value) or " "
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence, pad = "`" * (longest + 1), " " if longest else ""
    return Quoted(f"{fence}{pad}{text}{pad}{fence}".replace("|", r"\|"))


def markdown_fenced(value: object, language: str) -> Quoted:
    """A code block, fenced by more backticks than any line of it starts with."""
    text = str(value).strip("\n")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Quoted(f"{fence}{language}\n{text}\n{fence}")


def markdown_file(value: object) -> Quoted:
    """A relative file name as a Markdown link's target."""
    return Quoted(quote(str(value)))


def html(value: object) -> Quoted:
    """Text or an attribute's value in HTML: `&<>"'` escaped, control and invisible format characters replaced."""
    return Quoted(escape(_visible(str(value)), quote=True))


def line(value: object) -> Quoted:
    """Text inside a comment or docstring: one line, printable ASCII, no quotes, backslashes or `#` tricks."""
    text = " ".join(str(value).split()).encode("ascii", "replace").decode()
    return Quoted(re.sub(r"[^ -~]|[\\\"'`$]", "?", text))


FILTERS: dict[str, Any] = {
    "py": python,
    "json": json_text,
    "json_in_html": json_in_html,
    "sh": shell,
    "yaml": yaml,
    "dockerfile": dockerfile,
    "dockerfile_word": dockerfile_word,
    "dockerfile_copy": dockerfile_copy,
    "ignore_path": ignore_path,
    "requirement": requirement,
    "md": markdown,
    "mdcode": markdown_code,
    "mdfile": markdown_file,
    "fenced": markdown_fenced,
    "html": html,
    "line": line,
}
