"""What one row may cost: long texts, long names and many of them are cut, alike on every path."""

from __future__ import annotations

import json
import time
import tracemalloc

import numpy as np
import pytest

from gpu_jobs.data.rows import RowEncoder, RowError, load
from gpu_jobs.data.snapshot import snapshot

from .conftest import people, prepare


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> RowEncoder:
    root = tmp_path_factory.mktemp("limits")
    people().write_csv(root / "people.csv")
    snapshot({"data": root / "people.csv"}, root / "data", None)
    prepare(root, "kind", "multiclass")
    return load(json.loads((root / "data" / "preprocessing.json").read_text()))


def test_only_the_first_20000_characters_of_a_text_count_and_on_every_path_alike(encoder: RowEncoder) -> None:
    random = np.random.default_rng(5)
    head = " ".join(random.choice(["excellent", "river", "stone", "Über", "42"], 4_000))[:20_000]
    longer = [{"remark": head + tail} for tail in (" excellent" * 30, "X" * 100_000, "7" * 50)]
    want = encoder.encode_one({"remark": head})
    for row in longer:
        found = encoder.encode_one(row)
        assert all((found[name] == values).all() for name, values in want.items())
    many = encoder.encode([*longer, *[{"remark": "a river"}] * 20])
    for name, values in want.items():
        assert (many[name][:3] == values).all()


def test_a_text_of_eight_million_characters_is_encoded_at_once(encoder: RowEncoder) -> None:
    tracemalloc.start()
    began = time.process_time()
    encoder.encode_one({"remark": "stone river 7 " * 560_000})
    seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 3.0 and peak < 60e6


def test_many_long_texts_are_hashed_some_at_a_time(encoder: RowEncoder) -> None:
    texts: list[str | None] = ["stone river " * 2_000, None, "a stone"] * 70
    tracemalloc.start()
    found = encoder.encode_columns({"remark": texts})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for i in (0, 1, 2):
        want = encoder.encode_one({"remark": texts[i]})
        for name, values in want.items():
            assert (found[name][i::3] == values).all()
    assert peak < 250e6


def test_a_field_name_of_a_megabyte_is_refused_at_once_and_not_repeated(encoder: RowEncoder) -> None:
    began = time.process_time()
    with pytest.raises(RowError) as error:
        encoder.encode_one({"remark" * 200_000: 1})
    assert time.process_time() - began < 2.0
    assert len(error.value.message) < 300 and error.value.field is not None and len(error.value.field) == 80


def test_known_names_of_ten_thousand_characters_are_not_repeated_whole(encoder: RowEncoder) -> None:
    spec = json.loads(json.dumps(encoder.preprocessing))
    spec["fields"][0]["name"] = name = "a" * 10_000
    long = load(spec)
    with pytest.raises(RowError) as unknown:
        long.encode_one({"aaaaaaaa": 1})
    with pytest.raises(RowError) as wrong:
        long.encode_one({name: ["no number"]})
    with pytest.raises(RowError) as few:
        long.from_list([1])
    for error in (unknown, wrong, few):
        assert len(error.value.message) + len(error.value.expected) < 1000
