"""What a path with wild cards can reach of runs and the state folder; nothing else on the disk is looked at."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from phases.identity import RUN_ID

SECONDS = 0.1
MOST_ENTRIES = 5000
MARKS = frozenset("*?[")


def is_wild(part: str) -> bool:
    """Whether a part of a path has wild cards."""
    return not MARKS.isdisjoint(part)


def reached(pattern: Path, root: Path, state: Path) -> Iterator[Path]:
    """Paths of runs, of the state folder and above them that the pattern fits now; it ends after a tenth of a second.

    Args:
        pattern: An absolute path with wild cards.
        root: The workspace.
        state: The state folder.
    """
    parts = Path(os.path.normpath(pattern)).parts
    first = next((at for at, part in enumerate(parts) if is_wild(part)), len(parts))
    base, rest, until = Path(*parts[:first]), parts[first:], time.monotonic() + SECONDS
    for place in dict.fromkeys((base, base.resolve())):
        for held in _held(place, root, state):
            yield from _toward(place, rest, held, until)
    for entry in _entries(base):
        if entry.is_symlink() and rest and fnmatchcase(entry.name, rest[0]):
            yield Path(entry.path).resolve().joinpath(*rest[1:])


def _held(place: Path, root: Path, state: Path) -> Iterator[Path]:
    folders = [root / "neural", root.resolve() / "neural", place / "neural"]
    folders += [place] if place.name == "neural" else []
    for folder in dict.fromkeys(folders):
        yield from (Path(one.path) for one in _entries(folder) if RUN_ID.fullmatch(one.name) or one.name == "latest")
    if state.exists():
        yield from dict.fromkeys((state, state.resolve()))


def _toward(place: Path, rest: tuple[str, ...], held: Path, until: float) -> Iterator[Path]:
    """How far the pattern goes towards, or into, what is held."""
    if not held.is_relative_to(place):
        return
    tail = held.relative_to(place).parts
    if all(fnmatchcase(name, part) for name, part in zip(tail, rest, strict=False)):
        if len(rest) <= len(tail):
            yield place.joinpath(*tail[: len(rest)])
        else:
            yield from _inside(held, rest[len(tail) :], until)


def _inside(folder: Path, rest: tuple[str, ...], until: float) -> Iterator[Path]:
    """What the rest of the pattern fits in a folder; where there is no time to look, it is taken to fit."""
    if time.monotonic() > until:
        yield folder.joinpath(*rest)
        return
    for entry in _entries(folder):
        if fnmatchcase(entry.name, rest[0]):
            if len(rest) == 1:
                yield Path(entry.path)
            elif entry.is_dir():
                yield from _inside(Path(entry.path), rest[1:], until)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(islice(found, MOST_ENTRIES))
    except OSError:
        return []
