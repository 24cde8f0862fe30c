"""The generated plugin in the hands of the real Claude Code, from npm: validated, installed, its hooks at work.

The model is a stand-in on loopback; the client, its plugin system and its hooks are the real ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from editors.installer import Installer
from editors.parts import Target, market_folder, parts
from editors.sources import COMMANDS
from phases.notices import leave_notice
from tests.editors.conftest import RUN
from tests.editors.messages_standin import standing_in

PACKAGE = "@anthropic-ai/claude-code@2"
pytestmark = pytest.mark.needs("npm")


@pytest.fixture(scope="module")
def claude() -> Path:
    """The command, installed once into a folder that later sessions use again."""
    kept = os.environ.get("NODE_FOR_TESTS") or Path(tempfile.gettempdir()) / f"neuroloom-npm-{os.getuid()}"
    folder = Path(kept) / "claude-code"
    command = folder / "node_modules" / ".bin" / "claude"
    if not command.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
        done = subprocess.run(install, capture_output=True, text=True, timeout=170)
        assert done.returncode == 0 and command.exists(), f"npm does not bring {PACKAGE}: {done.stderr[-300:]}"
    return command


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nl-claude-") as folder:
        command = str(Path(sys.executable).with_name("neuroloom"))
        target = Target(Path(folder) / "project", False, Path(folder) / "state", command)
        target.base.mkdir()
        Installer("claude-code", target).install(parts("claude-code", target))
        try:
            yield Path(folder)
        finally:
            neuroloom(Path(folder), "down")


def neuroloom(place: Path, *words: str) -> str:
    """What our own command says there."""
    command = [str(Path(sys.executable).with_name("neuroloom")), *words]
    environment = {**os.environ, "NEUROLOOM_HOME": str(place / "state")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=place / "project", env=environment, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(claude: Path, place: Path, *words: str, port: int = 9) -> str:
    """Run it with a home of its own and without a network but the stand-in."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(place / "home"), "DISABLE_AUTOUPDATER": "1"}
    environment |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "NEUROLOOM_HOME": str(place / "state")}
    environment |= {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", "ANTHROPIC_API_KEY": "sk-test"}
    done = subprocess.run(
        [claude, *words], capture_output=True, text=True, cwd=place / "project", env=environment, timeout=170,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(claude: Path, place: Path) -> Path:
    """The place with the plugin installed by Claude Code itself."""
    ask(claude, place, "plugin", "marketplace", "add", str(market_folder(place / "state")))
    ask(claude, place, "plugin", "install", "neuroloom@neuroloom")
    return place


def test_plugin_and_marketplace_pass_strict_validation(claude: Path, place: Path) -> None:
    for folder in (market_folder(place / "state"), market_folder(place / "state") / "neuroloom"):
        assert "Validation passed" in ask(claude, place, "plugin", "validate", "--strict", str(folder))


def test_a_manifest_with_a_slip_does_not_pass(claude: Path, place: Path, tmp_path: Path) -> None:
    manifest = tmp_path / ".claude-plugin" / "plugin.json"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"name": "neuroloom", "versoin": "1"}))
    with pytest.raises(AssertionError, match="versoin"):
        ask(claude, place, "plugin", "validate", "--strict", str(tmp_path))


def test_the_installed_plugin_has_every_command_agent_hook_and_the_server(claude: Path, installed: Path) -> None:
    details = ask(claude, installed, "plugin", "details", "neuroloom")
    for name in (*COMMANDS, "ml-developer", "neural-orchestrator", "cicd-engineer", "UserPromptSubmit"):
        assert name in details
    assert "Hooks (6)" in details and "MCP servers (1)" in details


def test_a_conversation_is_restored_kept_off_the_run_and_its_edit_is_recorded(claude: Path, installed: Path) -> None:
    project, state = installed / "project", installed / "state"
    (project / "neural" / RUN).mkdir(parents=True)
    (project / "neural" / "latest").symlink_to(RUN)
    asked = {"state": "waiting", "question": {"id": "q", "kind": "target"}, "workspace": str(project / "neural" / RUN)}
    leave_notice(state, RUN, {**asked, "updated_at": "2026-11-30T10:11:12.000+00:00"})
    mine = project / "neural" / "configs" / "mine.json"
    mine.parent.mkdir()
    script: list[dict[str, Any]] = [
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "mv neural /tmp/away"}},
        {"type": "tool_use", "id": "toolu_2", "name": "Write", "input": {"file_path": str(mine), "content": "{}"}},
        {"type": "text", "text": "done"},
    ]
    with standing_in(script) as model:
        words = ("-p", "make room", "--allowedTools", "Bash,Write", "--permission-mode", "acceptEdits")
        assert ask(claude, installed, *words, port=model.port).strip() == "done"
    first, second = json.dumps(model.bodies[0]), json.dumps(model.bodies[1]["messages"][-1])
    assert f"open question: run {RUN} waits for a person (target)" in first
    assert f"holds neural/{RUN}, the state and checkpoints of a run" in second
    assert mine.read_text() == "{}" and (project / "neural" / RUN).is_dir()
    # the plugin's own server may have taken the spool into memory already
    edited = json.loads(neuroloom(installed, "memory", "get", "asserted/hooks/edited"))
    assert edited["file"] == "neural/configs/mine.json" and edited["bytes"] == 2
    assert json.loads(neuroloom(installed, "memory", "get", "asserted/hooks/session_started"))["session"]


def test_the_plugins_server_answers_a_conversation(claude: Path, installed: Path) -> None:
    name = "mcp__plugin_neuroloom_neuroloom__run_list"
    script: list[dict[str, Any]] = [{"type": "tool_use", "id": "toolu_list", "name": name, "input": {}}]
    with standing_in(script) as model:
        ask(claude, installed, "-p", "which runs are there?", "--allowedTools", f"Bash,{name}", port=model.port)
    said = [block for body in model.bodies for message in body["messages"] for block in _blocks(message)]
    answers = [block for block in said if block.get("tool_use_id") == "toolu_list"]
    assert answers and not answers[-1].get("is_error")
    assert "runs" in json.dumps(answers[-1]["content"])


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    return message["content"] if isinstance(message["content"], list) else []
