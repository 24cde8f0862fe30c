"""Tables in chunks: they go on after a kill, gaps and wrong bytes are named, nothing half-made is ever a dataset."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memory.errors import InputError
from phases.services.datasets import Datasets
from phases.services.uploads import FORGOTTEN_SECONDS, LARGEST_CHUNK
from phases.settings import DatasetSettings
from tests.phases.services.conftest import datasets_in

TABLE = b"a,b\n" + b"".join(b"%d,x%d\n" % (i, i) for i in range(900))
PIECES = [TABLE[i : i + 1000] for i in range(0, len(TABLE), 1000)]
SHA256 = hashlib.sha256(TABLE).hexdigest()

KILLED = """
import asyncio, base64, os, signal, sys
from pathlib import Path
from tests.phases.services.conftest import datasets_in

async def half() -> None:
    datasets = datasets_in(Path(sys.argv[1]), Path(sys.argv[2]))
    table = Path(sys.argv[3]).read_bytes()
    view = await datasets.begin("t", len(table), sys.argv[4])
    for index in range(0, len(table) // 1000, 2):
        await datasets.chunk(view.upload, index, base64.b64encode(table[index * 1000 : index * 1000 + 1000]).decode())
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(half())
"""


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_chunks_in_any_order_and_twice_become_the_table(datasets: Datasets) -> None:
    view = await datasets.begin("t", len(TABLE), SHA256.upper())
    for index in [*reversed(range(len(PIECES))), 0, 3]:
        seen = await datasets.chunk(view.upload, index, encoded(PIECES[index]))
    assert (seen.received, seen.missing, seen.chunks) == (len(TABLE), (), len(PIECES))
    found = await datasets.finish(view.upload)
    assert Path(found.file).read_bytes() == TABLE and Path(found.file).suffix == ".csv"
    assert (found.sha256, found.source, found.origin) == (SHA256, "upload", view.upload)
    assert await datasets.finish(view.upload) == found, "finishing twice is finishing once"
    assert list(datasets.uploads.folder.iterdir()) == []
    again = await datasets.begin("t", len(TABLE), SHA256)
    assert (again.upload, again.received) == (view.upload, len(TABLE)), "what is here need not be sent again"
    assert (await datasets.chunk(view.upload, 0, encoded(PIECES[0]))).received == len(TABLE)


async def test_an_upload_goes_on_after_its_server_was_killed_half_way(
    datasets: Datasets, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_bytes(TABLE)
    words = [sys.executable, "-c", KILLED, str(workspace), str(tmp_path), str(tmp_path / "table.csv"), SHA256]
    done = await asyncio.to_thread(
        subprocess.run, words, capture_output=True, timeout=120, cwd=Path(__file__).parents[3], env={**os.environ}
    )
    assert done.returncode == -9, done.stderr
    view = await datasets.begin("t", len(TABLE), SHA256)
    assert 0 < view.received < len(TABLE) and view.missing[:2] == (1, 3)
    with pytest.raises(InputError, match="missing chunks: 1, 3"):
        await datasets.finish(view.upload)
    while view.missing:
        for index in view.missing:
            view = await datasets.chunk(view.upload, index, encoded(PIECES[index]))
        for index in range(view.chunks, len(PIECES)):
            view = await datasets.chunk(view.upload, index, encoded(PIECES[index]))
    assert Path((await datasets.finish(view.upload)).file).read_bytes() == TABLE


async def test_an_upload_without_its_end_says_where_to_go_on(datasets: Datasets) -> None:
    view = await datasets.begin("t", len(TABLE), SHA256)
    await datasets.chunk(view.upload, 0, encoded(PIECES[0]))
    with pytest.raises(InputError, match="those from 1 on") as refused:
        await datasets.finish(view.upload)
    assert refused.value.code == "input.upload_incomplete"
    assert await datasets.list() == []


async def test_wrong_bytes_are_no_dataset_and_the_upload_begins_anew(datasets: Datasets) -> None:
    view = await datasets.begin("t", len(TABLE), SHA256)
    for index, piece in enumerate(PIECES):
        await datasets.chunk(view.upload, index, encoded(piece.replace(b"7", b"8")))
    with pytest.raises(InputError) as refused:
        await datasets.finish(view.upload)
    assert refused.value.code == "input.upload_checksum"
    assert await datasets.list() == []
    assert (await datasets.begin("t", len(TABLE), SHA256)).received == 0


async def test_one_index_with_other_bytes_is_refused(datasets: Datasets) -> None:
    view = await datasets.begin("t", len(TABLE), SHA256)
    await datasets.chunk(view.upload, 0, encoded(PIECES[0]))
    with pytest.raises(InputError) as refused:
        await datasets.chunk(view.upload, 0, encoded(PIECES[1]))
    assert refused.value.code == "input.upload_differs"


@pytest.mark.parametrize(
    ("index", "data", "code"),
    [(-1, "YQ==", "input.upload_chunk"), (10**9, "YQ==", "input.upload_chunk"), (0, "", "input.upload_chunk"),
     (0, "no base64!", "input.upload_chunk"), (0, "YQ", "input.upload_chunk"), (0, "YQ==\n", "input.upload_chunk"),
     (0, "A" * (LARGEST_CHUNK * 2), "input.upload_chunk"), (0, encoded(TABLE + b"more"), "input.upload_too_long")],
    ids=range(8),
)  # fmt: skip
async def test_a_chunk_that_cannot_be_one_is_refused(datasets: Datasets, index: int, data: str, code: str) -> None:
    view = await datasets.begin("t", len(TABLE), SHA256)
    with pytest.raises(InputError) as refused:
        await datasets.chunk(view.upload, index, data)
    assert refused.value.code == code
    assert (await datasets.begin("t", len(TABLE), SHA256)).received == 0


@pytest.mark.parametrize(
    ("size", "sha256", "code"),
    [(0, SHA256, "input.upload_invalid"), (-5, SHA256, "input.upload_invalid"), (5, "xyz", "input.upload_invalid"),
     (5, "../" + "a" * 61, "input.upload_invalid"), (1024 * 1024 + 1, SHA256, "input.dataset_too_large")],
)  # fmt: skip
async def test_an_upload_that_cannot_be_one_is_refused(datasets: Datasets, size: int, sha256: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        await datasets.begin("t", size, sha256)
    assert refused.value.code == code and not datasets.uploads.folder.exists()


@pytest.mark.parametrize("upload", ["", "..", "../../x", "u-../../../../etc", "u-" + "0" * 20, "u-" + "g" * 20, "a\0b"])
async def test_an_upload_that_was_not_begun_is_refused(datasets: Datasets, upload: str) -> None:
    await datasets.begin("t", 5, SHA256)
    for call in (datasets.chunk(upload, 0, "YQ=="), datasets.finish(upload)):
        with pytest.raises(InputError) as refused:
            await call
        assert refused.value.code == "input.no_such_upload"


async def test_two_who_send_the_same_upload_at_once_make_one_dataset(datasets: Datasets) -> None:
    async def whole() -> tuple[str, bytes]:
        view = await datasets.begin("t", len(TABLE), SHA256)
        for index, piece in enumerate(PIECES):
            await datasets.chunk(view.upload, index, encoded(piece))
        found = await datasets.finish(view.upload)
        return found.name, Path(found.file).read_bytes()

    done = await asyncio.gather(*(whole() for _ in range(6)))
    assert done == [("t", TABLE)] * 6
    assert await datasets.count() == 1 and list(datasets.uploads.folder.iterdir()) == []


async def test_open_uploads_are_bounded_and_forgotten_ones_make_room(workspace: Path, tmp_path: Path) -> None:
    datasets = datasets_in(workspace, tmp_path, DatasetSettings(max_mb=1, uploads=2))
    first = await datasets.begin("one", 5, SHA256)
    await datasets.begin("two", 5, SHA256)
    with pytest.raises(InputError) as refused:
        await datasets.begin("three", 5, SHA256)
    assert refused.value.code == "input.upload_too_many"
    assert (await datasets.begin("one", 5, SHA256)).upload == first.upload
    old = time.time() - FORGOTTEN_SECONDS - 60
    os.utime(datasets.uploads.folder / first.upload, (old, old))
    assert (await datasets.begin("three", 5, SHA256)).received == 0
