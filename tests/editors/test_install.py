"""Installers keep what is there, say what they do, and leave no trace: on real configuration files, byte for byte."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from agents.brief import briefs
from app.cli import main
from editors import jsonc, sources
from editors.installer import Installer
from editors.parts import EDITORS, PRINTED, Editor, Target, parts, snippet
from mcp_server.toolset import TOOLS
from memory.errors import InputError

SCHEMAS = Path(__file__).with_name("schemas")
PEOPLES: dict[Editor, dict[str, str]] = {
    "claude-code": {
        ".claude/settings.json": """{
  "$schema": "https://json.schemastore.org/claude-code-settings.json",
  "permissions": {
    "allow": ["Bash(npm run lint)", "Read(~/.zshrc)"],
    "deny": ["Read(./.env)"]
  },
  "env": {"FOO": "bar"},
  "hooks": {
    "PostToolUse": [{"matcher": "Edit", "hooks": [{"type": "command", "command": "prettier --write"}]}]
  },
  "enabledPlugins": {
    "formatter@company": true
  }
}
""",
    },
    "cursor": {
        ".cursor/mcp.json": '{\n\t"mcpServers": {\n\t\t"github": {\n\t\t\t"url": "https://example.org/mcp"\n\t\t}\n\t}\n}',
        ".cursor/hooks.json": '{"version": 1, "hooks": {"stop": [{"command": "./notify.sh"}], "afterFileEdit": []}}\n',
        ".cursor/commands/review.md": "# Review\n",
    },
    "vscode": {
        ".vscode/mcp.json": """// Servers of this project.
{
    /* asked once */
    "inputs": [
        {"id": "token", "type": "promptString", "password": true},
    ],
    "servers": {
        // the tracker
        "tracker": {"type": "http", "url": "https://example.org/mcp", "headers": {"A": "${input:token}"}}, // keep
    }
}
""",
        ".vscode/settings.json": '{"editor.tabSize": 4}',
        ".github/workflows/ci.yml": "on: push\n",
    },
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "project"


@pytest.fixture
def installer(base: Path, tmp_path: Path) -> Callable[[Editor], Installer]:
    def make(editor: Editor) -> Installer:
        for name, text in PEOPLES[editor].items():
            path = base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        return Installer(editor, Target(base, False, tmp_path / "state", "/opt/with space/neuroloom"))

    return make


def tree(base: Path) -> dict[str, bytes | None]:
    """Every folder and file below, files with their bytes."""
    return {str(one.relative_to(base)): one.read_bytes() if one.is_file() else None for one in base.rglob("*")}


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text())


@pytest.mark.parametrize("editor", EDITORS)
def test_what_is_installed_twice_and_taken_out_leaves_every_byte_as_it_was(
    editor: Editor, base: Path, tmp_path: Path, installer: Callable[[Editor], Installer]
) -> None:
    ours = installer(editor)
    before, wanted = tree(base), parts(editor, ours.target)
    assert {change.done for change in ours.plan(wanted)} == {"written"} and tree(base) == before
    ours.install(wanted)
    installed = tree(base)
    for name, text in PEOPLES[editor].items():
        old, new = jsonc.value(text) if name.endswith("json") else text, installed[name]
        assert new is not None and (
            installed[name] == text.encode() or all(one in jsonc.value(new.decode()) for one in old)
        )
    assert {change.done for change in ours.install(wanted)} == {"unchanged"} and tree(base) == installed
    ours.uninstall()
    assert tree(base) == before
    assert not [one for one in (tmp_path / "state").rglob("*") if one.is_file()]
    assert ours.uninstall() == []


@pytest.mark.parametrize("editor", EDITORS)
def test_in_an_empty_folder_nothing_is_left_behind(editor: Editor, base: Path, tmp_path: Path) -> None:
    base.mkdir()
    ours = Installer(editor, Target(base, False, tmp_path / "state"))
    ours.install(parts(editor, ours.target))
    assert tree(base)
    ours.uninstall()
    assert tree(base) == {}


@pytest.mark.parametrize("user", [True, False])
@pytest.mark.parametrize("editor", EDITORS)
def test_what_somebody_added_since_stays_and_only_ours_goes(
    editor: Editor, user: bool, base: Path, tmp_path: Path
) -> None:
    base.mkdir()
    ours = Installer(editor, Target(base, user, tmp_path / "state"))
    wanted = parts(editor, ours.target)
    ours.install(wanted)
    merged = [part.path for part in wanted if part.fragment is not None]
    for path in merged:
        path.write_text(jsonc.merge(path.read_text(), {"added": {"later": [1]}}))
    edited = next(
        part.path for part in wanted if part.path.name.endswith(".md") and not part.path.name.startswith("READ")
    )
    edited.write_text("mine now")
    done = {change.path: change.done for change in ours.uninstall()}
    assert done[edited] == "left" and edited.read_text() == "mine now"
    assert all(done[path] == "removed" for path in merged)
    for path in merged:
        assert {"added": {"later": [1]}}.items() <= jsonc.value(path.read_text()).items()
        assert "neuroloom" not in path.read_text()


def test_a_server_of_the_same_name_comes_back_when_the_file_was_changed_since(base: Path, tmp_path: Path) -> None:
    path, mine = base / ".cursor" / "mcp.json", {"command": "mine", "env": {"A": "b"}}
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"mcpServers": {"neuroloom": mine, "other": {"command": "x"}}}))
    for command in ("/opt/neuroloom", "/opt/new/neuroloom"):
        ours = Installer("cursor", Target(base, False, tmp_path / "state", command))
        ours.install(parts("cursor", ours.target))
        assert jsonc.value(path.read_text())["mcpServers"]["neuroloom"]["command"] == command
        path.write_text(jsonc.merge(path.read_text(), {"mcpServers": {command[-4:]: {}}, command: 1}))
    assert {change.done for change in ours.uninstall() if change.path == path} == {"removed"}
    left = jsonc.value(path.read_text())
    assert left == {
        "mcpServers": {"neuroloom": mine, "other": {"command": "x"}, "loom": {}},
        "/opt/neuroloom": 1,
        "/opt/new/neuroloom": 1,
    }


def test_a_file_that_names_us_twice_is_left_with_the_reason(base: Path, tmp_path: Path) -> None:
    path = base / ".cursor" / "mcp.json"
    ours = Installer("cursor", Target(base, False, tmp_path / "state"))
    ours.install(parts("cursor", ours.target))
    path.write_text(text := '{"mcpServers": {"x": {}, "neuroloom": {"command": "mine"}, "neuroloom": {}}}')
    change = next(one for one in ours.uninstall() if one.path == path)
    assert (change.done, path.read_text()) == ("left", text) and "'neuroloom' more than once" in change.why


def test_comments_and_trailing_commas_of_vscode_stay_while_ours_is_in(
    base: Path, installer: Callable[[Editor], Installer]
) -> None:
    ours = installer("vscode")
    ours.install(parts("vscode", ours.target))
    text = (base / ".vscode/mcp.json").read_text()
    for said in ("// Servers of this project.", "/* asked once */", "// the tracker", "}}, // keep", "true},\n    ],"):
        assert said in text
    assert list(jsonc.value(text)["servers"]) == ["tracker", "neuroloom"]


def test_a_later_version_replaces_our_entries_and_still_leaves_no_trace(
    base: Path, tmp_path: Path, installer: Callable[[Editor], Installer]
) -> None:
    old = installer("cursor")
    before = tree(base)
    old.install(parts("cursor", old.target))
    new = Installer("cursor", Target(base, False, tmp_path / "state", "/opt/new/neuroloom"))
    new.install(parts("cursor", new.target))
    text = (base / ".cursor/hooks.json").read_text() + (base / ".cursor/mcp.json").read_text()
    assert "/opt/new/neuroloom" in text and "with space" not in text
    new.uninstall()
    assert tree(base) == before


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (".cursor/mcp.json", "{broken", "no JSON object"),
        (".cursor/hooks.json", "[1]", "no JSON object"),
        (".cursor/mcp.json", '{"mcpServers": ["mine"]}', "'mcpServers' is no object in it"),
        (".cursor/mcp.json", "\xff", "no UTF-8"),
        (".cursor/commands/neuroloom-train.md", "my own", "is not ours"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(
    name: str, text: str, says: str, base: Path, installer: Callable[[Editor], Installer]
) -> None:
    ours = installer("cursor")
    (base / name).write_bytes(text.encode("latin-1"))
    before = tree(base)
    with pytest.raises(InputError, match=says) as refused:
        ours.install(parts("cursor", ours.target))
    assert (refused.value.code, tree(base)) == ("input.editor_file", before)


def test_a_linked_file_stays_a_link_and_permissions_stay(base: Path, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles.json"
    dotfiles.write_text("{}")
    dotfiles.chmod(0o600)
    (base / ".cursor").mkdir(parents=True)
    (base / ".cursor" / "mcp.json").symlink_to(dotfiles)
    ours = Installer("cursor", Target(base, False, tmp_path / "state"))
    ours.install(parts("cursor", ours.target))
    assert (base / ".cursor" / "mcp.json").is_symlink() and dotfiles.stat().st_mode & 0o777 == 0o600
    assert "neuroloom" in dotfiles.read_text()
    ours.uninstall()
    assert dotfiles.read_text() == "{}" and dotfiles.stat().st_mode & 0o777 == 0o600
    assert ours.record.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("files", [1, 2, 5])
def test_an_installer_killed_half_way_can_be_undone_or_repeated(
    files: int, base: Path, tmp_path: Path, installer: Callable[[Editor], Installer]
) -> None:
    ours = installer("cursor")
    before, script = tree(base), Path(__file__).with_name("mortal_installer.py")
    command = [sys.executable, "-P", str(script), str(base), str(tmp_path / "state"), str(files)]
    assert subprocess.run(command, timeout=120).returncode == -signal.SIGKILL
    left = [one for one in base.rglob(".*.new")]
    for one in left:
        one.unlink()  # a half-written file of its own beside the whole one
    ours.install(parts("cursor", ours.target))
    ours.uninstall()
    assert tree(base) == before


def test_two_projects_share_the_plugin_and_the_last_takes_it_along(tmp_path: Path) -> None:
    one, two = (Installer("claude-code", Target(tmp_path / name, False, tmp_path / "state")) for name in "ab")
    for ours in (one, two):
        ours.target.base.mkdir()
        ours.install(parts("claude-code", ours.target))
    manifest = tmp_path / "state/editors/claude-code/neuroloom/.claude-plugin/plugin.json"
    one.uninstall()
    assert manifest.is_file() and tree(tmp_path / "a") == {}
    two.uninstall()
    assert not manifest.exists() and tree(tmp_path / "b") == {}


@pytest.mark.parametrize(
    ("editor", "name", "against"),
    [
        ("cursor", ".cursor/mcp.json", "cursor-mcp"),
        ("cursor", ".cursor/hooks.json", "cursor-hooks"),
        ("vscode", ".vscode/mcp.json", "vscode-mcp"),
        ("vscode", ".github/hooks/neuroloom.json", "vscode-hooks"),
    ],
)
@pytest.mark.parametrize("empty", [True, False])
def test_configuration_is_as_the_editors_document_it(
    editor: Editor, name: str, against: str, empty: bool, base: Path, installer: Callable[[Editor], Installer]
) -> None:
    ours = installer(editor)
    if empty:
        for one in PEOPLES[editor]:
            (base / one).unlink()
    ours.install(parts(editor, ours.target))
    found = jsonc.value((base / name).read_text())
    jsonschema.validate(found, schema(against), cls=jsonschema.Draft202012Validator)
    assert "'/opt/with space/neuroloom' hook" in json.dumps(found) or "mcp" in name


@pytest.mark.parametrize("editor", EDITORS)
def test_commands_agents_and_skill_have_the_front_matter_of_their_editor(editor: Editor, tmp_path: Path) -> None:
    wanted = parts(editor, Target(tmp_path, False, tmp_path / "state"))
    texts = {part.path: part.text for part in wanted if part.text is not None and part.path.suffix == ".md"}
    heads = {path: yaml.safe_load(text.split("---\n")[1]) for path, text in texts.items() if text.startswith("---")}
    agents = [head["name"] for path, head in heads.items() if path.parent.name == "agents"]
    assert sorted(agents) == sorted(name for one in briefs() for name in (one.name, *one.aliases))
    skill = next(head for path, head in heads.items() if path.name == "SKILL.md")
    assert skill["name"] == "neuroloom" and len(skill["description"]) < 1024
    commands = [path for path in texts if path.parent.name in {"commands", "prompts"}]
    assert len(commands) == len(sources.COMMANDS) == 7
    assert editor == "cursor" or all(heads[path]["description"] for path in commands)
    assert ("$ARGUMENTS" in "".join(texts.values())) == (editor == "claude-code")


def test_the_sources_name_only_tools_that_there_are() -> None:
    text = "".join([sources.text("skill.md"), sources.text("agent.md"), *(one.body for one in sources.commands())])
    named = {word for word in text.split("`") if "_" in word and word.replace("_", "").isalpha()}
    assert named <= TOOLS.keys() and "run_start" in named


@pytest.mark.parametrize("client", [*PRINTED, *EDITORS])
def test_every_client_has_something_to_paste(client: str, tmp_path: Path) -> None:
    text = snippet(client, Target(tmp_path, False, tmp_path / "state", "/opt/neuroloom"))
    if client == "codex":
        import tomllib

        assert tomllib.loads(text)["mcp_servers"]["neuroloom"]["command"] == "/opt/neuroloom"
    else:
        first = text.split("\n//")[0]
        assert "neuroloom" in json.dumps(jsonc.value(first))


def test_the_command_shows_prints_installs_and_undoes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setenv("NEUROLOOM_HOME", str(tmp_path / "state"))

    def said(
        *more: str, code: int = 0, editor: str = "cursor", where: tuple[str, ...] = ("--project", str(place))
    ) -> str:
        assert main(["install", editor, *where, "--command", "/opt/neuroloom", *more]) == code
        return capsys.readouterr().out

    dry = said("--dry-run")
    assert "would write" in dry and '+      "command": "/opt/neuroloom"' in dry and tree(place) == {}
    assert "next: open the folder" in said() and (place / ".cursor/mcp.json").is_file()
    assert {row["done"] for row in json.loads(said("--json"))["files"]} == {"unchanged"}
    assert "would remove" in said("--uninstall", "--dry-run")
    assert "removed" in said("--uninstall") and tree(place) == {}
    assert "nothing of ours" in said("--uninstall")
    said(editor="codex", code=4)
    assert "[mcp_servers.neuroloom]" in said("--print", editor="codex")
    said("--user", code=4)
