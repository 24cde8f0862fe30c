"""The datasets service: tables kept by name, from a path, from the call itself or in chunks, and their profiles.

A door hands in names, paths and pieces; only jobs parse tables.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from memory.errors import InputError
from phases.datasets import DatasetProfile, DatasetView, Profiling, UploadView
from phases.request import NAME
from phases.services.dataset_store import DatasetStore, Sink, too_large
from phases.services.profiles import LONGEST_WAIT, Profiles
from phases.services.roots import Roots
from phases.services.uploads import Uploads
from phases.settings import DatasetSettings, PrivacySettings, RunnerSettings

PIECE = 1024 * 1024
MEGABYTE, KILOBYTE = 1024 * 1024, 1024


class Datasets:
    """Datasets of one workspace, confined to the data roots.

    Args:
        workspace: Its folder.
        runner: The runner's settings, for profile jobs.
        limits: How large a table may be.
        privacy: The data roots; none means the workspace.
    """

    def __init__(
        self, workspace: Path, runner: RunnerSettings, limits: DatasetSettings, privacy: PrivacySettings
    ) -> None:
        self.workspace, self.limits = Path(workspace).resolve(), limits
        self.roots = Roots(self.workspace, privacy.roots or (self.workspace,))
        self.store = DatasetStore(self.workspace, limits.max_mb * MEGABYTE)
        self.uploads = Uploads(self.store, limits.uploads)
        self.profiles = Profiles(self.store.folder / ".profiles", runner)

    def anywhere(self) -> Datasets:
        """The same without data roots, for a person at the terminal."""
        found = copy.copy(self)
        found.roots = Roots(self.workspace, None)
        return found

    async def add_path(self, path: str, name: str | None = None) -> DatasetView:
        """Keep a copy of a file under a name; without one, under a name made from the file's.

        Raises:
            InputError: it is outside the data roots, no regular file or too large, or the name is taken or none.
        """
        real = self.roots.file(path)
        return await asyncio.to_thread(self._copied, real, name or _name_of(real))

    def _copied(self, real: Path, name: str) -> DatasetView:
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as source:
            found = os.fstat(source.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{real.name!r} is no regular file", code="input.not_a_file", field="path")
            if found.st_size > self.store.max_bytes:
                raise too_large(self.store.max_bytes)

            def fill(file: Sink) -> None:
                while piece := source.read(PIECE):
                    file.write(piece)

            return self.store.keep(name, fill, "path", str(real))

    async def add_inline(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]] | str,
        format: Literal["csv", "tsv", "jsonl"] | None = None,
    ) -> DatasetView:
        """Keep a small table given in the call: rows as objects, or text in CSV, TSV or JSON lines.

        Raises:
            InputError: it is too large, empty, or no JSON; or the name is taken or none.
        """
        text = rows if isinstance(rows, str) else _lines(rows)
        data, most = text.encode("utf-8", "surrogatepass"), self.limits.inline_kb * KILOBYTE
        if len(data) > most:
            raise InputError(
                f"the table has {len(data):,} bytes; up to {most:,} may stand in one call",
                code="input.dataset_too_large",
                field="rows",
                fix="upload it in chunks, or name a file",
            )
        kind = format if isinstance(rows, str) else "jsonl"
        origin = f"inline.{kind}" if kind else ""
        return await asyncio.to_thread(self.store.keep, name, lambda file: _write(file, data), "inline", origin)

    async def begin(self, name: str, size: int, sha256: str) -> UploadView:
        """Begin an upload in chunks, or see how far the same one is; see `Uploads.begin`."""
        return await asyncio.to_thread(self.uploads.begin, name, size, sha256)

    async def chunk(self, upload: str, index: int, data_base64: str) -> UploadView:
        """Take a chunk; see `Uploads.chunk`."""
        return await asyncio.to_thread(self.uploads.chunk, upload, index, data_base64)

    async def finish(self, upload: str) -> DatasetView:
        """Put the chunks together and keep the table; see `Uploads.finish`."""
        return await asyncio.to_thread(self.uploads.finish, upload)

    async def list(self, limit: int = 50, offset: int = 0) -> Sequence[DatasetView]:
        """Datasets by name."""
        names = self.store.names()[offset : offset + limit]
        return [self._told(found) for name in names if (found := self.store.find(name)) is not None]

    async def count(self) -> int:
        """How many datasets there are."""
        return len(self.store.names())

    async def get(self, name: str) -> DatasetView:
        """One dataset.

        Raises:
            InputError: there is none of that name, with the nearest names.
        """
        return self._told(self.store.get(name))

    async def remove(self, name: str) -> DatasetView:
        """Delete a dataset, and what was made to profile it; what it was. Runs keep their own snapshot."""
        found = await asyncio.to_thread(self.store.remove, name)
        await self.profiles.forget(Path(found.file), found.sha256)
        return found

    def locate(self, name_or_path: str) -> Path:
        """The file that a dataset's name or a path means.

        Raises:
            InputError: neither a dataset nor a file in the data roots.
        """
        if re.fullmatch(NAME, name_or_path):
            found = self.store.find(name_or_path)
            if found is not None:
                return Path(found.file)
            if not (self.workspace / name_or_path).exists():
                return Path(self.store.get(name_or_path).file)
        return self.roots.file(name_or_path, field="data")

    async def profile(
        self, name_or_path: str, target: str | None = None, wait_seconds: float = LONGEST_WAIT
    ) -> DatasetProfile | Profiling:
        """What a table holds, without a raw cell; `Profiling` when it takes longer: the same call goes on with it.

        Args:
            name_or_path: A dataset or a file in the data roots.
            target: The column to be predicted: then classes and leaks are told.
            wait_seconds: How long to wait, up to 45 s.

        Raises:
            InputError: there is no such table or column, or the table cannot be used.
        """
        file = self.locate(name_or_path)
        if file.stat().st_size > self.store.max_bytes:
            raise too_large(self.store.max_bytes)
        return await self.profiles.profile(file, name_or_path, target, wait_seconds)

    def _told(self, found: DatasetView) -> DatasetView:
        return found.model_copy(update={"rows": self.profiles.rows(found.sha256)})


def _name_of(path: Path) -> str:
    """A name made from a file's: `Churn 2026.csv.gz` is `churn-2026`."""
    word = re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-")[:63].strip("-")
    return word or "table"


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    try:
        return "".join(json.dumps(dict(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the rows are no JSON objects: {error}",
            code="input.rows",
            field="rows",
            fix='give a list of objects such as [{"age": 39, "sex": "male"}]',
        ) from error


def _write(file: Sink, data: bytes) -> None:
    file.write(data)
