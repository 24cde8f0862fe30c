"""Commands that run another command, with their options: what remains is the command that does something."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
VALUED = {  # options that take the next word
    "sudo": "-u -g -h -p -C -r -t -T -U -D -R --user --group --host --prompt --chdir",
    "doas": "-u -C",
    "env": "-u -C --unset --chdir",
    "exec": "-a",
    "nice": "-n --adjustment",
    "ionice": "-c -n -p --class --classdata",
    "time": "-f -o --format --output",
    "timeout": "-k -s --kill-after --signal",
    "xargs": "-I -n -P -L -d -a -E -s --max-args --max-procs --replace --delimiter --arg-file",
    "parallel": "-j -n -a --jobs",
    "stdbuf": "-i -o -e --input --output --error",
    "flock": "-w -E --timeout --conflict-exit-code",
    "npx": "-p --package",
    "uv": "--with --python -p --project --directory --extra --group --env-file",
    "conda": "-n -p --name --prefix",
    "watch": "-n --interval",
    "strace": "-o -e -p -s",
    "runuser": "-u -g",
    "chroot": "",
    "taskset": "",
    **dict.fromkeys(["command", "builtin", "nohup", "setsid", "busybox", "chronic", "unbuffer", "ssh-agent"], ""),
    **dict.fromkeys(["bunx", "pnpx", "poetry", "pipenv", "pdm", "hatch", "npm", "pnpm", "yarn", "bun"], ""),
    **dict.fromkeys(["nocorrect", "noglob", "coproc", "then", "do", "else", "elif", "if", "while", "until", "!"], ""),
}
PLACES = {"timeout": 1, "flock": 1, "chroot": 1, "taskset": 1}  # words before the command
VERBS = {
    "uv": {"run"}, "poetry": {"run"}, "pipenv": {"run"}, "pdm": {"run"}, "hatch": {"run"}, "conda": {"run"},
    "npm": {"exec", "x"}, "pnpm": {"exec", "dlx"}, "yarn": {"exec", "dlx"}, "bun": {"x"},
}  # fmt: skip
WHOLE_LINES = frozenset({"watch", "parallel"})  # they give a word to a shell
FEEDING = frozenset({"xargs", "parallel"})


class Unwrapped(NamedTuple):
    """The command that does something; `fed`: it gets more arguments from its standard input."""

    words: list[str]
    fed: bool


def unwrapped(words: list[str]) -> Unwrapped:
    """The command without what only runs it."""
    at, fed = 0, False
    while at < len(words):
        name = Path(words[at]).name
        if ASSIGNMENT.match(words[at]):
            at += 1
        elif name not in VALUED or (name in VERBS and not VERBS[name] & set(words[at + 1 : at + 2])):
            break
        elif name == "flock" and "-c" in words[at:]:
            return Unwrapped(["sh", *words[words.index("-c", at) :]], fed)
        else:
            fed = fed or name in FEEDING
            at = _behind(words, at + 1 + (name in VERBS), name)
    if " " in "".join(words[at : at + 1]) and WHOLE_LINES & set(words[:at]):
        return Unwrapped(["sh", "-c", words[at]], fed)
    return Unwrapped(words[at:], fed)


def _behind(words: list[str], at: int, name: str) -> int:
    """Where the command begins, behind the options of a wrapper."""
    valued = VALUED[name].split()
    if name == "command" and words[at : at + 1] in (["-v"], ["-V"]):
        return len(words)
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "--":
            at += 1
            break
        at += 2 if words[at] in valued else 1
    return at + PLACES.get(name, 0)
