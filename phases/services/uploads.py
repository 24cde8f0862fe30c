"""A table that comes in chunks: bounded, checksummed, and kept as files, so that it goes on after anything was killed.

An upload's id is made from its name, size and hash: whoever begins the same again goes on where it stands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from memory.errors import InputError
from phases.clock import now
from phases.datasets import DatasetView, UploadView
from phases.lock import only_one
from phases.services.dataset_store import DatasetStore, Sink, check_name, too_large, write_whole
from phases.workspace import read_json

T = TypeVar("T")

LARGEST_CHUNK = 1024 * 1024
MOST_CHUNKS = 20_000
SHOWN_GAPS = 100
FORGOTTEN_SECONDS = 7 * 86_400.0
PATIENCE_SECONDS = 60.0
UNKNOWN = "input.no_such_upload"
_ID = re.compile(r"u-[0-9a-f]{20}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Uploads:
    """Open uploads of a workspace, `neural/datasets/.uploads/<id>/`.

    Args:
        store: Where a finished one goes.
        most: Uploads that may be open at once.
    """

    def __init__(self, store: DatasetStore, most: int) -> None:
        self.store, self.most = store, most
        self.folder = store.folder / ".uploads"

    def begin(self, name: str, size: int, sha256: str) -> UploadView:
        """Begin an upload, or see how far the same one is.

        Raises:
            InputError: the name, size or hash cannot be one, the table is too large, or too many are open.
        """
        check_name(name)
        sha256 = sha256.lower()
        if size < 1 or not _SHA256.fullmatch(sha256):
            raise InputError(
                "size must be at least 1 byte" if size < 1 else f"{sha256[:80]!r} is no SHA-256 in hex",
                code="input.upload_invalid",
                field="size" if size < 1 else "sha256",
                fix="give the size of the file in bytes and the 64 hex digits of its SHA-256",
            )
        if size > self.store.max_bytes:
            raise too_large(self.store.max_bytes)
        upload = _id(name, size, sha256)
        if (known := self.store.find(name)) is not None and known.sha256 == sha256 and known.bytes == size:
            return _whole(upload, known)
        record = {"name": name, "size": size, "sha256": sha256, "at": now()}
        return self._seen(upload, lambda: self._begun(upload, record))

    def _begun(self, upload: str, record: dict[str, Any]) -> UploadView:
        folder = self.folder / upload
        if not (folder / "upload.json").exists():
            self._make_room()
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "upload.json", json.dumps(record).encode())
        return self._view(upload)

    def chunk(self, upload: str, index: int, data_base64: str) -> UploadView:
        """Take a chunk; the same one twice is no change.

        Raises:
            InputError: it is no base64, too long, another than the one that came before, or more than was announced.
        """
        return self._seen(upload, lambda: self._take(upload, index, data_base64))

    def _take(self, upload: str, index: int, data_base64: str) -> UploadView:
        folder, size = self._folder(upload), self._record(upload)["size"]
        data = _decoded(data_base64)
        if not 0 <= index < MOST_CHUNKS:
            raise InputError(
                f"chunk {index} is not from 0 to {MOST_CHUNKS - 1}",
                code="input.upload_chunk",
                field="index",
                fix=f"count chunks from 0, each up to {LARGEST_CHUNK} bytes",
            )
        place = folder / f"{index:05d}.chunk"
        if place.exists():
            _same(place, data, index)
            return self._view(upload)
        if sum(_sizes(folder).values()) + len(data) > size:
            raise InputError(
                f"chunk {index} makes the upload longer than the {size:,} bytes announced",
                code="input.upload_too_long",
                field="index",
                fix="begin anew with the right size",
            )
        write_whole(place, data)
        return self._view(upload)

    def finish(self, upload: str) -> DatasetView:
        """Put the chunks together and keep the table; finishing twice gives the same dataset.

        Raises:
            InputError: chunks are missing, or the hash is another: then the upload is over and begins anew.
        """
        found = self._or_finished(upload, lambda: self._locked(upload))
        assert isinstance(found, DatasetView)
        return found

    def _locked(self, upload: str) -> DatasetView:
        folder = self._folder(upload)
        try:
            with only_one(folder / "lock", patience=PATIENCE_SECONDS) as mine:
                if not mine:
                    raise InputError(
                        f"upload {upload!r} is being finished by somebody else",
                        code="input.upload_busy",
                        field="upload",
                        fix="call finish again in a while",
                    )
                return self._put_together(upload)
        finally:
            if not (folder / "upload.json").exists():  # the lock made the folder of an upload that had just ended anew
                shutil.rmtree(folder, ignore_errors=True)

    def _seen(self, upload: str, look: Callable[[], UploadView]) -> UploadView:
        found = self._or_finished(upload, look)
        return _whole(upload, found) if isinstance(found, DatasetView) else found

    def _or_finished(self, upload: str, work: Callable[[], T]) -> T | DatasetView:
        """What the work gives, or the dataset that the upload has become, by somebody who finished it meanwhile."""
        cause: Exception
        try:
            return work()
        except FileNotFoundError as error:
            cause = error
        except InputError as error:
            if error.code != UNKNOWN:
                raise
            cause = error
        known = self._finished(upload)
        if known is None:
            raise _unknown(upload) from cause
        return known

    def _put_together(self, upload: str) -> DatasetView:
        folder, record = self._folder(upload), self._record(upload)
        _complete(self._view(upload))

        def fill(file: Sink) -> None:
            for place in sorted(folder.glob("*.chunk")):
                file.write(place.read_bytes())

        try:
            found = self.store.keep(record["name"], fill, "upload", upload, record["sha256"])
        except InputError as error:
            if error.code == "input.upload_checksum":
                self._drop(folder)
            raise
        self._drop(folder)
        return found

    def _drop(self, folder: Path) -> None:
        """Forget an upload in one step."""
        gone = self.folder / f".gone-{uuid.uuid4().hex}"
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _finished(self, upload: str) -> DatasetView | None:
        """The dataset that this upload has become."""
        if not _ID.fullmatch(upload):
            return None
        found = (self.store.find(name) for name in self.store.names())
        return next((one for one in found if one and _id(one.name, one.bytes, one.sha256) == upload), None)

    def _folder(self, upload: str) -> Path:
        folder = self.folder / upload
        if not _ID.fullmatch(upload) or not (folder / "upload.json").is_file():
            raise _unknown(upload)
        return folder

    def _record(self, upload: str) -> dict[str, Any]:
        return dict(read_json(self._folder(upload) / "upload.json"))

    def _view(self, upload: str) -> UploadView:
        folder, record = self._folder(upload), self._record(upload)
        sizes = _sizes(folder)
        gaps = sorted(set(range(max(sizes, default=-1) + 1)) - set(sizes))
        return UploadView(
            upload=upload,
            name=record["name"],
            size=record["size"],
            received=sum(sizes.values()),
            chunks=len(sizes),
            missing=tuple(gaps[:SHOWN_GAPS]),
            largest_chunk=LARGEST_CHUNK,
        )

    def _make_room(self) -> None:
        """Forget uploads that nobody went on with for a week; refuse when too many are open."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # finished meanwhile
                if time.time() - path.stat().st_mtime > FORGOTTEN_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
        if len(list(self.folder.glob("*/upload.json"))) >= self.most:
            raise InputError(
                f"{self.most} uploads are open already",
                code="input.upload_too_many",
                fix="finish one of them, or raise dataset.uploads (NEUROLOOM_DATASET_UPLOADS)",
            )


