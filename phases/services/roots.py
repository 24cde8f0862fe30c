"""Which files a chat may name: regular files inside the data roots, links resolved. It opens none of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from memory.errors import InputError
from phases.request import check_file
from phases.services.dataset_store import SUFFIXES

LONGEST_PATH = 4096


class Roots:
    """The folders that tables may be read from.

    Args:
        workspace: What a relative path starts from.
        folders: The roots; None = anywhere, as a person at the terminal may.
    """

    def __init__(self, workspace: Path, folders: Sequence[Path] | None) -> None:
        self.workspace = workspace
        self.folders = None if folders is None else tuple(Path(os.path.realpath(one)) for one in folders)

    def file(self, said: str, field: str = "path") -> Path:
        """The real path of a file that may be read.

        Raises:
            InputError: `input.outside_roots` (told before it is looked at), `input.not_a_table`, or no regular file.
        """
        if not said or "\0" in said or len(said) > LONGEST_PATH:
            raise InputError(
                f"{said[:80]!r} cannot be a path",
                code="input.missing_file",
                field=field,
                fix="give the path of a CSV, TSV, JSONL or Parquet file",
            )
        real = self._real(said, field)
        if self.folders is not None and not any(real.is_relative_to(root) for root in self.folders):
            roots = ", ".join(repr(str(root)) for root in self.folders)
            raise InputError(
                f"{said[:200]!r} is outside the folders that tables may be read from: {roots}",
                code="input.outside_roots",
                field=field,
                fix="name a file in one of them, upload it, or set privacy.roots (NEUROLOOM_PRIVACY_ROOTS)",
            )
        check_file(field, real)
        if self.folders is not None:
            self._check_kind(said, real, field)
        return real

    def _real(self, said: str, field: str) -> Path:
        """Where a path leads, links resolved.

        Raises:
            InputError: no such user, or a name that no file can have.
        """
        try:
            real = Path(os.path.realpath(self.workspace / Path(said).expanduser()))
            real.exists()
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{said[:200]!r} cannot be a path",
                code="input.missing_file",
                field=field,
                fix="give the path of a CSV, TSV, JSONL or Parquet file",
            ) from error
        return real

    def _check_kind(self, said: str, real: Path, field: str) -> None:
        """Refuse what is hidden or not named as a table: the first line of a table is told as its columns."""
        inside = next(real.relative_to(root) for root in self.folders or () if real.is_relative_to(root))
        if any(part.startswith(".") for part in inside.parts) or real.suffix.lower() not in SUFFIXES:
            raise InputError(
                f"{said[:200]!r} is not named as a table, or hidden",
                code="input.not_a_table",
                field=field,
                fix=f"give a file that ends in one of {', '.join(sorted(SUFFIXES))}",
            )
