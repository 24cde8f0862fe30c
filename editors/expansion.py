"""What a shell would make of a word, as far as the line itself tells: variables, `$(pwd)`, braces, `~`.

What it cannot know it says: such a word has no text, only hints of where its value comes from. It runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from editors.words import Piece, Word, commands

MOST, MOST_PIECES, MOST_TEXT = 512, 1000, 100_000
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=")
PARAMETER = re.compile(r"(\w+|[@*])(?::?([-=?+])(.*))?", re.S)
BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
UNKNOWN = "\ue003"
PROTECTED = str.maketrans("{,}~", "\ue000\ue001\ue002\ue004")
RESTORED = str.maketrans("\ue000\ue001\ue002\ue004", "{,}~")
NOWHERE = Path("/_/_/_/_")
PROJECT = frozenset({"CLAUDE_PROJECT_DIR", "CURSOR_PROJECT_DIR", "VSCODE_CWD", "GITHUB_WORKSPACE", "INIT_CWD"})


class Said(NamedTuple):
    """A word as a tool gets it; without text where it is not known, and then with hints of what it comes from."""

    text: str
    hints: str = ""


class Value(NamedTuple):
    """What may stand in a variable; nothing where it is not known."""

    texts: tuple[str, ...] = ()
    hints: str = ""


class Scope:
    """Where a command runs: folder, home, the workspace's folder, the state folder, and variables of the line.

    Where the folder is not known, it is `NOWHERE`, and only a path that begins with `neural` is one of the workspace.
    """

    def __init__(self, place: Path, home: Path, root: Path, state: Path) -> None:
        self.place, self.home, self.root, self.state = place, home, root, state
        self.values: dict[str, Value] = {}
        self.line = ""

    def path(self, text: str) -> Path:
        """The path that a word means."""
        nowhere = self.place == NOWHERE and re.match(r"(\./+)*neural(/|$)", text)
        return (self.root if nowhere else self.place) / text

    def in_neural(self) -> bool:
        """Whether the folder is the workspace's `neural` or below it."""
        return "neural" in self.place.parts[len(self.root.parts) :]


def expand(word: Word, scope: Scope) -> list[Said]:
    """The words that the shell makes of one word; wild cards stay."""
    texts, hints = [""], ""
    for piece in word[:MOST_PIECES]:
        value = _value(piece, scope)
        hints = hints or value.hints
        found = _split(piece, value, len(word) > 1)
        if not value.texts:
            found = ["*" if "neural" in texts[0] or (texts[0] and scope.in_neural()) else UNKNOWN]
        texts = [(text + one)[:MOST_TEXT] for text in texts for one in found][:MOST]
    return [_said(one, hints, scope) for text in texts for one in _braced(text)][:MOST] or [Said("", hints)]


def assigned(word: Word, scope: Scope) -> bool:
    """Whether the word is an assignment, which is then kept."""
    found = ASSIGNMENT.match(word[0].text) if word[0].kind == "text" and not word[0].quoted else None
    if found is None:
        return False
    rest = (Piece("text", word[0].text[found.end() :]), *word[1:])
    told = expand(rest, scope)
    texts = tuple(one.text for one in told if one.text)
    scope.values[found[1]] = Value(texts, told[0].hints)
    return True


def _split(piece: Piece, value: Value, joined: bool) -> list[str]:
    if piece.kind == "text":
        return [value.texts[0]]
    texts = [text.translate(PROTECTED) for text in value.texts]
    return texts if piece.quoted or joined else [one for text in texts for one in text.split()]


def _value(piece: Piece, scope: Scope) -> Value:
    if piece.kind == "text":
        return Value((piece.text.translate(PROTECTED) if piece.quoted else piece.text,))
    return _variable(piece.text, scope) if piece.kind == "variable" else _output(piece.text, scope)


def _variable(said: str, scope: Scope) -> Value:
    found = PARAMETER.fullmatch(said)
    if found is None:
        return Value((), scope.line)
    name, how, other = found.groups()
    known = {"HOME": scope.home, "PWD": scope.place, "OLDPWD": scope.root, **dict.fromkeys(PROJECT, scope.root)}
    if name in scope.values:
        return scope.values[name]
    if name in known:
        return Value((str(known[name]),))
    if how in {"-", "="} and other:
        return Value((other,))
    return Value((), scope.line if name.isdigit() or name in "@*" else "")


def _output(code: str, scope: Scope) -> Value:
    """What a command in `$( )` prints, for the few whose output is plain."""
    try:
        said = [one.text for word in next(commands(code)).words for one in expand(word, scope)]
    except ValueError:
        said = []
    name, plain = (said or [""])[0], [word for word in said[1:] if not word.startswith("-")]
    last = plain[-1] if plain else ""
    place = str(scope.place)
    known = {
        "pwd": place,
        "echo": " ".join(plain),
        "printf": plain[-1] if plain else "",
        "realpath": last,
        "readlink": last,
        "basename": Path(last).name,
        "dirname": str(Path(last).parent),
        "mktemp": "/tmp/mktemp",  # noqa: S108 - stands for a path that is nobody's
    }
    if name == "ls" and not re.search(r"[|;&\n]", code):
        return Value(_listed(said[1:], last, place))
    if said[:2] == ["git", "rev-parse"]:
        return Value((str(scope.root),))
    simple = not re.search(r"[|;&\n]", code)
    return Value((known[name],)) if simple and known.get(name) else Value((), code)


def _listed(words: list[str], last: str, place: str) -> tuple[str, ...]:
    """What `ls` prints: what it was given, or names in the folder that it was given."""
    if "*" in last or any(word.startswith("-") and "d" in word for word in words):
        return tuple(word for word in words if not word.startswith("-"))
    return (f"{last or place}/*", "*") if "neural" in last else (f"{last or place}/*",)


def _braced(text: str) -> Iterator[str]:
    """Every word of `{a,b}`."""
    waiting = [text]
    for _ in range(MOST):
        if not waiting:
            return
        one = waiting.pop(0)
        found = BRACES.search(one)
        if found is None:
            yield one
            continue
        waiting += [one[: found.start()] + choice + one[found.end() :] for choice in found[1].split(",")]


def _said(text: str, hints: str, scope: Scope) -> Said:
    if text == "~" or text.startswith("~/"):
        text = str(scope.home) + text[1:]
    text = text.translate(RESTORED)
    if text.startswith(UNKNOWN):
        rest = text[1:]
        if rest == "/neural" or rest.startswith("/neural/"):
            return Said(str(scope.root) + rest.replace(UNKNOWN, "_"))
        return Said("", hints)
    return Said(text.replace(UNKNOWN, "_").replace("\0", ""))
