"""The kept tables of a workspace as files: `neural/datasets/<name>/` with the table and its record. It parses none.

A dataset appears and goes in one rename, so that nobody sees half of one and two who add the same name cannot mix.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from agents.metrics import nearest
from memory.errors import InputError
from phases.clock import now
from phases.datasets import DatasetView, SourceKind
from phases.request import NAME
from phases.workspace import read_json, write_json

RECORD = "record.json"
LEFT_BEHIND_SECONDS = 86_400.0
SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".gz"})
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})


class Sink(Protocol):
    """What a table is written to."""

    def write(self, data: bytes, /) -> int:
        """Write a piece."""
        ...


Fill = Callable[[Sink], None]


class DatasetStore:
    """Datasets by name.

    Args:
        workspace: Its `neural/datasets` holds them.
        max_bytes: Largest table.
    """

    def __init__(self, workspace: Path, max_bytes: int) -> None:
        self.folder = workspace / "neural" / "datasets"
        self.max_bytes = max_bytes

    def keep(
        self, name: str, fill: Fill, source: SourceKind, origin: str = "", sha256: str | None = None
    ) -> DatasetView:
        """Keep a table under a name; the same table under the same name again is no change.

        Args:
            name: Its name.
            fill: Writes the table.
            source: How it came.
            origin: Its path or upload; the path's suffixes are kept.
            sha256: What its hash must be.

        Raises:
            InputError: the name is taken by another table, the table is too large or empty, or its hash is another.
        """
        check_name(name)
        self._sweep()
        fresh = self.folder / f".new-{uuid.uuid4().hex}"
        fresh.mkdir(parents=True)
        try:
            table = fresh / "table"
            with _Counted(table, self.max_bytes) as file:
                fill(file)
            _check(name, file, sha256)
            real = table.rename(fresh / f"table{_suffix(table, origin)}")
            record = {
                "name": name, "file": real.name, "bytes": file.bytes, "sha256": file.hash.hexdigest(),
                "source": source, "origin": origin, "added_at": now(),
            }  # fmt: skip
            write_json(fresh / RECORD, record)
            return self._publish(name, fresh, file.hash.hexdigest())
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _publish(self, name: str, fresh: Path, sha256: str) -> DatasetView:
        try:
            fresh.rename(self.folder / name)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            there = self.find(name)
            if there is None or there.sha256 != sha256:
                raise InputError(
                    f"there is another dataset {name!r} already",
                    code="input.dataset_exists",
                    field="name",
                    fix=f"choose another name, or remove that one: neuroloom dataset rm {name}",
                ) from error
            return there
        return self.get(name)

    def find(self, name: str) -> DatasetView | None:
        """The dataset of that name, or None."""
        folder = self.folder / name
        try:
            record = read_json(folder / RECORD)
            found = DatasetView.model_validate({**record, "file": str(folder / Path(record["file"]).name)})
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return found if found.name == name and Path(found.file).is_file() else None

    def get(self, name: str) -> DatasetView:
        """The dataset of that name.

        Raises:
            InputError: there is none, with the nearest names.
        """
        check_name(name)
        found = self.find(name)
        if found is None:
            raise InputError(
                f"no dataset {name!r}{nearest(name, self.names())}",
                code="input.no_such_dataset",
                field="name",
                fix="list them: neuroloom dataset list",
            )
        return found

    def names(self) -> list[str]:
        """Names of all datasets, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(one.name for one in self.folder.iterdir() if not one.name.startswith(".") and self.find(one.name))

    def remove(self, name: str) -> DatasetView:
        """Forget a dataset and delete its file; what it was.

        Raises:
            InputError: there is none.
        """
        found = self.get(name)
        gone = self.folder / f".gone-{uuid.uuid4().hex}"
        try:
            (self.folder / name).rename(gone)
        except FileNotFoundError:
            return found  # somebody else was quicker
        shutil.rmtree(gone, ignore_errors=True)
        return found

    def _sweep(self) -> None:
        """Delete what killed processes left half-made a day ago or longer."""
        for path in self._hidden():
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFT_BEHIND_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

    def _hidden(self) -> Iterator[Path]:
        if self.folder.is_dir():
            yield from self.folder.glob(".new-*")
            yield from self.folder.glob(".gone-*")


def check_name(name: str) -> str:
    """The name unchanged.

    Raises:
        InputError: it cannot be the name of a dataset.
    """
    if not re.fullmatch(NAME, name):
        raise InputError(
            f"{name[:80]!r} cannot be the name of a dataset",
            code="input.name",
            field="name",
            fix="use at most 63 lower-case letters, digits and hyphens, with a letter or digit at both ends",
        )
    return name


class _Counted:
    """A file that is written, hashed and bounded at once; synced to the disk when it is closed."""

    def __init__(self, path: Path, most: int) -> None:
        self.path, self.most, self.bytes, self.hash = path, most, 0, hashlib.sha256()

    def __enter__(self) -> _Counted:
        self._file = self.path.open("xb")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file as file:
            if kind is None:
                file.flush()
                os.fsync(file.fileno())

    def write(self, data: bytes, /) -> int:
        """Write a piece.

        Raises:
            InputError: the table is larger than allowed.
        """
        self.bytes += len(data)
        if self.bytes > self.most:
            raise too_large(self.most)
        self.hash.update(data)
        return self._file.write(data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; several who write the same one at once do not meet.

    Raises:
        FileNotFoundError: its folder is gone.
    """
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def too_large(most: int) -> InputError:
    """The error of a table that is larger than the setting allows."""
    return InputError(
        f"the table is larger than {most:,} bytes",
        code="input.dataset_too_large",
        field="data",
        fix="give a smaller table, or raise dataset.max_mb (NEUROLOOM_DATASET_MAX_MB)",
    )


def _check(name: str, file: _Counted, sha256: str | None) -> None:
    if not file.bytes:
        raise InputError(f"the table for {name!r} is empty", code="input.empty", field="data", fix="give rows of data")
    if sha256 is not None and file.hash.hexdigest() != sha256:
        raise InputError(
            f"the bytes that came have the SHA-256 {file.hash.hexdigest()}, not {sha256}",
            code="input.upload_checksum",
            field="sha256",
            fix="begin the upload again and send every chunk as it stands in the file",
        )


def _suffix(table: Path, origin: str) -> str:
    """The suffixes of the file it came from, else those of what it holds."""
    known = [one.lower() for one in Path(origin).suffixes[-2:] if one.lower() in SUFFIXES]
    if known:
        return "".join(known)
    with table.open("rb") as file:
        head = file.read(4096)
    if head[:4] == b"PAR1":
        return ".parquet"
    if head[:2] == b"\x1f\x8b":
        return ".csv.gz"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"[" and text[1:].lstrip()[:1] == b"{":
        return ".json"
    return ".jsonl" if text[:1] == b"{" else ".csv"
