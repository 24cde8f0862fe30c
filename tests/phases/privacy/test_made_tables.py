"""Made tables full of marked cells: whatever is told of one, of its profile or of why it cannot be used has no mark."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu_jobs.data.errors import DataError
from gpu_jobs.data.profile import profile
from gpu_jobs.data.snapshot import snapshot
from phases.privacy.level import Level
from phases.privacy.privacy import Privacy
from phases.privacy.schema import Schema
from phases.services.profiles import profile_view

LEVELS: tuple[Level, ...] = ("schema", "aggregates")
NOISE = "abc é\"'`\\,;:<>#\t|{}"
MARKED = st.text(NOISE, max_size=8).map(lambda text: f"qx{text}qx")  # a word
NUMBERS = st.integers(10**6, 10**7).map(lambda n: f"7{n}.31")  # more digits than any statistic is told with
DAYS = st.tuples(st.integers(10, 99), st.integers(1, 9), st.integers(10, 28)).map(lambda d: f"17{d[0]}-0{d[1]}-{d[2]}")
ODD = st.sampled_from(["", "?", "n/a"])
KINDS = {
    "note": MARKED,
    "amount": NUMBERS | ODD,
    "mixed": NUMBERS | MARKED,
    "day": DAYS | ODD,
    "phone": st.integers(10**8, 10**9).map(lambda n: f"+49 7{n}"),
    "once": st.just("qxsame"),
}
MARK = re.compile(r"qx|7\d{7}\.31|\b7\d(?!0{6})\d{6}\b|17\d\d-0\d|\+49")


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """A header, and rows in which each column has one kind of marked cells; the last column is a class of two."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
    names = [f"{kind} {i}" for i, kind in enumerate(kinds)] + ["left"]
    rows = draw(st.integers(12, 24))
    columns = [draw(st.lists(KINDS[kind], min_size=rows, max_size=rows)) for kind in kinds]
    classes = ["stay" if i % 2 else "go" for i in range(rows)]
    return names, [list(row) for row in zip(*columns, classes, strict=True)]


def told(table: tuple[list[str], list[list[str]]], target: str | None) -> list[str]:
    """Everything that a chat may be told of a table, as JSON: its profile, or why there is none."""
    names, rows = table
    with tempfile.TemporaryDirectory() as folder:
        root, path = Path(folder), Path(folder) / "t.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([names, *rows])
        facts: dict[str, Any] = {"columns": []}
        try:
            facts = snapshot({"data": path}, root / "data", None)
            found = profile(root, {"target": target, "describe": True})
        except DataError as error:
            document = {"code": error.code, "message": error.message, "field": error.field, "fix": error.fix}
            schema = Schema.of(None, facts["columns"])
            return [json.dumps(Privacy(level, schema).error(document), ensure_ascii=False) for level in LEVELS]
        view = profile_view("t", hashlib.sha256(path.read_bytes()).hexdigest(), facts, found)
        return [json.dumps(Privacy(level).profile(view), ensure_ascii=False) for level in LEVELS]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.booleans())
def test_no_marked_cell_is_told_of_any_table(table: tuple[list[str], list[list[str]]], asked: bool) -> None:
    shared = {cell for column in zip(*table[1], strict=True) for cell in column if column.count(cell) >= 5}
    for level, document in zip(LEVELS, told(table, "left" if asked else None), strict=True):
        found = MARK.findall(document if level == "schema" else _without(document, shared))
        assert found == [], document


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.integers(0, 3))
def test_no_marked_cell_is_told_when_its_column_is_asked_for_as_target(
    table: tuple[list[str], list[list[str]]], column: int
) -> None:
    name = table[0][column % (len(table[0]) - 1)]
    classes = set(next(zip(*((row[table[0].index(name)],) for row in table[1]), strict=True)))
    shared = classes | {cell for cells in zip(*table[1], strict=True) for cell in cells if cells.count(cell) >= 5}
    for document in told(table, name):
        answer = json.loads(document)
        if "message" in answer:
            assert MARK.findall(document) == [], document
        else:  # class names count as schema: only those of the column asked for
            assert {one["label"] for one in answer["classes"]} <= classes
            assert MARK.findall(_without(json.dumps({**answer, "classes": []}, ensure_ascii=False), shared)) == []


def _without(document: str, shared: set[str]) -> str:
    """The document without the categories that at least five rows share, which may be told from `aggregates` on."""
    answer = json.loads(document)
    for one in answer.get("columns") or ():
        one["categories"] = [kept for kept in one.get("categories") or () if kept["value"] not in shared]
    return json.dumps(answer, ensure_ascii=False)
