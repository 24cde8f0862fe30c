"""Every refusal of a data file or a request about it: one code, the culprit in the message, a fix."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gpu_jobs.data.errors import DataError
from gpu_jobs.data.reading import read_table
from gpu_jobs.data.source import open_source

from .conftest import Ingest, prepare, profiled

Write = Callable[[str, str | bytes], Path]
GOOD = "a,b,y\n" + "".join(f"{i},{i % 7},{'no' if i % 3 else 'yes'}\n" for i in range(60))


def refusal(code: str, call: Callable[..., Any], *args: Any, **more: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        call(*args, **more)
    assert caught.value.code == code
    assert caught.value.message == str(caught.value)
    assert caught.value.fix
    return caught.value


def test_a_missing_file_is_refused_with_the_nearest_names(ingest: Ingest, write: Write, tmp_path: Path) -> None:
    write("churn.csv", GOOD)
    error = refusal("input.missing_file", ingest, tmp_path / "chrun.csv")
    assert "chrun.csv" in error.message and "'churn.csv'" in (error.fix or "")


def test_a_file_in_a_missing_folder_is_refused(ingest: Ingest, tmp_path: Path) -> None:
    refusal("input.missing_file", ingest, tmp_path / "nowhere" / "churn.csv")


@pytest.mark.parametrize("content", ["", "\n\n", "  \n", b"\xef\xbb\xbf" * 0 + gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_refused(ingest: Ingest, content: str | bytes) -> None:
    refusal("input.empty", ingest, content)


@pytest.mark.parametrize("content", ["a,b,c\n", "a,b,c", "a,b,c\n\n\n"])
def test_a_header_without_rows_is_refused(ingest: Ingest, content: str) -> None:
    refusal("input.header_only", ingest, content)


def test_jsonl_and_parquet_without_rows_are_refused(ingest: Ingest, tmp_path: Path) -> None:
    refusal("input.header_only", ingest, "[]", "table.json")
    pl.DataFrame({"a": []}).write_parquet(tmp_path / "empty.parquet")
    refusal("input.header_only", ingest, tmp_path / "empty.parquet")


def test_a_directory_is_refused(ingest: Ingest, tmp_path: Path) -> None:
    assert "directory" in refusal("input.directory", ingest, tmp_path).message


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04" + b"x" * 50, "Excel"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "PNG"),
        (bytes(range(256)) * 20, "binary"),
        (b"a,b\n1,\x00\n", "binary"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"SQLite format 3\0", "SQLite"),
    ],
)
def test_binary_files_are_refused_by_what_they_are(ingest: Ingest, content: bytes, what: str) -> None:
    assert what in refusal("input.binary", ingest, content).message


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,x\n2,\x81\x8d\x8f\x90\x9d\n3,z\n",
        "name,n\nMüller,1\nJürgen,2\nKöln,3\n".encode() + b"\xff\xfe\xff,4\n",
        b"\xff\xfea",  # a UTF-16 mark with half a character
    ],
)
def test_undecodable_bytes_are_refused_with_their_line(ingest: Ingest, content: bytes) -> None:
    error = refusal("input.encoding", ingest, content)
    assert "line" in error.message and "UTF-8" in (error.fix or "")


@pytest.mark.parametrize("row", ["4,5", "4,5,6,7"])
def test_ragged_rows_are_refused_with_their_line(ingest: Ingest, row: str) -> None:
    error = refusal("input.ragged", ingest, f"a,b,c\n1,2,3\n{row}\n7,8,9\n10,11,12\n")
    assert "line 3" in error.message and "(row 2)" in error.message
    assert f"has {row.count(',') + 1} fields" in error.message


def test_a_ragged_row_below_quoted_newlines_is_named_by_its_line_in_the_file(ingest: Ingest) -> None:
    error = refusal("input.ragged", ingest, 'a,b\n"x\ny\nz",1\n"u",2\nv\nw,3\n')
    assert "line 6" in error.message and "(row 3)" in error.message


def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    """Root reads everything, so a child that gave up its rights tries."""
    path = tmp_path / "secret.csv"
    path.write_text(GOOD)
    path.parent.chmod(0o755)
    path.chmod(0)
    answer, said = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(said, _code_without_rights(path).encode())
        finally:
            os._exit(0)
    os.close(said)
    assert os.waitpid(child, 0)[1] == 0
    with os.fdopen(answer) as told:
        assert told.read() == "input.unreadable"


def _code_without_rights(path: Path) -> str:
    """The code of the refusal; folders above the file are entered before the rights are given up."""
    os.chdir(path.parent)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    try:
        read_table(Path(path.name))
    except DataError as error:
        return error.code
    return "it was read"


def test_a_damaged_gzip_file_is_refused(ingest: Ingest) -> None:
    error = refusal("input.unreadable", ingest, gzip.compress(GOOD.encode())[:-20], "table.csv.gz")
    assert "gzip" in error.message


def test_a_damaged_parquet_file_is_refused(ingest: Ingest) -> None:
    refusal("input.unreadable", ingest, b"PAR1" + b"broken" * 20, "table.parquet")


def test_a_broken_json_line_is_refused_with_its_number(ingest: Ingest) -> None:
    error = refusal("input.unreadable", ingest, '{"a": 1}\n{"a": }\n', "table.jsonl")
    assert "line 2" in error.message


def test_nested_json_is_refused_with_line_and_field(ingest: Ingest) -> None:
    error = refusal("input.unreadable", ingest, '{"a": 1}\n{"a": [1, 2]}\n', "table.jsonl")
    assert "line 2" in error.message and error.field == "a"


def test_duplicate_column_names_are_refused_with_their_places(ingest: Ingest) -> None:
    error = refusal("input.duplicate_columns", ingest, "a,b,a\n1,2,3\n4,5,6\n")
    assert "'a' (columns 1, 3)" in error.message and error.field == "a"


@pytest.mark.parametrize("count", [10_000, 12_000])
def test_ten_thousand_columns_are_refused(ingest: Ingest, count: int) -> None:
    header = ",".join(f"c{i}" for i in range(count))
    row = ",".join("1" for _ in range(count))
    assert f"{count:,}" in refusal("input.too_many_columns", ingest, f"{header}\n{row}\n{row}\n").message


def test_an_unknown_target_is_refused_with_the_nearest_names(ingest: Ingest, root: Path) -> None:
    ingest(GOOD.replace("a,b,y", "age,tenure,churned"))
    error = refusal("input.no_such_target", profiled, root, target="chured")
    assert "'chured'" in error.message and "'churned'" in error.message and error.field == "target"


def test_an_unknown_column_in_another_option_is_refused(ingest: Ingest, root: Path) -> None:
    ingest(GOOD)
    error = refusal("input.no_such_column", profiled, root, target="y", drop=["zzz"])
    assert "'zzz'" in error.message and error.field == "drop"


def test_a_constant_target_is_refused(ingest: Ingest, root: Path) -> None:
    ingest("a,y\n" + "".join(f"{i},same\n" for i in range(30)))
    assert "'same'" in refusal("input.constant_target", profiled, root, target="y").message


def test_a_target_missing_in_more_than_half_is_refused(ingest: Ingest, root: Path) -> None:
    ingest("a,y\n" + "".join(f"{i},{'?' if i % 5 else i % 2}\n" for i in range(50)))
    error = refusal("input.target_missing", profiled, root, target="y")
    assert "40 of 50" in error.message


def test_a_target_missing_in_every_row_is_refused(ingest: Ingest, root: Path) -> None:
    ingest("a,y\n" + "".join(f"{i},NA\n" for i in range(50)))
    refusal("input.target_missing", profiled, root, target="y")


def test_a_class_with_one_example_is_refused_by_name(ingest: Ingest, root: Path) -> None:
    rows = "".join(f"{i},{'red' if i % 2 else 'blue'}\n" for i in range(40))
    ingest(f"a,y\n{rows}41,green\n")
    assert "'green'" in refusal("input.single_class_example", profiled, root, target="y").message


def test_a_table_without_a_usable_column_is_refused(ingest: Ingest, root: Path) -> None:
    ingest("id,same,none,y\n" + "".join(f"{i},1,,{i % 2}\n" for i in range(40)))
    refusal("input.no_usable_column", profiled, root, target="y")
    refusal("input.no_usable_column", profiled, root, target="y", drop=["id"])


def test_free_text_and_dates_cannot_be_targets(ingest: Ingest, root: Path) -> None:
    random = np.random.default_rng(0)
    days = np.datetime64("2021-01-01") + random.integers(0, 900, 50).astype("timedelta64[D]")
    ingest("a,when\n" + "".join(f"{i % 9},{day}\n" for i, day in enumerate(days)))
    refusal("input.unusable_target", profiled, root, target="when")


def test_a_text_target_cannot_be_a_regression(ingest: Ingest, root: Path) -> None:
    ingest(GOOD)
    refusal("input.unusable_target", profiled, root, target="y", task="regression")


def test_three_classes_cannot_be_binary(ingest: Ingest, root: Path) -> None:
    ingest("a,y\n" + "".join(f"{i},{'abc'[i % 3]}\n" for i in range(60)))
    refusal("input.unusable_target", profiled, root, target="y", task="binary")


def test_a_validation_file_that_lacks_a_column_is_refused(ingest: Ingest, write: Write) -> None:
    other = write("validation.csv", "a,y\n1,yes\n2,no\n")
    error = refusal("input.columns_differ", ingest, GOOD, validation=other)
    assert "'b'" in error.message and "validation" in error.message


def test_too_few_rows_to_split_are_refused(ingest: Ingest, root: Path) -> None:
    ingest("a,y\n1,2.5\n3,4.5\n")
    refusal("input.too_few_rows", prepare, root, "y", "regression")


def test_a_file_that_somebody_writes_to_while_it_is_read_is_refused_and_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "growing.csv"
    path.write_text("a,b\n" + "1,2\n" * 2_000_000)
    with subprocess.Popen(["sh", "-c", 'while :; do echo 3,4; done >> "$0"', path]) as writer:
        try:
            assert "growing.csv" in refusal("input.changing", opened_often, path).message
        finally:
            writer.kill()
    assert open_source(path).facts["bytes"] == path.stat().st_size


def opened_often(path: Path) -> None:
    """Read until one of the reads falls together with a write."""
    for _ in range(500):
        open_source(path)
