"""Which files a chat may name: regular files inside the data roots, links resolved. It opens none of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from memory.errors import InputError
from phases.request import check_file

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
            InputError: `input.outside_roots` (told before it is looked at), or it is no regular file.
        """
        if not said or "\0" in said or len(said) > LONGEST_PATH:
            raise InputError(
                f"{said[:80]!r} cannot be a path",
                code="input.missing_file",
                field=field,
                fix="give the path of a CSV, TSV, JSONL or Parquet file",
            )
        real = Path(os.path.realpath(self.workspace / Path(said).expanduser()))
        if self.folders is not None and not any(real.is_relative_to(root) for root in self.folders):
            roots = ", ".join(repr(str(root)) for root in self.folders)
            raise InputError(
                f"{said[:200]!r} is outside the folders that tables may be read from: {roots}",
                code="input.outside_roots",
                field=field,
                fix="name a file in one of them, upload it, or set privacy.roots (NEUROLOOM_PRIVACY_ROOTS)",
            )
        check_file(field, real)
        return real
