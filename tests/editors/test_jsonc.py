"""Other people's JSON files are changed as text: comments, order and layout of everything else stay."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editors.fragments import EditError
from editors.jsonc import NotJsonError, merge, strip, value

SERVER = {"command": "/opt/x/neuroloom", "args": ["mcp"]}
OURS: dict[str, Any] = {
    "mcpServers": {"neuroloom": SERVER},
    "version": 1,
    "hooks": {"stop": [{"command": "neuroloom hook stop"}]},
}
FILES = {
    "two spaces": """{
  "mcpServers": {
    "other": {"command": "x"}
  },
  "version": 1,
  "hooks": {
    "stop": [
      {"command": "mine"}
    ]
  }
}
""",
    "tabs": '{\n\t"version": 1,\n\t"mcpServers": {\n\t\t"other": {\n\t\t\t"command": "x"\n\t\t}\n\t}\n}\n',
    "one line": '{"version": 1, "mcpServers": {"other": {"command": "x"}}, "hooks": {"stop": [{"command": "mine"}]}}',
    "comments": """// top
{
  // servers
  "mcpServers": {
    "other": {"command": "x"} // keep me
    /* and me */
  },
  "version": 1 // last
}
// end
""",
    "trailing commas": '{\n  "version": 1,\n  "mcpServers": {\n    "other": {"command": "x",},\n  },\n}\n',
    "windows": '{\r\n  "version": 1,\r\n  "mcpServers": {\r\n    "other": {}\r\n  }\r\n}\r\n',
    "no newline at the end": '{\n  "version": 1\n}',
    "strings that look like comments": '{\n  "version": 1,\n  "url": "https://x/*y*/", "q": "a\\"//b"\n}\n',
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_what_is_merged_in_and_stripped_again_leaves_the_file_byte_for_byte(text: str) -> None:
    merged = merge(text, OURS)
    found = value(merged)
    assert found["mcpServers"]["neuroloom"] == SERVER
    assert {"command": "neuroloom hook stop"} in found["hooks"]["stop"]
    before = value(text)
    assert found["mcpServers"].get("other") == before.get("mcpServers", {}).get("other")
    assert [key for key in found if key in before] == list(before)
    assert merge(merged, OURS) == merged
    assert strip(merged, OURS) == text


@pytest.mark.parametrize("text", ["", "   \n", "{}", "{ }\n", "// nothing yet\n{\n}\n", "{\n  // nothing yet\n}\n"])
def test_an_empty_file_takes_everything(text: str) -> None:
    assert value(merge(text, OURS)) == OURS
    assert ("nothing yet" in merge(text, OURS)) == ("nothing yet" in text)


def test_comments_at_the_end_of_a_line_stay_on_their_line() -> None:
    merged = merge('{\n  "a": 1 // one\n}\n', {"neuroloom": {"b": 2}})
    assert merged == '{\n  "a": 1, // one\n  "neuroloom": {\n    "b": 2\n  }\n}\n'
    assert strip(merged, {"neuroloom": {}}) == '{\n  "a": 1 // one\n}\n'


def test_an_entry_of_an_older_version_of_ours_is_replaced_as_a_whole() -> None:
    old = '{"mcpServers": {"neuroloom": {"command": "old", "env": {"A": "b"}}, "x": {}}}'
    assert value(merge(old, OURS))["mcpServers"] == {"neuroloom": SERVER, "x": {}}


def test_our_elements_leave_a_list_and_others_stay_in_their_order() -> None:
    ours = '{"command": "neuroloom hook stop"}, // ours'
    text = f'{{"hooks": {{"stop": [\n  {{"command": "a"}},\n  {ours}\n  {{"command": "b"}}\n]}}}}'
    assert value(strip(text, OURS)) == {"hooks": {"stop": [{"command": "a"}, {"command": "b"}]}}


@pytest.mark.parametrize(
    "text", ["[]", "7", "{", '{"a": }', "{'a': 1}", '{"a": 1} x', '{"a" 1}', "{" * 5000, "{,}", '{"a": b}']
)
def test_a_file_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(NotJsonError):
        merge(text, OURS)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5) | st.sampled_from(["mcpServers", "hooks", "version"]), VALUES, max_size=4),
    st.sampled_from([None, 1, 4, "\t"]),
)
def test_whatever_stands_in_a_file_is_still_there_after_a_merge(found: dict[str, Any], indent: Any) -> None:
    text = json.dumps(found, indent=indent)
    try:
        merged = value(merge(text, OURS))
    except EditError:
        assert any(not isinstance(found.get(key, {}), dict) for key in OURS if key != "version")
        return
    for key, one in found.items():
        if key not in OURS:
            assert merged[key] == one
    assert value(strip(merge(text, OURS), OURS)).keys() >= {key for key in found if key not in OURS}
    assert merged["mcpServers"]["neuroloom"] == SERVER


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            '{"mcpServers": {"o": {"command": "x"} // mine\n}}\n',
            '{"mcpServers": {"o": {"command": "x"}, // mine\n"neuroloom": {\n  "a": 1\n}\n}}\n',
        ),
        ('{"mcpServers": {"o": {}, // mine\n}}', '{"mcpServers": {"o": {}, // mine\n"neuroloom": {\n  "a": 1\n},\n}}'),
        (
            '{"mcpServers": {"o": 1, "p": 2, "o": 3}}',
            '{"mcpServers": {"o": 1, "p": 2, "o": 3, "neuroloom": {\n  "a": 1\n}}}',
        ),
    ],
)
def test_an_entry_never_begins_in_a_comment_and_a_repeated_key_loses_nothing(text: str, wanted: str) -> None:
    fragment = {"mcpServers": {"neuroloom": {"a": 1}}}
    assert merge(text, fragment) == wanted
    assert value(strip(wanted, fragment)) == value(text)


def test_an_element_of_a_list_never_lands_in_a_comment() -> None:
    merged = merge('{"hooks": {"stop": [1 // one\n]}}', {"hooks": {"stop": [2]}})
    assert merged == '{"hooks": {"stop": [1, // one\n2\n]}}' and strip(merged, {"hooks": {"stop": [2]}}).count(
        "// one\n"
    )


def test_an_entry_taken_out_leaves_no_neighbour_in_a_comment() -> None:
    text = '{ // all\n"neuroloom": {}, "b": 1, // two\n"neuroloom@neuroloom": true}'
    assert value(strip(text, {"neuroloom": {}, "neuroloom@neuroloom": True})) == {"b": 1}


@pytest.mark.parametrize("found", [["x"], {"x": 1}, "x", 7, False])
def test_something_of_another_shape_is_not_replaced(found: Any) -> None:
    wanted: dict[str, Any] = {"mcpServers": {"a": [1]} if isinstance(found, dict) else {"neuroloom": SERVER}}
    at = {"mcpServers": {"a": found} if isinstance(found, dict) else found}
    with pytest.raises(EditError, match="in it"):
        merge(json.dumps(at), wanted)


def test_what_its_owner_had_under_our_names_comes_back() -> None:
    before = {"mcpServers": {"neuroloom": {"command": "mine"}}, "version": 2, "hooks": {"stop": OURS["hooks"]["stop"]}}
    merged = merge(json.dumps(before), OURS)
    assert value(merged)["mcpServers"]["neuroloom"] == SERVER and value(merged)["version"] == 1
    later = merge(merged, {"added": 1})
    assert value(strip(later, OURS, before)) == {**before, "added": 1}
    assert value(strip(later, OURS)) == {"version": 1, "added": 1}


SPACE = st.sampled_from(["", "", "", " ", "\n", "\r\n", "\n  ", "\t", " // c\n", "// c\r\n", "/* c */", "\n// c }\n  "])
TRAILING = st.sampled_from(["", ",", ", // c\n", "\n,"])
KEYS = st.sampled_from(['"a"', '"b"', '"mcpServers"', '"hooks"', '"stop"', '"neuroloom"'])


@st.composite
def files(draw: st.DrawFn) -> str:
    """JSON as people write it: comments anywhere, trailing commas, repeated keys, any line ends."""

    def several(inner: list[str]) -> str:
        said = ",".join(inner)
        return said + (draw(TRAILING) if inner else "")

    def one(depth: int) -> str:
        kind = draw(st.sampled_from(["plain", "object", "list"])) if depth < 3 else "plain"
        if kind == "plain":
            return draw(st.sampled_from(["1", '"// s"', "true", "null", "{}", "[ ]"]))
        return members(depth) if kind == "object" else elements(depth)

    def members(depth: int) -> str:
        keys = draw(st.lists(KEYS, max_size=3))
        return (
            "{" + several([draw(SPACE) + key + ":" + draw(SPACE) + one(depth + 1) for key in keys]) + draw(SPACE) + "}"
        )

    def elements(depth: int) -> str:
        count = draw(st.integers(0, 2))
        return "[" + several([draw(SPACE) + one(depth + 1) for _ in range(count)]) + draw(SPACE) + "]"

    return draw(SPACE) + members(0) + draw(SPACE)


def comments(text: str) -> int:
    return text.count("// c") + text.count("/* c */")


@settings(max_examples=150, deadline=None)
@given(files(), st.sampled_from([OURS, {"mcpServers": {"neuroloom": SERVER}}]))
def test_a_file_as_people_write_it_keeps_every_value_and_comment_or_is_refused(text: str, ours: dict[str, Any]) -> None:
    before = value(text)
    try:
        text_with = merge(text, ours)
    except EditError as error:
        assert "object in it" in str(error) or "list in it" in str(error)
        return
    found, owners = value(text_with), before.get("mcpServers") or {}
    assert {key: found[key] for key in before if key not in ours} == {
        key: one for key, one in before.items() if key not in ours
    }
    assert found["mcpServers"] == {**owners, "neuroloom": SERVER}
    assert "hooks" not in ours or OURS["hooks"]["stop"][0] in found["hooks"]["stop"]
    assert "hooks" in ours or not owners or "neuroloom" in owners or comments(text_with) == comments(text)
    try:
        back = value(strip(text_with, ours, before))
    except EditError as error:
        assert "more than once" in str(error)
        return
    assert back == ({"version": 1, **before} if "version" in ours else before)
