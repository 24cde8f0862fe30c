"""What stands around and inside the cells of real exports: marks, comments, units, nested values, other types."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gpu_jobs.data.errors import DataError
from gpu_jobs.data.rows import load
from gpu_jobs.data.rows.errors import RowError

from .conftest import Ingest, columns_of, prepare, stored

ROWS = [f"{i},{i * 7 % 10}.5,{'ab'[i % 2]}" for i in range(40)]
PLAIN = "n,x,y\n" + "\n".join(ROWS) + "\n"


def codes(result: dict[str, object]) -> list[str]:
    notes = result["notes"]
    assert isinstance(notes, list)
    return [note["code"] for note in notes]


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\n" + PLAIN.replace(",", ";"),
        '"sep=,"\n' + PLAIN,
        "# exported today, by a tool\n# second line\n" + PLAIN,
        "\ufeffsep=,\r\n" + PLAIN.replace("\n", "\r\n"),
    ],
)
def test_lines_above_the_header_are_left_out_and_named(ingest: Ingest, root: Path, content: str) -> None:
    result = ingest(content)
    assert list(columns_of(result)) == ["n", "x", "y"] and result["rows"] == 40
    assert "preamble" in codes(result) and stored(root)["n"].to_list() == list(range(40))


def test_a_header_that_begins_with_a_hash_stays_the_header(ingest: Ingest) -> None:
    assert list(columns_of(ingest("#" + PLAIN))) == ["#n", "x", "y"]
    assert list(columns_of(ingest("# by a tool\n#" + PLAIN))) == ["#n", "x", "y"]


def test_a_ragged_line_below_comments_is_named_by_its_place_in_the_file(ingest: Ingest) -> None:
    with pytest.raises(DataError, match="line 44 "):
        ingest("# one\n# two\n" + PLAIN + "1,2\n")


@pytest.mark.parametrize("header", ["n,x,y", "n,x,y,"])
def test_a_delimiter_at_the_end_of_every_row_makes_an_empty_column(ingest: Ingest, header: str) -> None:
    columns = columns_of(ingest(header + "\n" + "".join(f"{row},\n" for row in ROWS)))
    assert list(columns) == ["n", "x", "y", "column_4"] and columns["column_4"]["all_missing"]


def test_a_row_longer_than_the_header_with_a_value_there_is_still_refused(ingest: Ingest) -> None:
    with pytest.raises(DataError) as error:
        ingest("n,x,y\n" + "".join(f"{row},z\n" for row in ROWS))
    assert error.value.code == "input.ragged"


@pytest.mark.parametrize(
    ("cells", "unit", "decimal", "values"),
    [
        (["$1,234.50", "$7.25", "-$3.00", "n/a"], "$", ".", [1234.5, 7.25, -3.0, None]),
        (["1.234,50 €", "7,25 €", "-3,00 €", ""], "€", ",", [1234.5, 7.25, -3.0, None]),
        (["45.5%", "7 %", "-3.25%", "?"], "%", ".", [45.5, 7.0, -3.25, None]),
        (["USD 12", "USD 7.5", "USD 3", "-"], "USD", ".", [12.0, 7.5, 3.0, None]),
    ],
)
def test_money_and_per_cent_are_numbers_and_the_server_reads_them_as_written(
    ingest: Ingest, root: Path, cells: list[str], unit: str, decimal: str, values: list[float | None]
) -> None:
    frame = pl.DataFrame({"amount": cells * 20, "y": ["a", "b", "b", "a"] * 20, "z": np.arange(80) * 7 % 13})
    result = ingest(frame.write_csv())
    column = columns_of(result)["amount"]
    assert (column["type"], column["unit"], column["decimal"]) == ("number", unit, decimal) and "unit" in codes(result)
    assert stored(root)["amount"].to_list()[:4] == values
    prepare(root, "y", "binary", labels=["a", "b"])
    encoder = load(json.loads((root / "data" / "preprocessing.json").read_text()))
    for cell, value in zip(cells[:3], values, strict=False):
        written, number = encoder.encode_one({"amount": cell, "z": 1}), encoder.encode_one({"amount": value, "z": 1})
        assert written["numbers"].tolist() == number["numbers"].tolist()
    with pytest.raises(RowError):
        encoder.encode_one({"amount": "cheap", "z": 1})


def test_codes_with_a_sign_inside_and_mixed_currencies_stay_categories(ingest: Ingest) -> None:
    cells = ["A$1", "B$2", "C$3", "D$4"], ["$5", "€6", "$7", "€8"]
    frame = pl.DataFrame({"code": cells[0] * 10, "money": cells[1] * 10, "y": list("abba") * 10})
    columns = columns_of(ingest(frame.write_csv()))
    assert columns["code"]["type"] == columns["money"]["type"] == "category"


def test_nested_json_becomes_columns_and_lists_are_left_out_and_named(ingest: Ingest, root: Path) -> None:
    rows = [
        {"a": i, "geo": {"lat": i / 2, "at": {"z": 1}}, "tags": ["x"][: i % 2], "y": "ab"[i % 2]} for i in range(30)
    ]
    rows[3].pop("geo")
    result = ingest("\n".join(json.dumps(row) for row in rows), "t.jsonl")
    assert list(columns_of(result)) == ["a", "geo.lat", "geo.at.z", "y"]
    assert stored(root)["geo.lat"].to_list()[2:5] == [1.0, None, 2.0]
    assert next(note for note in result["notes"] if note["code"] == "nested")["message"].endswith("left out: 'tags'")


def test_json_with_two_values_for_one_column_or_lists_only_is_refused(ingest: Ingest) -> None:
    for row in ({"a.b": 1, "a": {"b": 2}}, {"a": [1]}):
        with pytest.raises(DataError) as error:
            ingest("\n".join([json.dumps(row)] * 3), "t.jsonl")
        assert error.value.code == "input.unreadable" and "line 1" in error.value.message


def test_ten_thousand_fields_of_json_are_refused_also_when_nested(ingest: Ingest) -> None:
    wide = {f"c{i}": i for i in range(10_000)}
    for row in (wide, {"all": wide}):
        with pytest.raises(DataError) as error:
            ingest("\n".join([json.dumps(row)] * 3), "t.jsonl")
        assert error.value.code == "input.too_many_columns"


def test_parquet_types_are_read_as_what_they_say(ingest: Ingest, root: Path, write: object) -> None:
    frame = pl.DataFrame(
        {
            "price": [Decimal("1.50")] * 30,
            "took": [timedelta(minutes=i) for i in range(30)],
            "geo": [{"lat": float(i), "name": "x"} for i in range(30)],
            "tags": [["a"]] * 30,
            "raw": [b"\x00"] * 30,
            "y": list("ab") * 15,
        }
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    result = ingest(buffer.getvalue(), "t.parquet")
    kinds = {name: column["type"] for name, column in columns_of(result).items()}
    assert kinds == {"price": "number", "took": "number", "geo.lat": "number", "geo.name": "category", "y": "category"}
    assert stored(root)["took"].to_list()[:3] == [0.0, 60.0, 120.0]
    assert "'tags', 'raw'" in next(note["message"] for note in result["notes"] if note["code"] == "nested")
