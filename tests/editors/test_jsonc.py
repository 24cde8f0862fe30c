"""Other people's JSON files are changed as text: comments, order and layout of everything else stay."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    merged = value(merge(text, OURS))
    assert merged["mcpServers"]["neuroloom"] == SERVER
    for key, one in found.items():
        if key not in OURS:
            assert merged[key] == one
    assert value(strip(merge(text, OURS), OURS)).keys() >= {key for key in found if key not in OURS}
