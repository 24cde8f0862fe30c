"""A shell command in simple commands and words, with what the shell would still put in for variables and commands.

Bourne shells' grammar as far as words, quotes, redirections and here-documents go; it runs and expands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)(\w[\w.-]*)\1([^\n]*)\n(.*?)^[ \t]*\2[ \t]*$", re.S | re.M)
MOST_DOCUMENTS = 100
WRITES = frozenset({">", ">>", ">|", "&>", "&>>", "<>", ">&"})
READS = frozenset({"<", "<&"})
PIECE = re.compile(
    r"""(?P<space>(?:[ \t\r]|\\\r?\n)+)"""
    r"""|(?P<operator>&>>|&>|>>|>\||>&|<<<|<&|<>|[<>]|\|\||\|&|&&|;;|[;&|()\n])"""
    r"""|'(?P<single>[^']*)'|\$'(?P<ansi>(?:[^'\\]|\\.)*)'|\\(?P<escaped>.)"""
    r"""|(?P<opens>\$\(|`|\$\{)|\$?(?P<double>")|\$(?P<variable>\w+|[@*?#$!-])"""
    r"""|(?P<bare>[^\s\\'"`$<>|&;()]+|[^'"])""",
    re.S,
)
INNER = re.compile(
    r"""\\(?P<escaped>["\\$`\n])|(?P<opens>\$\(|`|\$\{)|\$(?P<variable>\w+|[@*?#$!-])|(?P<close>")"""
    r"""|(?P<bare>[^"\\$`]+|.)""",
    re.S,
)
NESTED = re.compile(r"""\\.|'[^']*'|"(?:[^"\\]|\\.)*"|[(){}]|[^\\'"(){}]+|.""", re.S)
BACKTICKS = re.compile(r"((?:[^`\\]|\\.)*)`", re.S)


class Piece(NamedTuple):
    """A stretch of a word: its text, a variable's name (with its operator), or a command whose output stands there."""

    kind: Literal["text", "variable", "command"]
    text: str
    quoted: bool = False


Word = tuple[Piece, ...]


class Simple:
    """One simple command: its words, where it writes, and the texts that it is given.

    `before` are the operators between it and the one before.
    """

    def __init__(self) -> None:
        self.before = ""
        self.words: list[Word] = []
        self.writes: list[Word] = []
        self.given: list[Word] = []


def commands(text: str) -> Iterator[Simple]:
    """The simple commands of a text, one by one; here-documents are given to them like here-strings.

    Raises:
        ValueError: a quote or a bracket does not close.
    """
    one, redirection = Simple(), ""
    plain = text.count("<<") > MOST_DOCUMENTS
    for token in _tokens(text if plain else HEREDOC.sub(_here_string, text)):
        if isinstance(token, str) and token not in WRITES | READS | {"<<<"}:
            if one.words or one.writes or one.given:
                yield one
                one = Simple()
            one.before += token
            redirection = ""
        elif isinstance(token, str):
            if one.words and redirection == "" and _text(one.words[-1]).isdigit():
                one.words.pop()
            redirection = token
        else:
            _place(one, token, redirection)
            redirection = ""
    yield one


def _place(one: Simple, word: Word, redirection: str) -> None:
    if redirection == "<<<":
        one.given.append(word)
    elif redirection in WRITES:
        if redirection != ">&" or not (_text(word).isdigit() or _text(word) == "-"):
            one.writes.append(word)
    elif not redirection:
        one.words.append(word)


def _text(word: Word) -> str:
    return "".join(piece.text for piece in word)


def _here_string(found: re.Match[str]) -> str:
    quote, _, rest, body = found.groups()
    said = "'" + body.replace("'", "'\\''") + "'" if quote else '"' + body.replace('"', '\\"') + '"'
    return f"<<<{said} {rest}\n"


def _tokens(text: str) -> Iterator[str | Word]:
    """Operators as text, words as their pieces; `{` and `}` alone are operators."""
    at, pieces = 0, list[Piece]()
    while at <= len(text):
        found = PIECE.match(text, at)
        if found is None and at < len(text):
            raise ValueError(f"a quote at character {at} does not close")
        ends = found is None or found.lastgroup in {"space", "operator"}
        if ends and pieces:
            yield _text(tuple(pieces)) if pieces in ([Piece("text", "{")], [Piece("text", "}")]) else tuple(pieces)
            pieces = []
        if found is None:
            return
        if not pieces and found[0].startswith("#"):
            at = (text + "\n").find("\n", at)
            continue
        if found.lastgroup == "operator":
            yield found[0]
        at = found.end() if ends else _piece(text, found, pieces)


def _piece(text: str, found: re.Match[str], pieces: list[Piece]) -> int:
    """Add what begins here to the word and return where it ends."""
    kind, said = str(found.lastgroup), str(found[str(found.lastgroup)])
    if kind == "double":
        return _double(text, found.end(), pieces)
    if kind == "opens":
        return _opened(text, found, pieces, False)
    if kind == "variable":
        pieces.append(Piece("variable", said))
    elif kind == "bare" and pieces and pieces[-1][::2] == ("text", False):
        pieces[-1] = Piece("text", pieces[-1].text + said)
    else:
        pieces.append(Piece("text", said, kind != "bare"))
    return found.end()


def _double(text: str, at: int, pieces: list[Piece]) -> int:
    pieces.append(Piece("text", "", True))
    while found := INNER.match(text, at):
        kind = str(found.lastgroup)
        if kind == "close":
            return found.end()
        if kind == "opens":
            at = _opened(text, found, pieces, True)
            continue
        pieces.append(Piece("variable" if kind == "variable" else "text", str(found[kind]), True))
        at = found.end()
    raise ValueError("a quote does not close")


def _opened(text: str, found: re.Match[str], pieces: list[Piece], quoted: bool) -> int:
    """What stands in `$( )`, backticks or `${ }`."""
    opening, at = found["opens"], found.end()
    if opening == "`":
        inner = BACKTICKS.match(text, at)
        if inner is None:
            raise ValueError("a backtick does not close")
        pieces.append(Piece("command", re.sub(r"\\(.)", r"\1", inner[1]), quoted))
        return inner.end()
    end = _closing(text, at, ")" if opening == "$(" else "}")
    pieces.append(Piece("command" if opening == "$(" else "variable", text[at:end], quoted))
    return end + 1


def _closing(text: str, at: int, closer: str) -> int:
    level = 1
    for found in NESTED.finditer(text, at):
        if found[0] == {")": "(", "}": "{"}[closer]:
            level += 1
        elif found[0] == closer:
            level -= 1
        if level == 0:
            return found.start()
    raise ValueError(f"a {closer} is missing")
