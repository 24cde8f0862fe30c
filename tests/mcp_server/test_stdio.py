"""Lines on standard input that are no messages: each is answered as JSON-RPC says, and the conversation goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mcp_server.stdio import id_of
from tests.conformance.lines import Lines, speaking
from tests.journeys.conftest import NEUROLOOM, House

DEEP = '{"a":' * 200 + "1" + "}" * 200
PARSE, INVALID = -32700, -32600


@pytest.fixture(scope="module")
def lines(house: House) -> Iterator[Lines]:
    """The real server, spoken to line by line."""
    with speaking([str(NEUROLOOM), "mcp"], house.workspace, house.environment) as found:
        found.write(b"{")  # even before the greeting
        assert found.read()["error"]["code"] == PARSE
        found.greet()
        yield found
        assert found.hang_up() == 0


@pytest.mark.parametrize(
    ("line", "code", "request_id"),
    [
        (f'{{"jsonrpc":"2.0","id":"deep","method":"tools/call","params":{DEEP}}}', PARSE, "deep"),
        ('{"jsonrpc":"2.0","method":"tools/call","params":{"name":"\\ud800"},"id":71}', PARSE, 71),
        ('{"jsonrpc":"2.0","id":72,"method":"ping"', PARSE, 72),
        ('{"jsonrpc":"2.0","params":{"id":73}', PARSE, None),
        ("Content-Length: 20", PARSE, None),
        ("\ufeff\x00\x01", PARSE, None),
        ("[" * 100_000, PARSE, None),
        ('{"jsonrpc":"2.0","id":74,"method":"ping","params":[1]}', INVALID, 74),
        ('{"jsonrpc":"1.0","id":75,"method":"ping"}', INVALID, 75),
        ('[{"jsonrpc":"2.0","id":76,"method":"ping"}]', INVALID, None),
        ("7", INVALID, None),
    ],
)
def test_a_line_that_is_no_message_is_answered(
    lines: Lines, line: str, code: int, request_id: int | str | None
) -> None:
    before = len(lines.bytes)
    lines.write(line.encode("utf-8", "surrogatepass"))
    assert "tools" in lines.result("tools/list"), "the conversation goes on"
    came = [json.loads(one) for one in bytes(lines.bytes[before:]).splitlines()]
    assert [(one["id"], one["error"]["code"]) for one in came if "error" in one] == [(request_id, code)]


@pytest.mark.parametrize("line", ["", "   ", '{"jsonrpc":"2.0","id":1,"result":7}'])
def test_an_empty_line_and_an_answer_to_nothing_are_not_answered(lines: Lines, line: str) -> None:
    before = len(lines.bytes)
    lines.write(line.encode())
    assert "tools" in lines.result("tools/list")
    assert len(bytes(lines.bytes[before:]).splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"id": 1.5', None),
        ('{"id": true}', None),
        ('{"id": "a"', None),
        ('{"id": "a", ', "a"),
        ('{"id": 99999999999999999999, "x": ', None),
        (json.dumps({"id": "\ud800"}), None),
        ('{"method": "x", "jsonrpc": "2.0", "id": -4, "params": {', -4),
    ],
)
def test_an_id_is_told_only_where_it_is_sure(line: str, found: Any) -> None:
    assert id_of(line) == found
