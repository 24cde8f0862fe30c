"""A value comes out of each grammar as it went in, whatever it holds; and nothing unquoted is written at all."""

from __future__ import annotations

import ast
import html.parser
import json
import re
import shlex
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from templates import quoting, render
from templates.rendering import _environment
from templates.serve.context import ServeContext
from templates.validation_py.context import ValidationPyContext
from tests.templates.report_cases import HOSTILE

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


@given(PLAIN)
def test_a_python_literal_evaluates_to_the_value(value: object) -> None:
    assert ast.literal_eval(quoting.python(value)) == value


@given(PLAIN)
def test_json_reads_back_as_the_value(value: object) -> None:
    assert json.loads(quoting.json_text(value)) == value
    inside = quoting.json_in_html(value)
    assert json.loads(inside) == value
    assert "<" not in inside


@given(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT)
def test_yaml_reads_back_as_the_value(value: str | float | bool | None) -> None:
    found = yaml.safe_load(quoting.yaml(value))
    assert (type(found), found) == (type(value), value)


@given(TEXT)
def test_a_shell_word_stays_one_word(text: str) -> None:
    if "\0" in text:
        with pytest.raises(ValueError, match="NUL"):
            quoting.shell(text)
    else:
        assert shlex.split(quoting.shell(text)) == [text]


@given(TEXT)
def test_a_dockerfile_word_has_no_end_and_no_variable_inside(text: str) -> None:
    try:
        quoted = quoting.dockerfile(text)
    except ValueError:
        assert re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]", text)
        return
    assert re.fullmatch(r'"(?:[^"\\$\n]|\\["\\$])*"', quoted)
    assert re.sub(r"\\(.)", r"\1", quoted[1:-1]) == text


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.attribute: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attribute = dict(attrs).get("title")

    def handle_data(self, data: str) -> None:
        self.text += data


def _steers(char: str) -> bool:
    return char not in "\t\n" and unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}


@pytest.mark.parametrize("quote", [quoting.html, quoting.markdown, quoting.markdown_code])
@pytest.mark.parametrize("char", list("\u202e\u2066\u200f\u061c\u200b\xad\U000e0041"))
def test_nothing_in_a_name_turns_or_hides_the_words_around_it(quote: Callable[[object], str], char: str) -> None:
    assert char not in quote(f"left{char}right") and "left\ufffdright" in quote(f"left{char}right")


def test_in_json_that_is_shown_it_is_escaped_so_that_the_value_stays() -> None:
    value = {"a\u202eb": "\U000e0041", "é": [1.5, None]}
    shown = quoting.json_visible(value)
    assert "\u202e" not in shown and "\U000e0041" not in shown and "é" in shown
    assert json.loads(shown) == value


@given(TEXT)
def test_html_text_and_attributes_are_only_text(text: str) -> None:
    reader = _Reader()
    reader.feed(f'<p title="{quoting.html(text)}">{quoting.html(text)}</p>')
    reader.close()
    assert reader.tags == ["p"]
    printable = "".join("\ufffd" if _steers(char) else char for char in text)
    assert (reader.text, reader.attribute) == (printable, printable)


@given(TEXT)
def test_markdown_text_is_one_line_that_ends_no_cell_and_opens_no_tag(text: str) -> None:
    quoted = quoting.markdown(text)
    assert "\n" not in quoted and "<" not in quoted
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`*_\[\]]", quoted)


@given(TEXT)
def test_markdown_code_is_closed_by_its_own_fence(text: str) -> None:
    quoted = quoting.markdown_code(text)
    fence = re.match("`+", quoted)
    assert fence and quoted.endswith(fence.group())
    inside = quoted[len(fence.group()) : -len(fence.group())]
    assert fence.group() not in re.findall("`+", inside)
    assert not re.search(r"(?<!\\)\|", inside)


@given(TEXT)
def test_a_comment_line_ends_neither_the_comment_nor_a_docstring(text: str) -> None:
    quoted = quoting.line(text)
    assert re.fullmatch(r"[ -~]*", quoted)
    assert not set(quoted) & set("\"'\\`$")


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../b", "a b*", "$HOME"])
def test_a_dockerfile_copies_only_from_its_context(path: str) -> None:
    with pytest.raises(ValueError, match="inside the build context"):
        quoting.dockerfile_copy([path, "x"])


def test_a_value_that_nobody_quoted_is_refused() -> None:
    with pytest.raises(TypeError, match="without a quoting filter"):
        _environment().from_string("{{ name }}").render(name="x")


def test_a_name_the_context_lacks_is_refused() -> None:
    with pytest.raises(UndefinedError):
        _environment().from_string("{{ absent | html }}").render()
    with pytest.raises(TypeError, match="Undefined"):
        _environment().from_string("{{ absent | py }}").render()


def test_an_artefact_takes_only_its_own_context() -> None:
    with pytest.raises(TypeError, match="takes a ServeContext"):
        render("serve", ValidationPyContext(name="x", run="r"))
    with pytest.raises(KeyError, match=r"there are .*serve"):
        render("server", ServeContext(name="x", version="1", run="r"))


def test_hostile_names_stay_data_in_the_generated_server() -> None:
    text = render("serve", ServeContext(name=HOSTILE, version='"""', run="r\nimport os"))
    tree = ast.parse(text)
    assigned = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign)]
    assert f"NAME = {HOSTILE!r}" in assigned
    assert 'VERSION = \'"""\'' in assigned
    assert "import os\n" not in (ast.get_docstring(tree) or "")


def test_the_page_in_the_server_is_a_plain_string() -> None:
    page = (Path(quoting.__file__).parent / "serve" / "page.html.j2").read_text(encoding="utf-8")
    assert '"""' not in page and not page.removesuffix("\n").endswith("\\")
