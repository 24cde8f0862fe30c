"""Rows to arrays and back: one row, many rows and whole columns give the same bits, and wrong fields are named."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gpu_jobs.data.rows
from gpu_jobs.data.rows import RowEncoder, RowError, load
from gpu_jobs.data.rows.dates import parse_date, parts_of
from gpu_jobs.data.rows.numbers import parse_number
from gpu_jobs.data.rows.text import grams
from gpu_jobs.data.snapshot import snapshot
from gpu_jobs.data.table import load_prepared, load_rows

from .conftest import people, prepare


@pytest.fixture(scope="module")
def prepared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared table with every kind of field, an embedded category among them."""
    root = tmp_path_factory.mktemp("prepared")
    frame = people(600).with_columns(
        pl.Series("shop", [None if i % 50 == 0 else f"shop {i % 61}" for i in range(600)]),
        pl.Series("visit", [f"2022-{1 + i % 12:02d}-{1 + i % 28:02d} {i % 24:02d}:30:00" for i in range(600)]),
    )
    frame.write_csv(root / "people.csv")
    snapshot({"data": root / "people.csv"}, root / "data", None)
    prepare(root, "kind", "multiclass")
    return root


@pytest.fixture(scope="module")
def encoder(prepared_root: Path) -> RowEncoder:
    return load(json.loads((prepared_root / "data" / "preprocessing.json").read_text()))


FIELDS = {
    "age": st.one_of(st.none(), st.integers(), st.floats(), st.sampled_from(["39", " 4.5 ", "NA", "", "1e3", "inf"])),
    "income": st.one_of(st.none(), st.floats(), st.integers(-(10**400), 10**400)),
    "city": st.one_of(st.none(), st.sampled_from(["Berlin", " Lima ", "?", "Paris", "berlin", ""]), st.text()),
    "member": st.one_of(st.none(), st.booleans(), st.sampled_from(["yes", "NO", "", 0, 1, 1.0, "true"])),
    "since": st.one_of(
        st.none(), st.dates().map(str), st.datetimes().map(str), st.sampled_from(["", "2021-02-03T04:05:06+02:00"])
    ),
    "visit": st.one_of(st.none(), st.datetimes().map(str)),
    "remark": st.one_of(st.none(), st.text(), st.sampled_from(["excellent river stone", "OCEAN ocean 77", "a\0b"])),
    "shop": st.one_of(st.none(), st.sampled_from([f"shop {i}" for i in range(70)]), st.integers(), st.floats()),
}
ROWS = st.lists(st.fixed_dictionaries({}, optional=FIELDS), min_size=1, max_size=12)


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes() for name in one
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_one_row_many_rows_and_columns_give_the_same_bits(encoder: RowEncoder, rows: list[dict[str, Any]]) -> None:
    each = [encoder.encode_one(row) for row in rows]
    stacked = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
    columns = {name: [row.get(name) for row in rows] for name in encoder.names}
    assert same(stacked, encoder.encode_columns(columns))
    assert same(stacked, encoder.encode(rows))
    assert np.isfinite(stacked["numbers"]).all()


def test_the_prepared_arrays_are_what_a_client_sending_those_rows_gets(
    prepared_root: Path, encoder: RowEncoder
) -> None:
    prepared = load_prepared(prepared_root)
    indices = np.concatenate([prepared.splits["test"], prepared.splits["train"][:50]])
    raw = load_rows(prepared_root, indices)
    rows = [json.loads(json.dumps(dict(zip(raw, values, strict=True)))) for values in zip(*raw.values(), strict=True)]
    arrays = encoder.encode(rows)
    assert np.array_equal(arrays["numbers"], prepared.numbers[indices])
    assert np.array_equal(arrays["categories"], prepared.categories[indices])


def test_shapes_and_kinds_are_as_declared(prepared_root: Path, encoder: RowEncoder) -> None:
    arrays = encoder.encode_one({})
    inputs = encoder.preprocessing["inputs"]
    assert arrays["numbers"].shape == (1, len(inputs["numbers"])) and arrays["numbers"].dtype == np.float32
    assert arrays["categories"].shape == (1, 1) and arrays["categories"].dtype == np.int64
    kinds = [column["kind"] for column in inputs["numbers"]]
    assert all(kind == "continuous" for kind in kinds[: inputs["continuous"]])
    assert "continuous" not in kinds[inputs["continuous"] :]
    assert load_prepared(prepared_root).categories.max() < encoder.categories[0]


def at(encoder: RowEncoder, name: str) -> int:
    return next(i for i, column in enumerate(encoder.preprocessing["inputs"]["numbers"]) if column["name"] == name)


