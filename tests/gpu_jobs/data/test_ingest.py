"""Formats, dialects and types: what is found in a file, what is stored, and what is said about it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_jobs.data.dialect import has_header
from gpu_jobs.data.structure import scan

from .conftest import Ingest, columns_of, people, stored

Write = Callable[[str, str | bytes], Path]


def codes(result: dict[str, Any]) -> set[str]:
    return {note["code"] for note in result["notes"]}


def as_csv(frame: pl.DataFrame, **options: Any) -> bytes:
    text: str = frame.write_csv(**options)
    return text.encode()


def as_jsonl(frame: pl.DataFrame) -> bytes:
    return frame.write_ndjson().encode()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_gives_the_same_table(ingest: Ingest, root: Path, tmp_path: Path, form: str, packed: bool) -> None:
    table = people()
    if form == "parquet":
        table.write_parquet(tmp_path / "raw.parquet")
        content = (tmp_path / "raw.parquet").read_bytes()
    else:
        content = {"csv": as_csv(table), "tsv": as_csv(table, separator="\t"), "jsonl": as_jsonl(table)}[form]
    result = ingest(gzip.compress(content) if packed else content, f"people.{form}" + ".gz" * packed)
    assert result["dialect"]["format"] == form
    assert result["dialect"]["compression"] == ("gz" if packed else None)
    types = {name: column["type"] for name, column in columns_of(result).items()}
    assert types == {
        "age": "number",
        "income": "number",
        "city": "category",
        "member": "boolean",
        "since": "date",
        "remark": "text",
        "kind": "category",
    }
    found = stored(root)
    assert found["income"].to_list() == table["income"].to_list()
    assert found["since"].to_list() == table["since"].to_list()
    assert found["city"].to_list() == table["city"].to_list()
    assert found["member"].to_list() == [float(v == "yes") for v in table["member"]]
    assert columns_of(result)["member"]["levels"] == ["no", "yes"]


def test_the_result_is_on_disk_and_names_source_and_snapshot_by_hash(ingest: Ingest, root: Path) -> None:
    import hashlib

    content = as_csv(people())
    result = ingest(content)
    assert json.loads((root / "data" / "snapshot.json").read_text()) == result
    assert result["source"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    parquet = (root / "data" / "snapshot.parquet").read_bytes()
    assert result["sha256"] == hashlib.sha256(parquet).hexdigest()
    assert ingest(content)["sha256"] == result["sha256"]


def test_semicolons_with_decimal_commas_are_numbers(ingest: Ingest, root: Path) -> None:
    rows = "".join(f"{i % 9},5;{i}.250,75;{i},1;{'ja' if i % 2 else 'nein'}\n" for i in range(1, 40))
    result = ingest(f"gewicht;preis;zahl;treu\n{rows}")
    assert result["dialect"]["delimiter"] == ";" and result["dialect"]["decimal"] == ","
    assert columns_of(result)["preis"]["decimal"] == ","
    assert stored(root)["preis"].to_list()[:2] == [1250.75, 2250.75]
    assert stored(root)["gewicht"].to_list()[0] == 1.5


def test_decimal_commas_without_a_header_and_with_few_columns(ingest: Ingest, root: Path) -> None:
    result = ingest("".join(f"{i},5;{i % 5},25;{i % 3},125\n" for i in range(30)))
    assert result["dialect"]["delimiter"] == ";" and result["dialect"]["header"] is False
    assert stored(root).columns == ["column_1", "column_2", "column_3"]
    assert stored(root)["column_3"].to_list()[1] == 1.125


def test_quoted_thousands_are_numbers_in_a_comma_file(ingest: Ingest, root: Path) -> None:
    ingest("city,people\n" + "".join(f'c{i % 4},"{i},{i + 100}"\n' for i in range(1, 30)))
    assert stored(root)["people"].to_list()[:2] == [1101.0, 2102.0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(ingest: Ingest, root: Path, delimiter: str) -> None:
    result = ingest(as_csv(people(40), separator=delimiter), "people.txt")
    assert result["dialect"]["delimiter"] == delimiter
    assert stored(root).shape == (40, 7)


def test_a_missing_header_gives_numbered_names_and_says_so(ingest: Ingest, root: Path) -> None:
    rows = "".join(f"{i * 0.1:.1f},{i % 7},kind-{i % 3}\n" for i in range(50))
    result = ingest(rows)
    assert result["dialect"]["header"] is False and "no_header" in codes(result)
    assert stored(root).shape == (50, 3) and stored(root).columns == ["column_1", "column_2", "column_3"]


@pytest.mark.parametrize(
    ("sample", "header"),
    [
        ([["age", "city"], ["39", "Oslo"], ["17", "Lima"]], True),
        ([["39", "Oslo"], ["17", "Lima"]], False),
        ([["label", "text"], ["ham", "hello you"], ["spam", "buy now"]], True),
        ([["ham", "hello you"], ["ham", "see you"], ["spam", "buy now"]], False),
        ([["city", "2019", "2020"], ["Oslo", "3", "4"], ["Lima", "5", "6"]], False),
        ([["?", "39", "x"], ["4", "17", "y"], ["5", "18", "x"]], False),
        ([["when", "what"], ["2020-01-02", "a"], ["2020-01-03", "b"]], True),
        ([["2020-01-01", "c"], ["2020-01-02", "a"], ["2020-01-03", "b"]], False),
    ],
)
def test_headers_differ_in_kind_from_the_values_below(sample: list[list[str]], header: bool) -> None:
    assert has_header(sample) is header


def test_a_byte_order_mark_is_removed_and_named(ingest: Ingest, root: Path) -> None:
    result = ingest(b"\xef\xbb\xbf" + as_csv(people(30)))
    assert stored(root).columns[0] == "age" and "bom" in codes(result)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-16-le"])
def test_encodings_are_found(ingest: Ingest, root: Path, encoding: str) -> None:
    text = "stadt,zahl\n" + "".join(f"{c},{i}\n" for i, c in enumerate(["Köln", "Zürich", "Orléans"] * 10))
    content = text.encode(encoding)
    if encoding == "utf-16-le":
        content = b"\xff\xfe" + content
    result = ingest(content)
    assert stored(root)["stadt"].to_list()[:3] == ["Köln", "Zürich", "Orléans"]
    assert result["dialect"]["encoding"] == encoding.removesuffix("-le")


def test_windows_line_ends_change_nothing_and_are_named(ingest: Ingest, root: Path) -> None:
    plain = as_csv(people(50))
    ingest(plain)
    before = stored(root)
    result = ingest(plain.replace(b"\n", b"\r\n"))
    assert stored(root).equals(before) and "crlf" in codes(result)


def test_old_mac_line_ends_are_read(ingest: Ingest, root: Path) -> None:
    ingest(as_csv(people(50)).replace(b"\n", b"\r"))
    assert stored(root).height == 50


def test_quoted_newlines_delimiters_and_quotes_stay_in_their_field(ingest: Ingest, root: Path) -> None:
    odd = 'two\nlines, a comma and ""quotes""'
    ingest("a,remark,b\n" + "".join(f'{i % 7},"{odd}",{i % 3}\n' for i in range(30)))
    assert stored(root)["remark"].to_list() == ['two\nlines, a comma and "quotes"'] * 30
    assert stored(root)["b"].to_list()[:3] == [0.0, 1.0, 2.0]


def test_stray_quotes_are_ordinary_characters(ingest: Ingest, root: Path) -> None:
    texts = ['say "hi', "plain words here", '"start only', 'end only"', 'a 5" pipe'] * 10
    result = ingest("label\ttext\n" + "".join(f"{'ab'[i % 2]}\t{t}\n" for i, t in enumerate(texts)), "x.tsv")
    assert stored(root)["text"].to_list() == texts and result["dialect"]["quote"] == "none"


def test_a_quote_inside_a_field_of_a_quoted_file_is_kept(ingest: Ingest, root: Path) -> None:
    ingest("size,note,n\n" + '5" pipe,"a, b",1\n' * 10 + '7" pipe,"c, d",2\n' * 11)
    assert stored(root)["size"].to_list()[0] == '5" pipe' and stored(root)["note"].to_list()[-1] == "c, d"


def test_blank_lines_are_skipped(ingest: Ingest, root: Path) -> None:
    ingest("a,b\n1,x\n\n2,y\n\n\n3,x\n\n")
    assert stored(root)["a"].to_list() == [1.0, 2.0, 3.0]


def test_columns_without_a_name_get_one(ingest: Ingest, root: Path) -> None:
    ingest(",b\n" + "".join(f"{i},{i % 3}\n" for i in range(30)))
    assert stored(root).columns == ["column_1", "b"]


def test_missing_markers_are_missing_not_levels(ingest: Ingest, root: Path) -> None:
    work = ["Private", "?", "State-gov", "?", "Local", "NA", "-"] * 10
    result = ingest("work,n\n" + "".join(f"{w},{i % 5 if i % 11 else 'N/A'}\n" for i, w in enumerate(work)))
    column = columns_of(result)["work"]
    assert column["missing_markers"] == {"?": 20, "-": 10, "NA": 10}
    assert column["missing"] == 40 and column["distinct"] == 3
    assert columns_of(result)["n"]["type"] == "number" and columns_of(result)["n"]["missing"] == 7
    assert {note["column"] for note in result["notes"] if note["code"] == "missing_markers"} == {"work", "n"}


def test_a_minus_beside_a_plus_is_a_level(ingest: Ingest) -> None:
    result = ingest("sign,n\n" + "".join(f"{'+-'[i % 2]},{i % 5}\n" for i in range(40)))
    assert columns_of(result)["sign"]["distinct"] == 2 and columns_of(result)["sign"]["missing"] == 0


def test_a_minus_999_is_missing_only_when_asked_for(ingest: Ingest) -> None:
    content = "t,n\n" + "".join(f"{i if i % 4 else -999},{i % 5}\n" for i in range(40))
    assert columns_of(ingest(content))["t"]["missing"] == 0
    column = columns_of(ingest(content, missing=["-999"]))["t"]
    assert column["missing"] == 10 and column["missing_markers"] == {"-999": 10} and column["min"] == 1.0


def test_a_few_odd_texts_among_numbers_are_counted_and_named(ingest: Ingest) -> None:
    result = ingest("n,m\n" + "".join(f"{i if i % 20 else 'forty'},{i % 3}\n" for i in range(100)))
    column = columns_of(result)["n"]
    assert column["type"] == "number" and column["mixed"] == {"count": 5, "examples": ["forty"]}
    assert column["missing"] == 5 and "mixed" in codes(result)


def test_numbers_among_many_texts_make_a_category(ingest: Ingest) -> None:
    result = ingest("n,m\n" + "".join(f"{i % 4 if i % 3 else 'none of it'},{i % 3}\n" for i in range(90)))
    assert columns_of(result)["n"]["type"] == "category"


def test_infinities_are_counted_and_missing(ingest: Ingest, root: Path) -> None:
    values = ["inf", "-Infinity", "1e999", "NaN", *map(str, range(40))]
    result = ingest("x,m\n" + "".join(f"{v},{i % 3}\n" for i, v in enumerate(values)))
    column = columns_of(result)["x"]
    assert column["infinite"] == 3 and column["missing"] == 4 and column["max"] == 39.0
    assert "infinite" in codes(result) and stored(root)["x"].to_list()[:4] == [None] * 4


def test_postal_codes_keep_their_zeros(ingest: Ingest, root: Path) -> None:
    ingest("zip,n\n" + "".join(f"0{1000 + i % 7},{i % 3}\n" for i in range(50)))
    assert stored(root)["zip"].to_list()[0] == "01000"


@pytest.mark.parametrize(
    ("form", "iso"),
    [
        ("%Y-%m-%d", "%Y-%m-%d"),
        ("%d.%m.%Y", "%Y-%m-%d"),
        ("%m/%d/%Y", "%Y-%m-%d"),
        ("%d/%m/%Y", "%Y-%m-%d"),
        ("%d %b %Y", "%Y-%m-%d"),
        ("%B %d, %Y", "%Y-%m-%d"),
        ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"),
        ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S"),
        ("%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S"),
        ("%Y%m%d", "%Y-%m-%d"),
    ],
)
def test_dates_become_iso_texts(ingest: Ingest, root: Path, form: str, iso: str) -> None:
    random = np.random.default_rng(0)
    minutes = random.integers(0, 700 * 24 * 60, 60).astype("timedelta64[m]")
    moments = pl.Series((np.datetime64("2021-03-04") + minutes).astype("datetime64[us]"))
    texts, wanted = moments.dt.strftime(form), moments.dt.strftime(iso)
    result = ingest("date;n\n" + "".join(f"{text};{i % 3}\n" for i, text in enumerate(texts)))
    assert columns_of(result)["date"]["type"] == "date"
    assert stored(root)["date"].to_list() == wanted.to_list()


def test_odd_dates_are_counted(ingest: Ingest) -> None:
    days = [f"2021-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(60)]
    days[7] = "soon"
    column = columns_of(ingest("when,n\n" + "".join(f"{d},{i % 3}\n" for i, d in enumerate(days))))["when"]
    assert column["type"] == "date" and column["mixed"] == {"count": 1, "examples": ["soon"]}


def test_constant_and_empty_columns_are_named(ingest: Ingest) -> None:
    result = ingest("same,none,n\n" + "".join(f"x,,{i}\n" for i in range(30)))
    assert columns_of(result)["same"]["constant"] and columns_of(result)["none"]["all_missing"]
    assert {"constant", "all_missing"} <= codes(result)


@pytest.mark.parametrize(
    ("name", "values", "identifier"),
    [
        ("customer_id", [f"K{i * 7919 % 1000:04d}" for i in range(200)], True),
        ("key", [f"{i:08x}-1234-4abc-8def-{i:012x}" for i in range(200)], True),
        ("column_1", list(range(200)), True),
        ("id", [i * 7919 % 10007 for i in range(200)], True),
        ("weight", [i * 7919 % 10007 for i in range(200)], False),
        ("price", [i * 0.37 + 0.11 for i in range(200)], False),
        ("name", [f"Mr. number {i} of them" for i in range(200)], False),
    ],
)
def test_identifiers_are_told_from_values(ingest: Ingest, name: str, values: list[Any], identifier: bool) -> None:
    result = ingest(f"{name},n\n" + "".join(f"{v},{i % 3}\n" for i, v in enumerate(values)))
    found = columns_of(result)[name]["identifier"]
    assert (found is not None and found["score"] >= 0.8) is identifier


def test_validation_and_test_files_follow_the_data(ingest: Ingest, root: Path, write: Write) -> None:
    parts = [people(seed=seed, count=count) for seed, count in ((0, 100), (1, 30), (2, 20))]
    validation = write("validation.csv", as_csv(parts[1].select(reversed(parts[1].columns))))
    test = write("test.tsv", as_csv(parts[2], separator="\t"))
    result = ingest(as_csv(parts[0]), validation=validation, test=test)
    assert [(s["role"], s["rows"]) for s in result["source"]] == [("data", 100), ("validation", 30), ("test", 20)]
    assert stored(root)["age"].to_list() == pl.concat(parts)["age"].to_list()


@given(
    rows=st.lists(
        st.lists(st.text(st.sampled_from('ab ,;"\n'), max_size=6), min_size=2, max_size=2), min_size=1, max_size=20
    )
)
def test_the_structure_of_any_quoted_text_is_found(rows: list[list[str]]) -> None:
    raw = "".join(",".join('"' + f.replace('"', '""') + '"' for f in row) + "\n" for row in rows).encode()
    found = scan(raw, ",", '"')
    assert found.fields.tolist() == [2] * len(rows) and not found.open_quote
    assert found.ends[-1] == len(raw) - 1


def test_the_structure_does_not_depend_on_where_chunks_end(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b'a,"x\ny",c\n1,"2,3",4\n\n"""",5,6\n7,8,9'
    whole = scan(raw, ",", '"')
    for size in range(1, len(raw) + 1):
        monkeypatch.setattr("gpu_jobs.data.structure._CHUNK", size)
        parts = scan(raw, ",", '"')
        assert parts.ends.tolist() == whole.ends.tolist() and parts.fields.tolist() == whole.fields.tolist()
    assert whole.fields.tolist() == [3, 3, 0, 3, 3]
