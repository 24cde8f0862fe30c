"""Which paths a shell command would remove, move or overwrite. A guard against accidents, not a sandbox.

It reads the command as far as words, operators and redirections go, follows `cd`, `sudo`, `xargs` and `bash -c`, and
knows what the usual tools do to their arguments. What only the shell can know, such as variables, it leaves alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise, takewhile
from pathlib import Path
from typing import NamedTuple

OPERATORS = frozenset({"{", "}"})
WRITES = frozenset({">", ">>", ">|", "&>", "&>>", "<>", ">&"})
READS = frozenset({"<", "<<<", "<&"})
WRAPPERS = frozenset(
    {"sudo", "doas", "env", "command", "builtin", "exec", "nohup", "nice", "ionice", "time", "timeout", "xargs",
     "stdbuf", "setsid", "busybox", "then", "do", "else", "!", "if", "while"}
)  # fmt: skip
SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish"})
INTERPRETERS = frozenset({"python", "python3", "perl", "ruby", "node", "deno", "php"})
REMOVES = frozenset({"rm", "shred", "srm", "trash", "trash-put", "gio", "rename"})
CHANGES = frozenset({"rmdir", "unlink", "truncate", "tee", "chattr", "redis-cli", "touch", "ed", "ex", "patch"})
MODES = frozenset({"chmod", "chown", "chgrp"})
COPIES = frozenset({"cp", "install", "ln", "rsync", "scp"})
DESTROYS = re.compile(r"rmtree|remove|unlink|rename|replace|truncate|write|\bopen\b|mkdir|move|delete|rmSync|spew")
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
QUOTED = re.compile(r"""["'`]([^"'`\n]{1,4096})["'`]""")
HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1([^\n]*)\n(.*?)^\s*\2\s*$", re.S | re.M)
FILTERS = re.compile(r"-i?(name|path|wholename|regex|lname)|-newer.*|-size|-[acm]min|-[acm]time|-empty")
DEPTH = 4


class Touch(NamedTuple):
    """A path that a command changes; `whole`: with all that is below it."""

    path: Path
    whole: bool


def touched(command: str, place: Path, home: Path, depth: int = 0) -> Iterator[Touch]:
    """What the command writes to, moves or removes; wild cards are left in.

    Args:
        command: One or several commands, as they are given to a shell.
        place: Where it would run.
        home: The person's home folder, for `~` and `$HOME`.
        depth: How many shells stand around this one.

    Raises:
        ValueError: its quotes do not close.
    """
    for said in _commands(HEREDOC.sub(r"\3\n", command)):
        marked = list(_redirected(said))
        targets = [(word, False) for written, word in marked if written]
        words = _unwrapped([word for written, word in marked if not written])
        if words and words[0] in {"cd", "pushd"}:
            place = _path(words[1] if len(words) > 1 else "~", place, home)
        elif words:
            name = Path(words[0]).name
            yield from _inner(name, words[1:], place, home, depth)
            targets += _arguments(name, words[1:])
        for word, whole in targets:
            yield Touch(_path(word, place, home), whole)


def _commands(text: str) -> Iterator[list[str]]:
    """Words of each simple command."""
    reader = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="();<>|&\n")
    reader.whitespace, reader.commenters, reader.whitespace_split = " \t\r", "", True
    words: list[str] = []
    for word in reader:
        if word in OPERATORS or (word and set(word) <= set(";&|()\n")):
            yield words
            words = []
        else:
            words.append(word)
    yield words


def _redirected(words: list[str]) -> Iterator[tuple[bool, str]]:
    """Each word, and whether output goes to it; what is only read, and numbers of streams, are left out."""
    for at, word in enumerate(words):
        before, after = words[at - 1] if at else "", words[at + 1] if at + 1 < len(words) else ""
        if word in WRITES | READS or before in READS or (word.isdigit() and after in WRITES | READS):
            continue
        if before == ">&" and (word.isdigit() or word == "-"):
            continue
        yield before in WRITES, word


def _unwrapped(words: list[str]) -> list[str]:
    """The command without assignments and without what only runs another command."""
    at = 0
    while at < len(words):
        word = words[at]
        if Path(word).name in WRAPPERS or ASSIGNMENT.match(word):
            at += 1
        elif at and word.startswith("-"):
            at += 1 if "=" in word or len(word) > 2 or word in {"-0", "-r", "-E", "-n", "-i"} else 2
        elif at and re.fullmatch(r"[\d.]+[smh]?", word):
            at += 1  # the time of `timeout`
        else:
            break
    return words[at:]


def _inner(name: str, words: list[str], place: Path, home: Path, depth: int) -> Iterator[Touch]:
    """What a shell or an interpreter in the command would do."""
    if name == "eval" and depth < DEPTH:
        yield from touched(" ".join(words), place, home, depth + 1)
    code = next((after for word, after in pairwise(words) if re.fullmatch(r"-[a-z]*[ce]", word)), None)
    if code is None:
        return
    if name in SHELLS and depth < DEPTH:
        yield from touched(code, place, home, depth + 1)
    elif re.sub(r"[\d.]+$", "", name) in INTERPRETERS and DESTROYS.search(code):
        whole = re.search(r"rmtree|move|rename|rmSync|delete", code) is not None
        yield from (Touch(_path(word, place, home), whole) for word in QUOTED.findall(code))


def _arguments(name: str, words: list[str]) -> list[tuple[str, bool]]:
    """Arguments that the tool changes, and whether with all below them."""
    plain = [word for word in words if not word.startswith("-")]
    if name in REMOVES:
        return [(word, True) for word in plain]
    if name in CHANGES:
        return [(word, False) for word in plain]
    if name in MODES:
        return [(word, _has(words, "R", "--recursive")) for word in plain]
    if name in COPIES or name == "mv":
        return _copied(name, words, plain)
    if name == "dd":
        return [(word.removeprefix("of="), False) for word in words if word.startswith("of=")]
    if name in {"sed", "perl"} and _has(words, "i", "--in-place"):
        return [(word, False) for word in plain]
    return {"find": _found, "git": _of_git}.get(name, lambda _: [])(words)


def _has(words: list[str], letter: str, name: str) -> bool:
    return any(re.match(rf"-[a-zA-Z]*{letter}|{name}", word) for word in words)


def _copied(name: str, words: list[str], plain: list[str]) -> list[tuple[str, bool]]:
    """Where copies go, and what a move takes away."""
    named = [after for word, after in pairwise(words) if word in {"-t", "--target-directory"}]
    named += [word.partition("=")[2] for word in words if word.startswith("--target-directory=")]
    target = named or plain[-1:]
    emptied = name == "rsync" and any(word.startswith("--del") for word in words)
    moved = [(word, True) for word in plain if word not in target] if name == "mv" else []
    return [*moved, *((word, emptied) for word in target)]


def _found(words: list[str]) -> list[tuple[str, bool]]:
    """Places that `find` looks in, when it deletes or runs something that does."""
    places = list(takewhile(lambda word: not word.startswith(("-", "(", "!")), words))
    runs = [Path(after).name for word, after in pairwise(words) if word in {"-exec", "-execdir", "-ok", "-okdir"}]
    harmful = "-delete" in words or bool({*runs} & (REMOVES | CHANGES | MODES | SHELLS | {"mv"}))
    whole = not any(FILTERS.fullmatch(word) for word in words)
    return [(word, whole) for word in places or ["."]] if harmful else []


def _of_git(words: list[str]) -> list[tuple[str, bool]]:
    plain = [word for word in words if not word.startswith("-")]
    if plain[:1] == ["clean"] and not _has(words, "n", "--dry-run"):
        return [(word, True) for word in plain[1:] or ["."]]
    return [(word, True) for word in plain[1:]] if plain[:1] in (["rm"], ["mv"]) else []


def _path(word: str, place: Path, home: Path) -> Path:
    for said in ("${HOME}", "$HOME", "~"):
        if word == said or word.startswith(f"{said}/"):
            return home / word[len(said) :].lstrip("/")
    for said in ("${PWD}", "$PWD"):
        if word == said or word.startswith(f"{said}/"):
            return place / word[len(said) :].lstrip("/")
    return place / word
