"""Rows that a champion has seen are recognised in another file of the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gpu_jobs.data.snapshot import snapshot
from gpu_jobs.evaluation.seen import Table, changed, learnt, reading, row_hashes, seen
from gpu_jobs.tasks import export

HEAD = "count,price,when,member,colour,y\n"
ROWS = [
    "3,1.50,2024-03-01,yes,red,a", "4,2.25,2024-03-25,no,?,b", "5,,2024-04-02,yes,blue,a",
    "17,1234.5,2024-05-31,no,green,b",
] * 6  # fmt: skip


def table(root: Path, csv: str, names: str = "count,price,when,member,colour,y", **more: Any) -> Table:
    root.mkdir(parents=True, exist_ok=True)
    path = root / "table.csv"
    path.write_text(csv)
    snapshot({"data": path}, root / "data", more.get("missing"))
    rows = pl.read_parquet(root / "data" / "snapshot.parquet").height
    return Table.read(root, names.split(","), np.arange(rows))


def day_first(row: str) -> str:
    cells = row.split(",")
    cells[2] = ".".join(reversed(cells[2].split("-")))
    return ",".join(cells)


def swapped(row: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        row = row.replace(old, new)
    return row


OTHERWISE: dict[str, Callable[[list[str]], list[str]]] = {
    "numbers among words": lambda rows: [*rows, *["many,1,2024-01-01,no,red,a"] * 40],
    "decimal commas": lambda rows: [swapped(row, (",", ";"), (".", ",")) for row in rows],
    "days first": lambda rows: [day_first(row) for row in rows],
    "dates among words": lambda rows: [*rows, *["1,1,soon,no,red,a"] * 40],
    "booleans written otherwise": lambda rows: [swapped(r, (",yes,", ",TRUE,"), (",no,", ",False,")) for r in rows],
    "booleans as numbers": lambda rows: [swapped(row, (",yes,", ",1,"), (",no,", ",0,")) for row in rows],
    "another missing marker": lambda rows: [row.replace("?", "-") for row in rows],
}


@pytest.mark.parametrize("how", OTHERWISE)
def test_the_same_rows_written_otherwise_are_recognised(tmp_path: Path, how: str) -> None:
    rows = OTHERWISE[how](ROWS)
    head = HEAD.replace(",", ";") if how == "decimal commas" else HEAD
    old = table(tmp_path / "old", HEAD + "\n".join(ROWS) + "\n")
    new = table(tmp_path / "new", head + "\n".join(rows) + "\n")
    assert seen(new, old).tolist() == [True] * len(ROWS) + [False] * (len(rows) - len(ROWS))
    assert seen(old, new).all()


def test_other_rows_are_not_taken_for_seen(tmp_path: Path) -> None:
    old = table(tmp_path / "old", HEAD + "\n".join(ROWS) + "\n")
    other = [row.replace(".5", ".6").replace("red", "grey").replace("2024-04", "2024-07") for row in ROWS]
    new = table(tmp_path / "new", HEAD + "\n".join(other) + "\n")
    assert seen(new, old).reshape(6, 4).tolist() == [[False, True, False, False]] * 6


def test_a_marker_of_either_side_is_missing_on_both(tmp_path: Path) -> None:
    rows = [row.replace(",1.50,", ",-999,") for row in ROWS]
    old = table(tmp_path / "old", HEAD + "\n".join(rows) + "\n", missing=["-999"])
    new = table(tmp_path / "new", HEAD + "\n".join(rows) + "\n")
    assert seen(new, old).all()


def test_without_a_column_of_the_champion_equal_rows_are_left_out_rather_than_judged(tmp_path: Path) -> None:
    old = table(tmp_path / "old", HEAD + "\n".join(ROWS) + "\n")
    narrow = [",".join(row.split(",")[1:]) for row in ROWS]
    new = table(tmp_path / "new", HEAD.removeprefix("count,") + "\n".join(narrow) + "\n")
    assert "count" not in new.columns and seen(new, old).all()
    foreign = table(tmp_path / "foreign", "z\n" + "1\n2\n" * 20)
    assert foreign.columns == {} and seen(foreign, old).tolist() == [True] * 40


def test_columns_of_another_type_are_named(tmp_path: Path) -> None:
    old = table(tmp_path / "old", HEAD + "\n".join(ROWS) + "\n")
    new = table(tmp_path / "new", HEAD + "\n".join([*ROWS, *["many,1,soon,no,red,a"] * 40]) + "\n")
    assert changed(new, old) == ["count", "when"]


def test_plain_values_are_compared_as_a_person_reads_them() -> None:
    written: dict[str, list[Any]] = {"a": [3, None, "x", -0.0], "b": ["1.50", "y", True, 3.0]}
    read: dict[str, list[Any]] = {"b": [1.5, " y", "true", "3"], "a": ["3.0", None, "x ", 0]}
    assert row_hashes(written, ["a", "b"]) == row_hashes(read, ["b", "a"])
    assert len(set(row_hashes(written, ["a", "b"]))) == 4
    text = {"type": "category"}
    assert reading(text, text)("Yes") != reading(text, text)("yes")


def test_the_comparison_says_how_the_schemas_differ_and_leaves_out_what_was_seen(make: Callable[..., Any]) -> None:
    champion, challenger = make("binary", name="old"), make("binary", name="new")
    for run in (champion, challenger):
        export.run(run.job("export"))
    _drop_city(challenger.root)
    splits = json.loads((challenger.root / "data/splits.json").read_text())
    splits["test"] += splits["train"][:9]
    (challenger.root / "data/splits.json").write_text(json.dumps(splits))
    given = {"models": str(champion.root / "attempts/1/models"), "run": str(champion.root)}
    assert learnt(champion.root, ["strong"]).rows == 480
    found = _compared(challenger, given)
    assert found["schema"] == {"missing": ["city"], "extra": [], "changed": ["noise"]}
    assert (found["rows"], found["excluded"]) == (120, 9)
    assert found["difference"] == found["versus"]["difference"]


def _drop_city(root: Path) -> None:
    """The new file lacks the column `city`, and its `noise` was read as texts."""
    path = root / "data" / "snapshot.json"
    columns = [column for column in json.loads(path.read_text())["columns"] if column["name"] != "city"]
    for column in columns:
        column["type"] = "category" if column["name"] == "noise" else column["type"]
    path.write_text(json.dumps({"columns": columns}))
    frame = pl.read_parquet(root / "data" / "snapshot.parquet").drop("city")
    frame.with_columns(pl.col("noise").cast(pl.String)).write_parquet(root / "data" / "snapshot.parquet")


def _compared(run: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The comparison of the test job; the candidate's own rows are encoded already."""
    from gpu_jobs.evaluation.candidate import Candidate, Place
    from gpu_jobs.evaluation.champion import Champion, compare
    from gpu_jobs.evaluation.scorecard import judge

    job = run.job("test")
    candidate = Candidate(Place(run.root, run.root / "attempts/1/models"), run.architecture, run.dataset)
    judged, _ = judge(candidate, "test", run.training, 0)
    return compare(candidate, judged, Champion(Path(given["models"]), "goal", Path(given["run"])), job.measure, 0)
