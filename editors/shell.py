"""Which paths a shell command would remove, move or overwrite. A guard against accidents, not a sandbox.

It follows `cd`, variables of the line, wrappers such as `sudo` and `xargs`, and commands in commands: `bash -c`,
`$( )`, here-documents and pipes into a shell. What only the shell can know it leaves alone, unless that comes from
`neural`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from editors.expansion import MOST, NOWHERE, Said, Scope, Value, assigned, expand
from editors.tools import HARMFUL, HARMS, Touch, arguments
from editors.words import Simple, Word, commands
from editors.wrappers import unwrapped

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish", "su", "script", "runuser", "ash"})
INTERPRETERS = frozenset({"python", "pypy", "perl", "ruby", "node", "deno", "bun", "php", "ipython"})
KEYWORDS = frozenset({"then", "do", "else", "elif", "if", "while", "until", "!"})
DECLARES = frozenset({"export", "local", "declare", "readonly", "typeset"})
MENTION = re.compile(
    r"(?<![\w.-])neural(?:/+(?:[*?\[{.]|r-|latest|[\s'\");&|}]|$)|(?![\w./-]))|(?<![\w.-])r-\d{8}-\d{6}-", re.S
)
DEPTH = 4


def touched(command: str, scope: Scope, depth: int = 0) -> Iterator[Touch]:
    """What the command writes to, moves or removes; wild cards are left in.

    Args:
        command: One or several commands, as they are given to a shell.
        scope: Where it would run; what the line changes of it is changed.
        depth: How many shells stand around this one.

    Raises:
        ValueError: its quotes do not close.
    """
    if depth <= DEPTH:
        scope.line = scope.line or command
        line = _Line(command, scope, depth)
        for one in commands(command):
            yield from line.step(one)


class _Line:
    """A line while it is followed: `printed` is what the command before a pipe prints, `hints` what it is made of."""

    def __init__(self, command: str, scope: Scope, depth: int) -> None:
        self.command, self.scope, self.depth = command, scope, depth
        self.printed, self.hints = "", ""
        self.outer: list[Path] = []

    def step(self, one: Simple) -> Iterator[Touch]:
        """Follow one simple command."""
        self._between(one.before)
        for word in (*one.words, *one.writes, *one.given):
            for piece in word:
                if piece.kind == "command":
                    yield from self._deeper(piece.text)
        given = " ".join(said.text for word in one.given for said in expand(word, self.scope)) or self.printed
        for said in (said for word in one.writes for said in expand(word, self.scope)):
            yield from self._held(said.hints) if not said.text else [Touch(self.scope.path(said.text), False)]
        yield from self._does(self._said(one.words), given)

    def _between(self, before: str) -> None:
        for mark in before:
            if mark == "(":
                self.outer.append(self.scope.place)
            elif mark == ")" and self.outer:
                self.scope.place = self.outer.pop()
        if not before.startswith("|") or before.startswith("||"):
            self.printed, self.hints = "", ""

    def _deeper(self, code: str) -> Iterator[Touch]:
        place, found = self.scope.place, list[Touch]()
        try:
            found += touched(code, self.scope, self.depth + 1)
        except ValueError:
            found = []  # it is no shell's to run either
        self.scope.place = place
        return iter(found)

    def _said(self, words: list[Word]) -> list[Said]:
        """The words as the tool gets them; assignments and loops give their variables values."""
        while words and (_plain(words[0]) in KEYWORDS or assigned(words[0], self.scope)):
            words = words[1:]
        first = _plain(words[0]) if words else ""
        if first in DECLARES:
            for word in words[1:]:
                assigned(word, self.scope)
            return []
        if first in {"for", "select"} and len(words) > 3:
            told = [said for word in words[3:] for said in expand(word, self.scope)]
            hints = next((said.hints for said in told if said.hints), "")
            self.scope.values[_plain(words[1])] = Value(tuple(said.text for said in told if said.text)[:MOST], hints)
            return []
        if first in {"read", "mapfile", "readarray"}:
            self.scope.values.update({_plain(word): Value((), self.command) for word in words[1:]})
            return []
        return [] if first == "function" else [said for word in words for said in expand(word, self.scope)]

    def _does(self, said: list[Said], given: str) -> Iterator[Touch]:
        words, fed = unwrapped([one.text for one in said])
        before, self.printed = self.hints, ""
        self.hints += " " + " ".join(one.text or one.hints for one in said)
        if not words or not words[0]:
            return
        name, told = Path(words[0]).name, [word for word in words[1:] if word]
        if name in {"cd", "pushd"}:
            self._enter(words[1:])
            return
        if name == "set":
            self.scope.values["@"] = self.scope.values["*"] = Value(
                tuple(one for one in told if not one.startswith("-"))
            )
            return
        told += given.split() if fed else []
        code = self._code(name, told, "" if fed else given)
        yield from self._inner(name, code)
        yield from (Touch(self.scope.path(word), whole) for word, whole in arguments(name, told, self.scope))
        if name in HARMS or (fed and name in SHELLS and HARMFUL.search(code)):
            for hints in [*(one.hints for one in said if not one.text), *([before] if fed else [])]:
                yield from self._held(hints)
        if name in {"echo", "printf", "cat"}:
            self.printed = given if name == "cat" else " ".join(told).replace("\\n", "\n")

    def _enter(self, words: list[str]) -> None:
        plain = [word for word in words if not word.startswith("-")]
        target = plain[0] if plain else ("" if words else str(self.scope.home))
        unknown = words and not "".join(plain) and "-" not in words
        self.scope.place = NOWHERE if unknown else Path(os.path.normpath(self.scope.path(target)))

    def _code(self, name: str, words: list[str], given: str) -> str:
        """What a shell or an interpreter gets to run: after `-c` or `-e`, or on its standard input."""
        if name == "eval" or (name == "trap" and words):
            return " ".join(words) if name == "eval" else words[0]
        wanted = r"-[a-z]*c|--command" if name in SHELLS else r"-[a-zA-Z]*[cer]|--eval|eval"
        code = next((after for word, after in pairwise(words) if re.fullmatch(wanted, word)), None)
        if code is not None:
            return code
        return given if not [word for word in words if not word.startswith("-") or word == "/dev/stdin"] else ""

    def _inner(self, name: str, code: str) -> Iterator[Touch]:
        if name in SHELLS or name in {"eval", "trap"}:
            yield from self._deeper(code)
        elif code and name.rstrip("0123456789.") in INTERPRETERS:
            from editors.interpreters import code_touches  # here: few lines need its patterns

            yield from code_touches(code, self.scope, self._deeper)

    def _held(self, hints: str) -> Iterator[Touch]:
        """What is held where the unknown comes from."""
        scope = self.scope
        if MENTION.search(hints):
            yield Touch(scope.root / "neural", True)
        if str(scope.state) in hints or f"/{scope.state.name}" in hints:
            yield Touch(scope.state, True)
        if hints.strip() and scope.in_neural():
            yield Touch(scope.place, True)


def _plain(word: Word) -> str:
    return "".join(piece.text for piece in word)
