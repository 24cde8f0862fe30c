"""Whether a generated file parses and whether the links in it lead somewhere. It runs and changes nothing."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

_WORDS = {"ARG", "FROM", "LABEL", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "CMD"}
_LISTS = {"COPY", "CMD"}
_TARGET = re.compile(r"(?<!\\)\]\(([^)\s#]+)[^)]*\)")
_CODE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1`*$|(?<![\\`])(`+)(?!`).+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE)


def problem(path: Path) -> str | None:
    """Why a generated file does not parse, or None."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".sh":
            subprocess.run(["bash", "-n", str(path)], check=True, capture_output=True)
        else:
            _PARSERS[path.suffix or path.name](text)
    except (OSError, ValueError, SyntaxError, subprocess.CalledProcessError) as error:
        return f"{path.name}: {error}"
    return None


def broken_links(path: Path) -> list[str]:
    """Relative link targets of a Markdown file that lead nowhere; the file itself when it is absent."""
    if not path.is_file():
        return ["it is missing"]
    text = _CODE.sub("", path.read_text(encoding="utf-8"))
    relative = [unquote(target) for target in _TARGET.findall(text) if "://" not in target]
    return [target for target in relative if not (path.parent / target).exists()]


def _yaml(text: str) -> None:
    """Raises ValueError where this is no YAML document."""
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("it holds no mapping")


def _dockerfile(text: str) -> None:
    """Raises ValueError where a line is no instruction, its list is no JSON, or it does not begin with its base."""
    whole = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(None, 1) for line in whole.splitlines() if line.strip()]
    first = [word for word, *_ in lines if word != "ARG"][:1]
    if first != ["FROM"]:
        raise ValueError("its first instruction is not FROM")
    for word, *rest in lines:
        if word not in _WORDS or not rest:
            raise ValueError(f"{word!r} is no instruction of a Dockerfile")
        if word in _LISTS and rest[0].startswith("["):
            json.loads(rest[0])


_PARSERS: dict[str, Callable[[str], object]] = {
    ".py": ast.parse,
    ".json": json.loads,
    ".yml": _yaml,
    "Dockerfile": _dockerfile,
}
