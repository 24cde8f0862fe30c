"""Tables kept by name: from a path or the call itself, confined to the data roots, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.errors import InputError
from phases.services.dataset_store import check_name
from phases.services.datasets import Datasets
from phases.settings import DatasetSettings
from tests.phases.services.conftest import datasets_in

TABLE = "a,b\n1,x\n2,y\n"
NAMES = [
    "", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "A", "a_b", "-a", "a-", "a b", "a\0b", "a\n", "é", "a.csv",
    "a" * 64, ".profiles", "~", "%2e%2e", "con:", "a;rm", "$(id)", "ａ",
]  # fmt: skip
PATHS = [
    "../outside.csv", "../../etc/passwd", "/etc/passwd", "/etc/../etc/passwd", "work/../../outside.csv", "~/x.csv",
    "/proc/self/environ", "/dev/zero", "./../outside.csv", "sub/../../outside.csv", "//etc/passwd", "\0", "",
    "x" * 5000, "a\0/../../etc/passwd",
]  # fmt: skip


async def test_a_file_is_kept_as_a_copy_that_later_changes_do_not_reach(datasets: Datasets, workspace: Path) -> None:
    source = workspace / "My Table 2026.csv"
    source.write_text(TABLE)
    found = await datasets.add_path("My Table 2026.csv")
    source.write_text("other\n")
    assert (found.name, found.source, found.origin) == ("my-table-2026", "path", str(source))
    assert found.sha256 == hashlib.sha256(TABLE.encode()).hexdigest() and found.bytes == len(TABLE)
    assert Path(found.file).read_text() == TABLE
    assert datasets.locate("my-table-2026") == Path(found.file)
    assert [one.name for one in await datasets.list()] == ["my-table-2026"]


async def test_the_same_table_again_is_no_change_and_another_one_is_refused(
    datasets: Datasets, workspace: Path
) -> None:
    (workspace / "t.csv").write_text(TABLE)
    first = await datasets.add_path("t.csv")
    assert await datasets.add_path("t.csv") == first
    (workspace / "t.csv").write_text(TABLE + "3,z\n")
    with pytest.raises(InputError, match="another dataset 't'") as refused:
        await datasets.add_path("t.csv")
    assert refused.value.code == "input.dataset_exists"
    assert Path((await datasets.get("t")).file).read_text() == TABLE
    assert (await datasets.add_path("t.csv", "t-2")).name == "t-2"


async def test_two_who_add_one_name_at_once_leave_one_whole_table(datasets: Datasets) -> None:
    texts = [f"a,b\n{i},x\n" * 50 for i in range(8)]
    done = await asyncio.gather(*(datasets.add_inline("same", text) for text in texts), return_exceptions=True)
    kept = [one for one in done if not isinstance(one, BaseException)]
    refused = [one for one in done if isinstance(one, InputError)]
    assert (len(kept), len(refused)) == (1, 7)
    assert {one.code for one in refused} == {"input.dataset_exists"}
    assert Path(kept[0].file).read_text() in texts
    left = {path.name for path in datasets.store.folder.iterdir()}
    assert left == {"same"}, "nothing half-made is left"


async def test_rows_and_text_of_the_call_are_kept_in_their_format(datasets: Datasets) -> None:
    rows = await datasets.add_inline("rows", [{"a": 1, "b": "é"}, {"a": None}])
    assert Path(rows.file).suffix == ".jsonl" and Path(rows.file).read_text() == '{"a": 1, "b": "é"}\n{"a": null}\n'
    text = await datasets.add_inline("text", TABLE)
    tabs = await datasets.add_inline("tabs", "a\tb\n1\t2\n", "tsv")
    assert (Path(text.file).name, Path(tabs.file).name) == ("table.csv", "table.tsv")
    assert {one.source for one in (rows, text, tabs)} == {"inline"}


@pytest.mark.parametrize(
    ("rows", "code"),
    [("", "input.empty"), ([], "input.empty"), ([{"a": float("nan")}], "input.rows"), ([{"a": object()}], "input.rows"),
     ("a,b\n" * 2000, "input.dataset_too_large")],
)  # fmt: skip
async def test_what_cannot_be_a_small_table_is_refused_and_leaves_nothing(
    datasets: Datasets, rows: object, code: str
) -> None:
    with pytest.raises(InputError) as refused:
        await datasets.add_inline("t", rows)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert await datasets.list() == [] and await datasets.count() == 0


@pytest.mark.parametrize("name", NAMES, ids=repr)
async def test_a_name_that_is_none_is_refused_by_every_call(datasets: Datasets, name: str) -> None:
    for call in (
        datasets.add_inline(name, TABLE),
        datasets.get(name),
        datasets.remove(name),
        datasets.begin(name, 1, "a" * 64),
    ):
        with pytest.raises(InputError) as refused:
            await call
        assert refused.value.code == "input.name"
    assert not datasets.store.folder.exists()


@given(st.text(max_size=80))
def test_every_name_that_is_taken_is_a_plain_word(name: str) -> None:
    try:
        assert check_name(name) == name
    except InputError:
        return
    assert name.isascii() and name.replace("-", "").isalnum() and name == name.lower() and len(name) <= 63


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path[:30]))
async def test_a_path_out_of_the_roots_is_refused_before_it_is_looked_at(
    datasets: Datasets, workspace: Path, path: str
) -> None:
    (workspace.parent / "outside.csv").write_text(TABLE)
    with pytest.raises(InputError) as refused:
        await datasets.add_path(path, "t")
    assert refused.value.code in {"input.outside_roots", "input.missing_file"}
    with pytest.raises(InputError):
        datasets.locate(path)
    with pytest.raises(InputError):
        await datasets.profile(path)


async def test_a_link_out_of_the_roots_is_refused_and_one_inside_is_followed(
    datasets: Datasets, workspace: Path
) -> None:
    outside, inside = workspace.parent / "outside.csv", workspace / "inside.csv"
    outside.write_text(TABLE)
    inside.write_text(TABLE)
    (workspace / "bad.csv").symlink_to(outside)
    (workspace / "folder").symlink_to(workspace.parent)
    (workspace / "good.csv").symlink_to(inside)
    for path in ("bad.csv", "folder/outside.csv"):
        with pytest.raises(InputError) as refused:
            await datasets.add_path(path)
        assert refused.value.code == "input.outside_roots"
    assert datasets.locate("good.csv") == inside


async def test_what_is_no_regular_file_is_refused(datasets: Datasets, workspace: Path) -> None:
    (workspace / "folder").mkdir()
    os.mkfifo(workspace / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(workspace / "sock.csv"))
        found = {}
        for path in ("folder", "pipe.csv", "sock.csv", "absent.csv"):
            with pytest.raises(InputError) as refused:
                await datasets.add_path(path)
            found[path] = refused.value.code
    assert found == {"folder": "input.directory", "pipe.csv": "input.not_a_file", "sock.csv": "input.not_a_file",
                     "absent.csv": "input.missing_file"}  # fmt: skip


@pytest.mark.parametrize("path", [".env", ".hidden/t.csv", "secrets", "id_rsa", "notes.md", "app.py"])
async def test_a_chat_cannot_have_the_first_line_of_a_secret_told_as_columns(
    datasets: Datasets, workspace: Path, path: str
) -> None:
    (workspace / path).parent.mkdir(exist_ok=True)
    (workspace / path).write_text("PASSWORD,x\n1,2\n")
    with pytest.raises(InputError) as refused:
        await datasets.profile(path)
    assert refused.value.code == "input.not_a_table"
    assert datasets.anywhere().locate(f"./{path}") == workspace / path


async def test_further_roots_may_be_named_and_a_person_at_the_terminal_has_none(
    workspace: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "t.csv").write_text(TABLE)
    closed, opened = datasets_in(workspace, tmp_path), datasets_in(workspace, tmp_path, None, workspace, shared)
    with pytest.raises(InputError):
        await closed.add_path(str(shared / "t.csv"))
    assert (await opened.add_path(str(shared / "t.csv"))).name == "t"
    assert (await closed.anywhere().add_path(str(shared / "t.csv"), "t-2")).name == "t-2"
    with pytest.raises(InputError):
        await closed.add_path(str(shared / "t.csv"), "t-3")


async def test_a_table_over_the_limit_is_refused_and_leaves_nothing(workspace: Path, tmp_path: Path) -> None:
    datasets = datasets_in(workspace, tmp_path, DatasetSettings(max_mb=1))
    (workspace / "large.csv").write_bytes(b"a\n" * 600_000)
    with pytest.raises(InputError) as refused:
        await datasets.add_path("large.csv")
    assert refused.value.code == "input.dataset_too_large"
    with pytest.raises(InputError):
        await datasets.profile("large.csv")
    assert await datasets.list() == []


async def test_a_dataset_is_removed_whole_and_the_nearest_names_are_told(datasets: Datasets) -> None:
    await datasets.add_inline("penguins", TABLE)
    with pytest.raises(InputError, match="penguins"):
        await datasets.get("pengiuns")
    removed = await datasets.remove("penguins")
    assert removed.name == "penguins" and not Path(removed.file).exists()
    assert await datasets.list() == []
    with pytest.raises(InputError) as refused:
        await datasets.remove("penguins")
    assert refused.value.code == "input.no_such_dataset"


async def test_lists_are_told_in_pages(datasets: Datasets) -> None:
    for i in range(5):
        await datasets.add_inline(f"t-{i}", TABLE)
    assert await datasets.count() == 5
    assert [one.name for one in await datasets.list(limit=2, offset=3)] == ["t-3", "t-4"]


async def test_what_a_killed_process_left_half_made_is_no_dataset_and_is_swept_after_a_day(datasets: Datasets) -> None:
    for name, age in ((".new-fresh", 60.0), (".new-old", 2 * 86_400.0), (".gone-old", 2 * 86_400.0)):
        left = datasets.store.folder / name
        left.mkdir(parents=True)
        (left / "table").write_text("half")
        os.utime(left, (time.time() - age, time.time() - age))
    assert await datasets.list() == []
    await datasets.add_inline("t", TABLE)
    assert sorted(path.name for path in datasets.store.folder.iterdir()) == [".new-fresh", "t"]


async def test_a_folder_of_a_persons_own_is_no_dataset_and_is_left_alone(datasets: Datasets, workspace: Path) -> None:
    own = workspace / "neural" / "datasets" / "mine"
    own.mkdir(parents=True)
    (own / "notes.txt").write_text("mine")
    assert await datasets.list() == []
    with pytest.raises(InputError):
        await datasets.add_inline("mine", TABLE)
    assert (own / "notes.txt").read_text() == "mine"


async def test_a_record_that_points_elsewhere_is_not_followed(datasets: Datasets, workspace: Path) -> None:
    found = await datasets.add_inline("t", TABLE)
    record = Path(found.file).with_name("record.json")
    record.write_text(record.read_text().replace('"table.csv"', '"../../../../outside.csv"'))
    (workspace.parent / "outside.csv").write_text(TABLE)
    with pytest.raises(InputError):
        datasets.locate("t")
