"""The house's size budgets, for every Python file of the project. There is no exemption list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    *("agents", "app", "benchmarks", "editors", "examples", "gpu_jobs", "mcp_server", "memory", "phases"),
    *("templates", "tests"),
)
FILES = sorted(path for place in PLACES for path in (ROOT / place).rglob("*.py") if "golden" not in path.parts)
LINES, FUNCTION_LINES, PARAMETERS = 400, 50, 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_command(node: Function) -> bool:
    """A door function's declared options, or a tool's arguments, count as one parameter."""
    if any(one.arg == "ctx" for one in node.args.args) and isinstance(node, ast.AsyncFunctionDef):
        return True
    return any("option" in ast.unparse(one) or "argument" in ast.unparse(one) for one in node.decorator_list)


def parameters(node: Function) -> int:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len([one for one in every if one.arg not in {"self", "cls"}])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_and_its_functions_stay_within_the_budgets(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LINES, f"{lines} lines, the budget is {LINES}"
    for node in functions(path):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        assert length <= FUNCTION_LINES, f"{node.name} has {length} lines, the budget is {FUNCTION_LINES}"
        if not is_command(node) and "tests" not in path.parts:
            assert parameters(node) <= PARAMETERS, f"{node.name} takes {parameters(node)}, the budget is {PARAMETERS}"


def test_inheritance_is_at_most_two_deep() -> None:
    bases: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]

    def depth(name: str) -> int:
        return 1 + max((depth(base) for base in bases[name] if base in bases and base != name), default=0)

    deep = {name: depth(name) for name in bases if depth(name) > 3}
    assert not deep, f"class, base, base of the base is the most: {deep}"