def test_a_number_is_centred_scaled_and_clipped(encoder: RowEncoder) -> None:
    spec = next(field for field in encoder.preprocessing["fields"] if field["name"] == "age")
    place = at(encoder, "age")
    assert encoder.encode_one({"age": spec["median"]})["numbers"][0, place] == 0
    x = encoder.encode_one({"age": spec["median"] + spec["scale"]})["numbers"][0, place]
    assert x == pytest.approx(1 / np.sqrt(1 + 1 / 9))
    assert encoder.encode_one({"age": 1e300})["numbers"][0, place] == pytest.approx(3, abs=1e-5)


@pytest.mark.parametrize("value", [None, "", "NA", "?", float("nan"), float("inf"), "inf", 10**400])
def test_missing_and_infinite_numbers_set_the_indicator(encoder: RowEncoder, value: Any) -> None:
    numbers = encoder.encode_one({"income": value})["numbers"][0]
    assert numbers[at(encoder, "income")] == 0 and numbers[at(encoder, "income=(missing)")] == 1


def test_categories_are_one_column_per_level(encoder: RowEncoder) -> None:
    places = [at(encoder, f"city={name}") for name in ("Berlin", "Lima", "Oslo", "(missing)")]
    for value, hot in (("Berlin", 0), (" Oslo ", 2), (None, 3), ("?", 3), ("Atlantis", None)):
        wanted = [float(i == hot) for i in range(4)]
        assert encoder.encode_one({"city": value})["numbers"][0, places].tolist() == wanted


def test_many_levels_become_indices_with_places_for_missing_and_other(encoder: RowEncoder) -> None:
    levels = next(f for f in encoder.preprocessing["fields"] if f["name"] == "shop")["levels"]
    values = [None, "shop nobody knows", levels[0], levels[-1]]
    found = [int(encoder.encode_one({"shop": value})["categories"][0, 0]) for value in values]
    assert found == [0, 1, 2, len(levels) + 1] and encoder.categories == [len(levels) + 2]


def test_dates_become_elapsed_days_and_circles(encoder: RowEncoder) -> None:
    row = encoder.encode_one({"since": "2021-04-05"})["numbers"][0]
    names = ["since:month_sin", "since:month_cos", "since:weekday_sin"]
    assert row[[at(encoder, name) for name in names]].tolist() == pytest.approx([1, 0, 0], abs=1e-6)
    same_day = encoder.encode_one({"since": "2021-04-05T00:00:00Z"})["numbers"][0]
    assert np.array_equal(row, same_day)


def test_parts_of_a_date_match_the_calendar() -> None:
    for text in ("1969-12-31T23:59:59", "2000-02-29T12:00:00", "2024-12-01T00:00:00", "1600-01-31T05:00:00"):
        when = parse_date(text)
        assert when is not None
        parts = parts_of(np.asarray([text], "datetime64[s]").astype(np.int64))
        wanted = {"month": when.month - 1, "weekday": when.weekday(), "day": when.day - 1, "hour": when.hour}
        assert {part: int(values[0]) for part, values in parts.items()} == wanted


def test_the_format_of_the_file_is_also_taken() -> None:
    assert str(parse_date("05.04.2021", ("%d.%m.%Y",))) == "2021-04-05 00:00:00"
    assert parse_date("05.04.2021") is None


def test_texts_weigh_their_words_to_unit_length(encoder: RowEncoder) -> None:
    field = next(f for f in encoder.preprocessing["fields"] if f["name"] == "remark")
    start, width = field["start"], len(field["buckets"])
    weights = encoder.encode_one({"remark": "excellent river stone"})["numbers"][0, start : start + width]
    assert np.linalg.norm(weights) == pytest.approx(1, abs=1e-6)
    empty = encoder.encode_one({"remark": ""})["numbers"][0, start : start + width]
    assert not empty.any()


def test_every_text_owns_its_ngrams() -> None:
    texts = ["Winter market", "", "copper", "Ünïcödé words", "x"]
    owner, buckets = grams(texts)
    for i, text in enumerate(texts):
        alone = grams([text])[1]
        assert sorted(buckets[owner == i].tolist()) == sorted(alone.tolist())
    assert grams(["WINTER"])[1].tolist() == grams(["winter"])[1].tolist()


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1.5", ".", 1.5),
        ("1,5", ",", 1.5),
        ("1.234,5", ",", 1234.5),
        ("1,234.5", ".", 1234.5),
        ("-3", ",", -3.0),
        ("1e3", ".", 1000.0),
        ("1.234", ",", 1234.0),
    ],
)
def test_written_numbers_are_read_with_their_decimal_mark(text: str, decimal: str, value: float) -> None:
    assert parse_number(text, decimal) == value


@pytest.mark.parametrize(("text", "decimal"), [("1_000", "."), ("1,23", "."), ("1.5.2", ","), ("abc", "."), ("", ".")])
def test_other_texts_are_no_numbers(text: str, decimal: str) -> None:
    with pytest.raises(ValueError, match=r"number|convert"):
        parse_number(text, decimal)


