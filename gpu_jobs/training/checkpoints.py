"""Checkpoint files: written atomically, checked by SHA-256 when read, the newest sound one found, old removed.

A checkpoint is `<name>.safetensors[.zst]` plus `<name>.json`; the JSON is written last and is the commit
mark. What is inside is the loop's affair.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from .errors import TrainingError

KEEP = 3
"""Newest checkpoints kept, besides the one of the best epoch."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read back and found sound."""

    name: str
    tensors: dict[str, Tensor]
    scalars: dict[str, Any]
    sha256: str


class CheckpointFolder:
    """The checkpoints of one attempt.

    Args:
        folder: where they lie; made when absent.
        recipe: hash of what they belong to; others are skipped.
        compress: zstd-compress the tensors; raises `TrainingError` when `zstandard` is not installed.
        report: called as report(name, why) for each checkpoint that is skipped.
    """

    def __init__(
        self,
        folder: Path,
        recipe: str,
        *,
        compress: bool = False,
        report: Callable[[str, str], None] | None = None,
    ) -> None:
        self.folder = folder
        self.recipe = recipe
        self.report = report
        self.records: list[dict[str, Any]] = []
        self._zstd = _zstandard() if compress else None
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*.partial"):
            leftover.unlink(missing_ok=True)

    def save(self, tensors: dict[str, Tensor], scalars: dict[str, Any], why: str) -> dict[str, Any]:
        """Write one checkpoint and remove old ones; returns its record.

        `scalars` must hold "epoch" and "step". The record holds epoch, step, why, path, sha256, bytes.
        Raises OSError when the disk is full; nothing half-written is left.
        """
        name = f"epoch-{scalars['epoch']:05d}-{scalars['step']:06d}-{why}"
        body = save({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
        suffix = ".safetensors"
        if self._zstd is not None:
            body, suffix = self._zstd.ZstdCompressor(level=3).compress(body), ".safetensors.zst"
        document = {
            "recipe": self.recipe,
            "why": why,
            "tensors": f"{name}{suffix}",
            "sha256": hashlib.sha256(body).hexdigest(),
            "scalars": scalars,
        }
        write_atomically(self.folder / f"{name}{suffix}", body)
        write_atomically(self.folder / f"{name}.json", _sealed(document))
        record = {
            "epoch": scalars["epoch"],
            "step": scalars["step"],
            "why": why,
            "path": f"{self.folder.name}/{name}{suffix}",
            "sha256": document["sha256"],
            "bytes": len(body),
        }
        self.records.append(record)
        self._prune(scalars.get("best_epoch"))
        return record

    def names(self) -> list[str]:
        """Names of the committed checkpoints, oldest first: by epoch and step, then by time of writing."""
        marks = [(path.stem.split("-")[1:3], path.stat().st_mtime_ns, path.stem) for path in self._marks()]
        return [name for _, _, name in sorted(marks)]

    def newest(self) -> Checkpoint | None:
        """The newest sound checkpoint of this recipe; damaged and foreign ones are reported."""
        for name in reversed(self.names()):
            try:
                return self.load(name)
            except TrainingError as error:
                if self.report is not None:
                    self.report(name, error.message)
        return None

    def load(self, name: str) -> Checkpoint:
        """Read and check one checkpoint; raises `TrainingError` when it is damaged or of another recipe."""
        try:
            document = _unsealed((self.folder / f"{name}.json").read_bytes())
            path = self.folder / str(document["tensors"])
            body = path.read_bytes()
        except (OSError, ValueError, KeyError) as error:
            raise _damaged(name, f"unreadable ({error})") from error
        if document["recipe"] != self.recipe:
            raise _damaged(name, "it belongs to another architecture, setting or dataset")
        if hashlib.sha256(body).hexdigest() != document["sha256"]:
            raise _damaged(name, "its checksum does not match")
        try:
            tensors = load(_zstandard().ZstdDecompressor().decompress(body) if path.suffix == ".zst" else body)
        except SafetensorError as error:
            raise _damaged(name, f"no tensors inside ({error})") from error
        return Checkpoint(name, tensors, document["scalars"], document["sha256"])

    def kept(self) -> list[dict[str, Any]]:
        """The records of this process's checkpoints that still exist."""
        return [entry for entry in self.records if (self.folder.parent / entry["path"]).exists()]

    def _marks(self) -> list[Path]:
        return [path for path in self.folder.glob("epoch-*.json") if len(path.stem.split("-")) >= 4]

    def _prune(self, best_epoch: int | None) -> None:
        names = self.names()
        for name in names[:-KEEP]:
            epoch, step, why = name.split("-")[1:4]
            if (int(epoch), int(step), why) != (best_epoch, 0, "best"):
                (self.folder / f"{name}.json").unlink(missing_ok=True)
                for path in self.folder.glob(f"{name}.safetensors*"):
                    path.unlink(missing_ok=True)


def write_atomically(path: Path, body: bytes) -> None:
    """Replace `path` by `body` through a temporary file, fsync and rename; leaves no partial file behind."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _sealed(document: dict[str, Any]) -> bytes:
    """The document as JSON with a checksum of itself."""
    text = json.dumps(document, sort_keys=True)
    return json.dumps(
        {"seal": hashlib.sha256(text.encode()).hexdigest(), "document": document}, sort_keys=True
    ).encode()


def _unsealed(body: bytes) -> dict[str, Any]:
    envelope = json.loads(body)
    document: dict[str, Any] = envelope["document"]
    text = json.dumps(document, sort_keys=True)
    if hashlib.sha256(text.encode()).hexdigest() != envelope["seal"]:
        raise ValueError("the checksum of its scalars does not match")
    return document


def _damaged(name: str, why: str) -> TrainingError:
    return TrainingError(
        f"checkpoint {name!r} is not used: {why}", code="training.checkpoint", fix="the one before is used"
    )


def _zstandard() -> Any:
    try:
        return importlib.import_module("zstandard")
    except ImportError as error:
        raise TrainingError(
            "compressed checkpoints need the package 'zstandard'",
            code="training.checkpoint",
            field="compress_checkpoints",
            fix="pip install 'neuroloom[zstd]', or set compress_checkpoints to false",
        ) from error
