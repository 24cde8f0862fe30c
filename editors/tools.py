"""What the usual tools do to their arguments: which they remove, move or overwrite, and whether with all below them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from itertools import pairwise, takewhile
from pathlib import Path
from typing import NamedTuple

from editors.expansion import Scope

REMOVES = frozenset({"rm", "shred", "srm", "trash", "trash-put", "gio", "rename", "rimraf", "del-cli", "wipe"})
CHANGES = frozenset(
    {"rmdir", "unlink", "truncate", "tee", "sponge", "chattr", "redis-cli", "touch", "ed", "ex", "patch"}
)
MODES = frozenset({"chmod", "chown", "chgrp"})
COPIES = frozenset({"cp", "install", "ln", "rsync", "scp"})
HARMS = REMOVES | MODES | {"mv", "rmdir", "unlink", "truncate", "tee"}
HARMFUL = re.compile(rf"(?<![\w.-])({'|'.join(sorted(HARMS))}|rmtree|remove)(?![\w.-])")
NAMES = frozenset({"-name", "-iname", "-path", "-wholename", "-ipath", "-regex"})
FILTERS = re.compile(r"-i?(regex|lname)|-newer.*|-size|-[acm]min|-[acm]time|-empty")
GIT_VALUED = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace"})
PASSING = frozenset({"", ".pyc", ".pyo", ".log", ".tmp", ".bak", ".swp", ".orig"})  # nothing that a run needs
HELD = re.compile(r"(?<![\w.-])neural(?![\w.-])")


class Touch(NamedTuple):
    """A path that a command changes; `whole`: with all that is below it."""

    path: Path
    whole: bool


def arguments(name: str, words: list[str], scope: Scope) -> list[tuple[str, bool]]:
    """Arguments that the tool changes, and whether with all below them."""
    plain = [word for word in words if not word.startswith("-")]
    if name in REMOVES | CHANGES:
        return [(word, name in REMOVES) for word in plain]
    if name in MODES:
        return [(word, _has(words, "R", "--recursive")) for word in plain]
    if name in COPIES or name == "mv":
        return _copied(name, words, plain)
    if name in {"sed", "perl", "dd"}:
        return _in_place(name, words, plain)
    if name in {"tar", "bsdtar", "unzip"}:
        return _unpacked(name, words)
    if name in {"find", "git"}:
        return _found(words, scope) if name == "find" else _of_git(words, scope)
    return []


def _has(words: list[str], letter: str, name: str) -> bool:
    return any(re.match(rf"-[a-zA-Z]*{letter}|{name}", word) for word in words)


def _in_place(name: str, words: list[str], plain: list[str]) -> list[tuple[str, bool]]:
    if name == "dd":
        return [(word.removeprefix("of="), False) for word in words if word.startswith("of=")]
    return [(word, False) for word in plain] if _has(words, "i", "--in-place") else []


def _copied(name: str, words: list[str], plain: list[str]) -> list[tuple[str, bool]]:
    """Where copies go, and what a move takes away."""
    named = [after for word, after in pairwise(words) if word in {"-t", "--target-directory"}]
    named += [word.partition("=")[2] for word in words if word.startswith("--target-directory=")]
    target = named or plain[-1:]
    emptied = name == "rsync" and any(word.startswith("--del") for word in words)
    moved = [(word, True) for word in plain if word not in target] if name == "mv" else []
    return [*moved, *((word, emptied) for word in target)]


def _unpacked(name: str, words: list[str]) -> list[tuple[str, bool]]:
    """Where an archive is unpacked."""
    if name != "unzip" and not ("x" in words[0].lstrip("-") if words else False) and "--extract" not in words:
        return []
    option = {"-d"} if name == "unzip" else {"-C", "--directory"}
    named = [after for word, after in pairwise(words) if word in option]
    named += [word.partition("=")[2] for word in words if word.startswith("--directory=")]
    return [(word, False) for word in named or ["."]]


def _found(words: list[str], scope: Scope) -> list[tuple[str, bool]]:
    """What `find` deletes, or gives to something that does."""
    starts = list(takewhile(lambda word: not word.startswith(("-", "(", "!")), words)) or ["."]
    at = next((at for at, word in enumerate(words) if word in {"-exec", "-execdir", "-ok", "-okdir"}), len(words))
    if "-delete" not in words and not HARMFUL.search(" ".join(words[at + 1 :])):
        return []
    narrows, spared = _filters(words[:at])
    if spared or "-prune" in words:
        return []
    plain_files = "-maxdepth" in words and any(pair == ("-type", "f") for pair in pairwise(words))
    whole = not narrows and not plain_files and not any(FILTERS.fullmatch(word) for word in words)
    return [(start, whole) for start in starts] + [
        one for start in starts for option, pattern in narrows for one in _matched(start, option, pattern, scope)
    ]


def _filters(words: list[str]) -> tuple[list[tuple[str, str]], bool]:
    """Names and paths that are wanted, and whether `neural` is among those that are not."""
    wanted, spared = list[tuple[str, str]](), False
    for at, (word, after) in enumerate(pairwise(words)):
        if word in NAMES and at and words[at - 1] in {"!", "-not"}:
            spared = spared or HELD.search(after) is not None
        elif word in NAMES:
            wanted.append((word, after))
    return wanted, spared


def _matched(start: str, option: str, pattern: str, scope: Scope) -> list[tuple[str, bool]]:
    """Where a pattern of `find` means `neural` or something in a run."""
    place, held = scope.path(start).resolve(), (scope.root / "neural").resolve()
    if option in {"-path", "-wholename", "-ipath"}:
        return [(pattern if pattern.startswith(("/", ".")) else pattern.lstrip("*/"), True)]
    if place.is_relative_to(held):
        return [(f"{start}/{between}{pattern}", True) for between in ("", "*/", "*/*/")]
    if not held.is_relative_to(place):
        return []
    if HELD.search(pattern) if option == "-regex" else fnmatchcase("neural", pattern):
        return [(str(held), True)]
    return [] if Path(pattern).suffix in PASSING else [(f"{held}/*/{between}{pattern}", True) for between in ("", "*/")]


def _of_git(words: list[str], scope: Scope) -> list[tuple[str, bool]]:
    place, at = ".", 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "-C" and at + 1 < len(words):
            place = f"{place}/{words[at + 1]}"
        at += 2 if words[at] in GIT_VALUED else 1
    verb, rest = (words[at : at + 1] or [""])[0], words[at + 1 :]
    return [(str(Path(place) / word), True) for word in _removed_by_git(verb, rest, scope)]


def _removed_by_git(verb: str, words: list[str], scope: Scope) -> list[str]:
    plain = [word for word in words if not word.startswith("-")]
    if verb == "clean":
        spared = [after for word, after in pairwise(words) if re.fullmatch(r"-[a-zA-Z]*e|--exclude", word)]
        spared += [word.partition("=")[2] for word in words if word.startswith("--exclude=")]
        dry = _has(words, "n", "--dry-run") or any(HELD.search(word) for word in spared)
        return [] if dry else [word for word in plain if word not in spared] or ["."]
    if verb == "stash":
        return ["."] if _stashes(plain, words, scope) else []
    if verb in {"checkout", "restore"}:
        return [word for word in plain if HELD.search(word)]
    if verb == "worktree" and plain[:1] == ["remove"]:
        return plain[1:]
    return plain if verb in {"rm", "mv"} else []


def _stashes(plain: list[str], words: list[str], scope: Scope) -> bool:
    """Whether files that git does not know are taken away too, the workspace's `neural` among them."""
    if plain[:1] not in ([], ["push"], ["save"]):
        return False
    if "-a" in words or "--all" in words:
        return True
    ignored = scope.root / ".gitignore"
    known = ignored.is_file() and HELD.search(ignored.read_text(encoding="utf-8", errors="replace")) is not None
    return ("-u" in words or "--include-untracked" in words) and not known
