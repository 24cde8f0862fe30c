"""Answers stay small, say what to do next, and speak of tools, never of flags of a terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_server.failures import in_tools
from mcp_server.replies import STRUCTURED_BYTES, bounded, page, refusal, reply

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=900),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=60), inner, max_size=40),
    max_leaves=120,
)


def size(document: Any) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=60), anything, max_size=12))
def test_whatever_is_put_in_the_answer_is_small_and_says_when_it_was_cut(document: dict[str, Any]) -> None:
    whole = {**document, "next": "call run_get"}
    found = bounded(whole)
    assert size(found) <= STRUCTURED_BYTES
    assert found == whole or found["cut"] is True


def test_what_is_cut_keeps_the_run_its_status_and_the_next_step() -> None:
    found = bounded({"run": "r-1", "status": "failed", "rows": [{"x": "y" * 3000}] * 500, "next": "run_resume"})
    assert (found["run"], found["status"], found["next"]) == ("r-1", "failed", "run_resume")


def test_a_long_next_is_cut_and_a_long_text_too() -> None:
    answer = reply({"run": "r-1"}, "x" * 50_000, next="y" * 50_000)
    assert answer.structured_content is not None
    assert size(answer.structured_content) <= STRUCTURED_BYTES


def test_a_refusal_has_a_code_and_says_the_same_in_words() -> None:
    answer = refusal({"code": "usage.value", "message": "epochs: too many", "field": "epochs", "next": "fewer"})
    assert answer.is_error
    assert answer.structured_content == {
        "error": {"code": "usage.value", "message": "epochs: too many", "field": "epochs", "next": "fewer"}
    }
    assert "usage.value" in str(answer.content[0]) and "fewer" in str(answer.content[0])


@pytest.mark.parametrize(
    ("fix", "tools"),
    [
        ("neuroloom show r-20261121-094501-k3f9", 'run_get(run="r-20261121-094501-k3f9")'),
        ("neuroloom watch r-1", 'run_wait(run="r-1")'),
        ("neuroloom approve r-1 --reject", 'run_approve(run="r-1") approve=false'),
        ('neuroloom deploy r-1 --override --why "…" (recorded)', "override=true, why=…"),
        ("list them: neuroloom runs", "list them: run_list()"),
        ("neuroloom doctor; then neuroloom deploy r-1", 'doctor(); then deployment_change(action="start", run="r-1")'),
        ("start anew with its recipe: neuroloom run DATA --from r-1", 'run_start(data=…, from_run="r-1")'),
        ("leave 'x' out of --drop", "leave 'x' out of drop"),
    ],
)
def test_a_fix_for_the_terminal_is_said_in_tools(fix: str, tools: str) -> None:
    found = in_tools(fix)
    assert found is not None
    assert tools in found
    assert "neuroloom " not in found and "--" not in found


def test_next_goes_on_after_the_last_row_that_is_shown() -> None:
    rows = [{"name": f"column {place}", "about": "x" * 80} for place in range(100)]
    seen: list[dict[str, str]] = []
    while len(seen) < len(rows):
        start = len(seen)
        answer = page({"total": 100}, "rows", rows[start:], lambda shown: f"offset={start + shown}", str)  # noqa: B023
        found = answer.structured_content
        assert found is not None and size(found) <= STRUCTURED_BYTES and "cut" not in found
        assert 0 < len(found["rows"]) < len(rows)
        seen += found["rows"]
        assert found["next"] == f"offset={len(seen)}"
    assert seen == rows
