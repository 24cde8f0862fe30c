"""Requests that are carried out once: a client that was cut off says the same id again and finds the run it started.

The id and the run's are in one small file of the workspace, made before the run; nothing else is remembered.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from memory.errors import InputError
from memory.keys import new_run_id


def run_of(workspace: Path, request_id: str) -> str:
    """The run id that belongs to a request's id, made by the first who asks; two at once get the same.

    Raises:
        InputError: the workspace cannot be written.
    """
    folder = workspace / "neural" / "requests"
    place = folder / hashlib.sha256(request_id.encode()).hexdigest()[:32]
    fresh = new_run_id()
    mine = folder / f".{place.name}.{os.getpid()}.{fresh}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mine.write_text(fresh, encoding="ascii")
        try:
            os.link(mine, place)
        except FileExistsError:
            pass
        finally:
            mine.unlink()
        return place.read_text(encoding="ascii").strip()
    except OSError as error:
        raise InputError(
            f"the workspace {str(workspace)!r} cannot be written: {error.strerror or error}",
            code="input.workspace",
            field="workspace",
            fix="run in a folder of your own",
        ) from error