def _id(name: str, size: int, sha256: str) -> str:
    return "u-" + hashlib.sha256(f"{name}\0{size}\0{sha256}".encode()).hexdigest()[:20]


def _unknown(upload: str) -> InputError:
    return InputError(
        f"no upload {upload[:80]!r}",
        code=UNKNOWN,
        field="upload",
        fix="begin it: name, size and SHA-256 give its id",
    )


def _whole(upload: str, found: DatasetView) -> UploadView:
    """The upload of a table that is here already: nothing is to be sent, and `finish` gives the dataset."""
    return UploadView(
        upload=upload,
        name=found.name,
        size=found.bytes,
        received=found.bytes,
        chunks=0,
        missing=(),
        largest_chunk=LARGEST_CHUNK,
    )


def _sizes(folder: Path) -> dict[int, int]:
    """Bytes per chunk that is here, by index."""
    return {int(path.stem): path.stat().st_size for path in folder.glob("*.chunk")}


def _decoded(text: str) -> bytes:
    if len(text) > LARGEST_CHUNK * 4 // 3 + 4:
        data = None
    else:
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            data = b""
    if not data:
        told = f"is longer than {LARGEST_CHUNK} bytes" if data is None else "is not base64, or empty"
        raise InputError(
            f"the chunk {told}",
            code="input.upload_chunk",
            field="data_base64",
            fix="send pieces of the file in base64 with padding, without line breaks",
        )
    return data


def _same(place: Path, data: bytes, index: int) -> None:
    if place.read_bytes() != data:
        raise InputError(
            f"chunk {index} came before with other bytes",
            code="input.upload_differs",
            field="index",
            fix="send each index once; to change the file, begin anew with its new hash",
        )


def _complete(view: UploadView) -> None:
    if view.missing or view.received < view.size:
        gaps = ", ".join(map(str, view.missing)) or f"those from {view.chunks} on"
        raise InputError(
            f"{view.received:,} of {view.size:,} bytes are here; missing chunks: {gaps}",
            code="input.upload_incomplete",
            field="upload",
            fix="send the missing chunks, then finish again",
        )
