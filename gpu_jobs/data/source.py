"""Opens a data file: refuses what is no table, unpacks gzip, hashes, and tells the format. It parses nothing."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DataError, nearest

_FORMATS = "CSV, TSV, JSONL or Parquet, each also gzipped (.gz)"
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"\x7fELF": "a program",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"SQLite format 3": "a SQLite database",
    b"RIFF": "a sound or video file",
}
_BOMS = (b"\xff\xfe", b"\xfe\xff")
_SAMPLE = 65_536


@dataclass(frozen=True)
class Source:
    """The bytes of one data file and what is known before parsing.

    Attributes:
        path: Absolute path as given.
        content: The bytes, unpacked.
        kind: ``delimited``, ``jsonl`` or ``parquet``.
        compression: ``gz`` or None.
        facts: ``path``, ``bytes``, ``sha256`` and ``mtime_ns`` of the file on disk.
    """

    path: Path
    content: bytes
    kind: str
    compression: str | None
    facts: dict[str, Any]


def open_source(path: Path) -> Source:
    """Reads a file whole.

    Raises:
        DataError: `input.missing_file`, `input.directory`, `input.unreadable`, `input.changing`, `input.empty`,
            `input.binary`.
    """
    packed, mtime = _read(path)
    facts = {
        "path": str(path),
        "bytes": len(packed),
        "sha256": hashlib.sha256(packed).hexdigest(),
        "mtime_ns": mtime,
    }
    compression = "gz" if packed[:2] == b"\x1f\x8b" else None
    content = _unpack(path, packed) if compression else packed
    if not content.strip():
        raise DataError(f"{path.name!r} is empty", "input.empty", fix="give a file with a header and rows")
    return Source(path, content, _kind(path, content), compression, facts)


def _read(path: Path) -> tuple[bytes, int]:
    try:
        if path.is_dir():
            raise DataError(f"{path.name!r} is a directory", "input.directory", fix=f"name one file in it: {_FORMATS}")
        with path.open("rb") as file:
            before, packed, after = os.fstat(file.fileno()), file.read(), os.fstat(file.fileno())
    except FileNotFoundError:
        raise _missing(path) from None
    except NotADirectoryError:
        raise _missing(path) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise DataError(
            f"{path.name!r} cannot be read: {why}", "input.unreadable", fix=f"check its permissions: ls -l {path}"
        ) from None
    if stat.S_ISREG(before.st_mode) and (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        told = f"{path.name!r} was written to while it was read"
        raise DataError(told, "input.changing", fix="wait until it is whole, then resume the run")
    return packed, before.st_mtime_ns


def _missing(path: Path) -> DataError:
    try:
        near = nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        near = []
    hint = f"there are {', '.join(map(repr, near))} in {str(path.parent)!r}" if near else "check the path"
    return DataError(f"there is no file {str(path)!r}", "input.missing_file", fix=hint)


def _unpack(path: Path, packed: bytes) -> bytes:
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path.name!r} is a damaged gzip file: {error}", "input.unreadable", fix="copy or download it again"
        ) from None


def _kind(path: Path, content: bytes) -> str:
    if content[:4] == b"PAR1":
        return "parquet"
    _refuse_binary(path, content)
    names = [suffix.lower() for suffix in path.suffixes]
    first = content[:_SAMPLE].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"{" or (first == b"[" and {".json", ".jsonl", ".ndjson"} & set(names)):
        return "jsonl"
    return "delimited"


def _refuse_binary(path: Path, content: bytes) -> None:
    head = content[:_SAMPLE]
    what = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
    if what is None and not head.startswith(_BOMS):
        control = sum(head.count(bytes([byte])) for byte in (*range(1, 9), *range(14, 27)))
        if b"\0" in content or control > len(head) // 100:
            what = "binary"
    if what is not None:
        raise DataError(f"{path.name!r} is {what}, not a table", "input.binary", fix=f"save it as {_FORMATS}")
