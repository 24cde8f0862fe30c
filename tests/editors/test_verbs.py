"""The reference system's hook verbs and memory commands, called as its prompts call them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.folders import state_in_use
from app.settings import load
from editors.sessions import Sessions
from memory.embedded import EmbeddedRedis
from phases.notices import leave_notice

RUN = "r-20261130-101112-abcd"
CLAUDE_FLOW = [sys.executable, "-P", "-c", "import sys; from app.cli import claude_flow; sys.exit(claude_flow())"]


class House:
    """A state folder and a workspace, and `claude-flow` there."""

    def __init__(self, home: Path, workspace: Path) -> None:
        self.home, self.workspace = home, workspace
        self.environment = {**os.environ, "NEUROLOOM_HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}

    def say(self, *words: str, code: int = 0, text: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*CLAUDE_FLOW, *words], capture_output=True, text=True, cwd=self.workspace, env=self.environment,
            input=text or "", timeout=170,
        )  # fmt: skip
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def value(self, key: str) -> Any:
        return json.loads(self.say("memory", "retrieve", "--key", key).stdout)["value"]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    home, workspace = Path(tempfile.mkdtemp(prefix="nl-")), Path(tempfile.mkdtemp(prefix="nlw-"))
    try:
        yield House(home, workspace)
    finally:
        EmbeddedRedis(home).stop()
        for folder in (home, workspace):
            shutil.rmtree(folder, ignore_errors=True)


def test_the_reference_procedure_runs_with_its_own_words_and_memory_has_what_it_said(house: House) -> None:
    config = house.workspace / "neural" / "configs" / "training.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"epochs": 100}')
    house.say("@alpha", "hooks", "pre-task", "--description", "Setup for neural training")
    restored = house.say("hooks", "session-restore", "--session-id", "neural-training-1796050721")
    assert "no session 'neural-training-1796050721' was seen here" in restored.stdout
    house.say("hooks", "post-edit", "--file", "neural/configs/training.json", "--memory-key", "neural/config")
    house.say("hooks", "notify", "--message", "Phase 1 complete")
    house.say("hooks", "post-task", "--task-id", "neural-training")
    ended = house.say("hooks", "session-end", "--export-metrics", "true")
    assert '"edits": 1' in ended.stdout and Path(ended.stdout.strip().rpartition(" ")[2]).is_file()

    digest = hashlib.sha256(b'{"epochs": 100}').hexdigest()
    said = {"file": "neural/configs/training.json", "sha256": digest, "bytes": 15, "change": 15}
    assert house.value("neural/config") == said
    house.say("memory", "store", "--key", "neural/phase1-complete", "--value", '{"status": "complete"}')
    house.say("memory", "store", "neural/nodes-deployed", "4")
    assert house.value("neural/phase1-complete") == {"status": "complete"}
    assert house.value("nodes-deployed") == "4"
    absent = house.say("memory", "retrieve", "--key", "neural/training-status", code=4)
    assert json.loads(absent.stdout) == {"value": None} and "training-status" in absent.stderr
    listed = house.say("memory", "list").stdout.split()
    assert {"asserted/config", "asserted/hooks/task_ended", "asserted/hooks/message"} <= set(listed)


def test_a_second_edit_tells_by_how_much_the_file_grew(house: House) -> None:
    path = house.workspace / "notes.md"
    path.write_text("one")
    house.say("hooks", "pre-edit", "--file", "notes.md")
    path.write_text("one, two")
    house.say("hooks", "post-edit", "--file", "notes.md", "--memory-key", "notes/first")
    assert house.value("notes/first")["change"] == 5


def test_a_known_session_is_restored_with_what_happened_since(house: House) -> None:
    house.say("hooks", "session-start", "--session-id", "mine")
    house.say("hooks", "session-end")
    folder = house.workspace / "neural" / RUN
    folder.mkdir(parents=True)
    (house.workspace / "neural" / "latest").symlink_to(RUN)
    leave_notice(
        house.home, RUN, {"state": "deployed", "updated_at": "2099-01-01T00:00:00.000+00:00", "workspace": str(folder)}
    )
    document = json.loads(house.say("hooks", "session-restore", "--session-id", "mine", "--json").stdout)
    assert (document["restored"], document["note"]) == ("mine", None)
    assert RUN in document["text"] and "since the last session here" in document["text"]
    sessions = Sessions(house.home, house.workspace)
    assert sessions.find("mine") is not None


def test_what_policy_refuses_ends_with_code_two_and_the_reason(house: House) -> None:
    refused = house.say("hooks", "pre-command", "--command", f"rm -rf neural/{RUN}", code=2)
    assert "neuroloom rm" in refused.stderr and refused.stdout == ""
    house.say("hooks", "pre-edit", "--file", f"neural/{RUN}/configs/training.json", code=2)
    house.say("hooks", "pre-command", "--command", "ls -la")
    house.say("hooks", "post-command", "--command", "curl -H 'token: T0P-S3CRET' x", "--exit-code", "0")
    assert "T0P-S3CRET" not in (house.home / "spool" / "events.jsonl").read_text()


def test_slips_are_refused_and_flags_of_other_versions_are_passed_over_with_a_word(house: House) -> None:
    assert "no file 'nowhere.txt'" in house.say("hooks", "post-edit", "--file", "nowhere.txt", code=4).stderr
    (house.workspace / "a.txt").write_text("a")
    house.say("hooks", "post-edit", "--file", "a.txt", "--memory-key", "neural/queue/x", code=4)
    house.say("hooks", "post-edit", "--file", "a.txt", "--memory-key", "Not A Key", code=4)
    done = house.say("hooks", "pre-task", "--description", "x", "--auto-spawn-agents", "false")
    assert "not acted on here: --auto-spawn-agents" in done.stderr
    assert "only `hooks …` and `memory …`" in house.say("swarm", "init", code=4).stderr


def test_a_hook_answers_on_standard_output_as_a_command(house: House) -> None:
    command = [
        sys.executable,
        "-P",
        "-c",
        "import sys; from app.cli import main; sys.exit(main())",
        "hook",
        "PreToolUse",
    ]
    call = {"session_id": "s", "cwd": str(house.workspace), "tool_name": "Bash", "tool_input": {"command": "rm -rf ."}}
    (house.workspace / "neural" / RUN).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        command, input=json.dumps(call), capture_output=True, text=True, env=house.environment, timeout=60
    )
    assert done.returncode == 0 and done.stderr == ""
    assert json.loads(done.stdout)["hookSpecificOutput"]["permissionDecision"] == "deny"


def test_a_hook_loads_neither_settings_nor_a_client_of_redis(tmp_path: Path) -> None:
    code = (
        "import json, sys; from app.cli import main; sys.argv[1:] = ['hook', 'UserPromptSubmit', '--format=vscode']; "
        "main(); print(json.dumps(sorted(sys.modules)))"
    )
    environment = {**os.environ, "NEUROLOOM_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, input='{"session_id": "s"}', cwd=tmp_path,
        env=environment, timeout=60,
    )  # fmt: skip
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "editors.hook_door" in loaded
    heavy = {"pydantic", "redis", "mcp", "asyncio", "logging", "click", "dataclasses", "app.settings", "memory.store"}
    assert not loaded & heavy


def test_words_that_the_short_way_does_not_know_are_the_commands(house: House) -> None:
    code = "import sys; from app.cli import main; sys.exit(main())"
    for words, exit_code, says in [
        (["hook", "--help"], 0, "Usage: neuroloom hook"),
        (["hook", "Stop", "--format", "emacs"], 4, "'emacs' is not one of"),
        (["hook", "Stop", "--fromat", "cursor"], 4, "--fromat"),
    ]:
        command = [sys.executable, "-P", "-c", code, *words]
        done = subprocess.run(command, capture_output=True, text=True, env=house.environment, timeout=60)
        assert done.returncode == exit_code and says in done.stdout + done.stderr


@pytest.mark.parametrize("config", [None, '[memory]\nhome = "/from/file"\n', "broken = ", "[run]\nseed = 1\n"])
@pytest.mark.parametrize("own", [{}, {"NEUROLOOM_HOME": "/from/environment"}, {"XDG_STATE_HOME": "/from/xdg"}])
def test_hooks_and_settings_agree_on_the_state_folder(config: str | None, own: dict[str, str], tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path), **own}
    if config is not None:
        (tmp_path / "neuroloom").mkdir()
        (tmp_path / "neuroloom" / "config.toml").write_text(config)
    if config == "broken = ":  # settings refuse it; a hook goes on with the default
        (tmp_path / "neuroloom" / "config.toml").unlink()
        expected = load(environ=environ).home
        (tmp_path / "neuroloom" / "config.toml").write_text(config)
        assert state_in_use(environ) == expected
    else:
        assert state_in_use(environ) == load(environ=environ).home
