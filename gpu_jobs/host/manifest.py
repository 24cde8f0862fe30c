"""`python -P -m gpu_jobs.host.manifest ROOT`: which files a sandbox holds, each with its SHA-256.

`{"remove": [path, ...], "job": id}` on standard input: those files are removed first; of the jobs' records only that
job's is listed. What jobs run with (claims, host, processes) is never listed. It follows no links.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from gpu_jobs.host.files import read_json, write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

Entry = tuple[str, int, int]
OWN = frozenset({"jobs", "processes"})
RECORD = ("events.jsonl", "log", "result.json", "exit", "job.json")
CACHE = Path("jobs", "manifest.json")


def scan(root: Path, known: Mapping[str, Any]) -> dict[str, Entry]:
    """Every regular file outside the jobs' records: SHA-256, size and time of its last change.

    Args:
        root: The sandbox's root.
        known: An earlier result; a file of the same size and time is not read again.
    """
    found = {}
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        try:
            found[name] = _entry(path, known.get(name))
        except FileNotFoundError:
            continue  # removed since it was listed
    return found


def record(root: Path, job: str) -> dict[str, Entry]:
    """The files of a job's record that are kept elsewhere too."""
    paths = [root / "jobs" / job / name for name in RECORD]
    return {path.relative_to(root).as_posix(): _entry(path, None) for path in paths if path.is_file()}


def inside(root: Path, name: str) -> Path:
    """The file of that name, which must lie in the root.

    Raises:
        ValueError: It leads out of it, also through a link.
    """
    path = root / name
    if not path.parent.resolve().is_relative_to(root.resolve()) or ".." in path.parts:
        raise ValueError(f"{name!r} leads out of the sandbox")
    return path


def _files(root: Path) -> Iterator[Path]:
    for folder, inner, names in os.walk(root):
        here = Path(folder)
        inner[:] = [name for name in inner if not _unfinished(name) and not (here == root and name in OWN)]
        paths = [here / name for name in names if not _unfinished(name)]
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _unfinished(name: str) -> bool:
    """Whether somebody still writes it: what is whole is renamed."""
    return name.startswith(".") and name.endswith(".new")


def _entry(path: Path, known: Any) -> Entry:
    seen = path.stat()
    if known and tuple(known[1:]) == (seen.st_size, seen.st_mtime_ns):
        return (str(known[0]), seen.st_size, seen.st_mtime_ns)
    with path.open("rb") as file:
        return (hashlib.file_digest(file, "sha256").hexdigest(), seen.st_size, seen.st_mtime_ns)


def main(root: Path, asked: Mapping[str, Any]) -> dict[str, str]:
    """Remove, then list: path to SHA-256."""
    for name in asked.get("remove", ()):
        inside(root, name).unlink(missing_ok=True)
    found = scan(root, read_json(root / CACHE) or {})
    (root / CACHE).parent.mkdir(exist_ok=True)
    write_json(root / CACHE, found)
    if asked.get("job"):
        found |= record(root, asked["job"])
    return {name: entry[0] for name, entry in found.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), json.loads(sys.stdin.read()))))
