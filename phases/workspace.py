"""The run's folder: atomic JSON, the verbatim training code, hashes, and the links of a published attempt.

It writes inside `neural/<run_id>/` only; the person's own files beside it are never touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from importlib import resources
from pathlib import Path
from typing import Any

TRAINING_PARTS = ("data", "models", "training", "evaluation", "export")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all (temporary file, fsync, rename).

    Raises:
        OSError: the disk is full or the folder is not writable; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def write_json(path: Path, value: Any, indent: int | None = 2) -> None:
    """Write JSON whole or not at all, readable by people unless `indent` is None (that is ten times faster)."""
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Parse a JSON file of this run."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_package(package: str, target: Path) -> None:
    """Copy a package's source files verbatim (no caches), replacing what was there."""
    source = Path(str(resources.files(package)))
    fresh = target.with_name(f".{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(source, fresh, ignore=shutil.ignore_patterns("__pycache__", "py.typed"))
    shutil.rmtree(target, ignore_errors=True)
    fresh.replace(target)


def copy_training_code(target: Path) -> None:
    """The training code as the package `training_code`, importable without Neuroloom."""
    target.mkdir(parents=True, exist_ok=True)
    write_text(target / "__init__.py", '"""Verbatim copy of the code this model was trained with."""\n')
    for part in TRAINING_PARTS:
        copy_package(f"gpu_jobs.{part}", target / part)


def seal(folder: Path) -> dict[str, str]:
    """Make an attempt's files read-only and return their SHA-256 by path relative to the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
            found[str(path.relative_to(folder))] = sha256(path)
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return found


def link(root: Path, name: str, target: str) -> None:
    """Point `root/name` at `target` (relative to root) in one step, replacing an older link.

    Raises:
        FileExistsError: a real file of that name is there; it is left alone.
    """
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists() and not place.is_symlink():
        raise FileExistsError(f"{str(place)!r} exists and is not a link of ours")
    fresh = place.with_name(f".{place.name}.{os.getpid()}.link")  # its own: two commands may move `latest` at once
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(root / target, place.parent))
    fresh.replace(place)


def point_latest(workspace: Path, run_id: str) -> None:
    """Make `neural/latest` lead to this run."""
    link(workspace / "neural", "latest", run_id)
