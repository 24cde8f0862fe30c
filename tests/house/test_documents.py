"""The documents say what is true: links lead somewhere, commands exist, and nothing speaks of a machine of ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_documents_that_the_house_asks_for_are_there() -> None:
    for name in (
        "README.md",
        "AGENTS.md",
        "CLAUDE.md",
        "CHANGELOG.md",
        "LICENSE",
        "docs/ARCHITECTURE.md",
        "docs/STATUS.md",
        "docs/TRAINING.md",
    ):
        assert (ROOT / name).stat().st_size > 10, name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target!r}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_flags_in_the_documents_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = [
        line.strip().removeprefix("$ ")
        for block in re.findall(r"```(?:bash|console|sh)\n(.*?)```", text, re.S)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    for line in [one for one in lines if one.startswith("neuroloom ")]:
        words = line.split("#")[0].split()
        command = next((word for word in words[1:] if not word.startswith("-")), None)
        if command is None:
            continue
        asked = [sys.executable, "-P", "-c", "from app.cli import main; main()", command, "--help"]
        shown = subprocess.run(asked, capture_output=True, text=True)
        assert shown.returncode == 0, f"{path.name}: no command {command!r}"
        for flag in (word.split("=")[0] for word in words if word.startswith("--")):
            if command not in {"memory", "auth"}:
                assert flag in shown.stdout, f"{path.name}: {command} has no {flag}"
