"""What a line of Python, Perl, Ruby, JavaScript or PHP on a command line does to files, by the calls that it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from editors.expansion import Scope
from editors.tools import HARMS, Touch

QUOTED = re.compile(r"""["'`]([^"'`\n]{1,4096})["'`]""")
WHOLE = re.compile(
    r"""rmtree|(?:shutil\.|(?<![\w.]))move\(|os\.(?:rename|replace|removedirs)|\.rename\(\s*[rf]?["']|renameSync"""
    r"""|File\.rename|rmSync|rm_rf?\b|remove_tree|rimraf|fs\.rm\("""
)
REMOVES = re.compile(
    WHOLE.pattern
    + r"|os\.(?:remove|unlink|rmdir|truncate)|\bunlink(?:Sync)?\b|\brmdir(?:Sync)?\(|File\.delete|FileUtils\.\w*rm"
)
WRITES = re.compile(
    r"""open\(\s*[rbf]?["']([^"'\n]+)["']\s*,\s*(?:mode\s*=\s*)?["'][rbt]*[wax+]"""
    r"""|Path\(\s*[rf]?["']([^"'\n]+)["']\s*\)(?:\.\w+\(\))*\.(?:write_\w+|touch\(|open\(\s*(?:mode\s*=\s*)?["'][rbt]*[wax+])"""
    r"""|(?:(?:write|append)File(?:Sync)?|File\.write|file_put_contents)\(\s*["'`]([^"'`\n]+)["'`]"""
)
RUNS = re.compile(r"system|subprocess|popen|check_call|check_output|exec|spawn|\brun\(|`|qx", re.I)


def code_touches(code: str, scope: Scope, shell: Callable[[str], Iterator[Touch]]) -> Iterator[Touch]:
    """Paths that the code would change; `shell` tells what a shell command in it would."""
    for found in WRITES.finditer(code):
        name = next(one for one in found.groups() if one)
        yield Touch(scope.path(name), False)
    quoted = QUOTED.findall(code)
    if REMOVES.search(code):
        whole = WHOLE.search(code) is not None
        yield from (Touch(scope.path(word), whole) for word in quoted)
    if RUNS.search(code):
        for said in quoted:
            yield from shell(said)
        if HARMS & set(quoted):
            yield from shell(" ".join(quoted[next(at for at, word in enumerate(quoted) if word in HARMS) :]))
