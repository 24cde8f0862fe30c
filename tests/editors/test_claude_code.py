"""The generated plugin in the hands of the real Claude Code, from npm: validated, installed, its parts found."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from editors.installer import Installer
from editors.parts import Target, market_folder, parts
from editors.sources import COMMANDS

PACKAGE = "@anthropic-ai/claude-code@2"
pytestmark = pytest.mark.needs("npm")


@pytest.fixture(scope="module")
def claude() -> Path:
    """The command, installed once into a folder that later sessions use again."""
    folder = Path(tempfile.gettempdir()) / f"neuroloom-npm-{os.getuid()}" / "claude-code"
    command = folder / "node_modules" / ".bin" / "claude"
    if not command.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
        done = subprocess.run(install, capture_output=True, text=True, timeout=170)
        if done.returncode or not command.exists():
            pytest.skip(f"npm does not bring {PACKAGE}: {done.stderr[-300:]}")
    return command


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nl-claude-") as folder:
        target = Target(Path(folder) / "project", False, Path(folder) / "state")
        target.base.mkdir()
        Installer("claude-code", target).install(parts("claude-code", target))
        yield Path(folder)


def ask(claude: Path, place: Path, *words: str) -> str:
    """Run it with a home of its own and without a network."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(place / "home"), "DISABLE_AUTOUPDATER": "1"}
    environment |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    done = subprocess.run(
        [claude, "plugin", *words], capture_output=True, text=True, cwd=place / "project", env=environment, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_plugin_and_marketplace_pass_strict_validation(claude: Path, place: Path) -> None:
    for folder in (market_folder(place / "state"), market_folder(place / "state") / "neuroloom"):
        assert "Validation passed" in ask(claude, place, "validate", "--strict", str(folder))


def test_a_manifest_with_a_slip_does_not_pass(claude: Path, place: Path, tmp_path: Path) -> None:
    manifest = tmp_path / ".claude-plugin" / "plugin.json"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"name": "neuroloom", "versoin": "1"}))
    with pytest.raises(AssertionError, match="versoin"):
        ask(claude, place, "validate", "--strict", str(tmp_path))


def test_the_installed_plugin_has_every_command_agent_hook_and_the_server(claude: Path, place: Path) -> None:
    ask(claude, place, "marketplace", "add", str(market_folder(place / "state")))
    ask(claude, place, "install", "neuroloom@neuroloom")
    details = ask(claude, place, "details", "neuroloom")
    for name in (*COMMANDS, "ml-developer", "neural-orchestrator", "cicd-engineer", "UserPromptSubmit"):
        assert name in details
    assert "Hooks (6)" in details and "MCP servers (1)" in details