def test_an_unknown_field_is_named_with_the_nearest_known_one(encoder: RowEncoder) -> None:
    with pytest.raises(RowError, match=r"did you mean 'income'") as caught:
        encoder.check({"incme": 3})
    assert (caught.value.field, caught.value.code) == ("incme", "unknown_field")
    assert "age, income" in caught.value.expected


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("age", "forty", "a number"),
        ("age", True, "a number"),
        ("age", [1], "a number"),
        ("city", {"a": 1}, "a text"),
        ("city", True, "a text"),
        ("shop", ["x"], "a text"),
        ("member", "perhaps", "true or false"),
        ("member", 2, "true or false"),
        ("since", "soon", "a date"),
        ("since", 5, "a date"),
        ("remark", {}, "a text"),
    ],
)
def test_a_wrong_type_is_named_with_what_is_expected(
    encoder: RowEncoder, field: str, value: Any, expected: str
) -> None:
    for call in (
        lambda: encoder.check({field: value}),
        lambda: encoder.encode_columns({field: [None, value]}),
        lambda: encoder.encode([{field: None}] * 20 + [{field: value}]),
    ):
        with pytest.raises(RowError) as caught:
            call()
        assert caught.value.field == field and caught.value.code == "wrong_type"
        assert expected in caught.value.expected and field in caught.value.message
    assert caught.value.row == 20


def test_a_row_that_is_no_object_is_refused(encoder: RowEncoder) -> None:
    cases: list[list[Any]] = [[[1, 2]], [{}] * 20 + ["text"]]
    for rows in cases:
        with pytest.raises(RowError, match="an object"):
            encoder.encode(rows)


def test_a_list_of_values_in_schema_order_is_a_row(encoder: RowEncoder) -> None:
    example = encoder.preprocessing["example"]
    assert encoder.from_list(list(example.values())) == example
    with pytest.raises(RowError, match="8 values"):
        encoder.from_list([1])


def test_the_schema_tells_kinds_levels_and_a_real_example(encoder: RowEncoder) -> None:
    fields = {field["name"]: field for field in encoder.fields}
    assert {name: field["kind"] for name, field in fields.items()} == {
        "age": "number",
        "income": "number",
        "city": "category",
        "member": "boolean",
        "since": "date",
        "remark": "text",
        "shop": "category",
        "visit": "date",
    }
    assert fields["member"]["levels"] == ["no", "yes"] and "Berlin" in fields["city"]["levels"]
    encoder.check({name: field["example"] for name, field in fields.items()})
    assert fields["age"]["example"] == encoder.preprocessing["example"]["age"]


def test_classes_are_decoded_with_all_probabilities(encoder: RowEncoder) -> None:
    found = encoder.decode({"probabilities": np.asarray([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)})
    assert [answer["label"] for answer in found] == ["other", "old"]
    assert found[1]["probabilities"] == {"old": 0.5, "other": 0.25, "rich": 0.25}


def test_numbers_are_decoded_with_an_interval_where_there_is_one() -> None:
    plain: dict[str, Any] = {"fields": [], "inputs": {"numbers": [], "categories": []}, "labels": None}
    assert load(plain).decode({"value": np.asarray([1.5, 2.0])}) == [{"value": 1.5}, {"value": 2.0}]
    known = plain | {"interval": {"level": 0.9, "half_width": 0.5}}
    assert load(known).decode(np.asarray([[1.5]])) == [{"value": 1.5, "interval": [1.0, 2.0]}]
    learned = plain | {"interval": {"level": 0.9, "factor": 2.0, "least": 0.0}}
    said = load(learned).decode(np.asarray([7.0, 0.5]))
    assert said == [{"value": 7.0, "interval": [3.0, 15.0]}, {"value": 0.5, "interval": [0.0, 2.0]}]


def test_a_copy_of_the_folder_works_alone_with_numpy(prepared_root: Path, encoder: RowEncoder, tmp_path: Path) -> None:
    shutil.copytree(Path(gpu_jobs.data.rows.__file__).parent, tmp_path / "rows")
    shutil.copy(prepared_root / "data" / "preprocessing.json", tmp_path)
    (tmp_path / "serve.py").write_text(
        "import json, sys\n"
        "from rows import load\n"
        "encoder = load(json.load(open('preprocessing.json')))\n"
        "print(encoder.encode_one(encoder.preprocessing['example'])['numbers'].tobytes().hex())\n"
        "assert not {'polars', 'torch', 'pandas'} & set(sys.modules)\n"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "serve.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    wanted = encoder.encode_one(encoder.preprocessing["example"])["numbers"]
    assert found.stdout.strip() == wanted.tobytes().hex()


def test_the_folder_imports_only_itself_the_standard_library_and_numpy() -> None:
    for path in Path(gpu_jobs.data.rows.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level <= 1
                names = [] if node.level else [node.module or ""]
            else:
                continue
            assert all(name.split(".")[0] in {*sys.stdlib_module_names, "numpy"} for name in names), path
