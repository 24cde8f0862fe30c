"""What each editor is given, as files and as fragments of its configuration, made from the one source.

It writes nothing. The formats of Cursor and VS Code follow their documentation; those editors were not run.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from agents.brief import Brief, briefs
from editors import sources

Editor = Literal["claude-code", "cursor", "vscode"]
EDITORS: tuple[Editor, ...] = ("claude-code", "cursor", "vscode")
PRINTED = ("claude-desktop", "gemini", "codex", "generic")
SECONDS = 10
MARKET = {"name": "neuroloom", "owner": {"name": "Neuroloom"}}
ABOUT = "Trains, validates and deploys models from your tables, with every number measured."
WRITING = "Bash|Write|Edit|MultiEdit|NotebookEdit|mcp__.*(write|edit|create|delete|remove|move|rename).*"
EDITING = "Write|Edit|MultiEdit|NotebookEdit"
CLAUDE_EVENTS = {
    "SessionStart": None,
    "UserPromptSubmit": None,
    "PreToolUse": WRITING,
    "PostToolUse": EDITING,
    "Stop": None,
    "SessionEnd": None,
}
CURSOR_EVENTS = (
    "sessionStart",
    "beforeSubmitPrompt",
    "beforeShellExecution",
    "preToolUse",
    "postToolUse",
    "afterFileEdit",
    "stop",
    "sessionEnd",
)
VSCODE_EVENTS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop")


@dataclass(frozen=True)
class Part:
    """One file: `text` is all of it, `fragment` is what is merged into it; `shared` by all installations."""

    path: Path
    text: str | None = None
    fragment: dict[str, Any] | None = None
    shared: bool = False


@dataclass(frozen=True)
class Target:
    """Where to install: a project's folder or the person's home, the state folder, and the command to run."""

    base: Path
    user: bool
    state: Path
    command: str = "neuroloom"

    @property
    def server(self) -> dict[str, Any]:
        """The entry of the MCP server."""
        return {"type": "stdio", "command": self.command, "args": ["mcp"]}

    def hook(self, event: str, editor: Editor) -> str:
        """The shell command that answers an event."""
        return f"{shlex.quote(self.command)} hook {event} --format {editor}"


def parts(editor: Editor, target: Target) -> list[Part]:
    """Every part of an editor's installation."""
    return list({"claude-code": _claude, "cursor": _cursor, "vscode": _vscode}[editor](target))


def market_folder(state: Path) -> Path:
    """Folder of the Claude Code marketplace that holds our plugin."""
    return state / "editors" / "claude-code"


def _claude(target: Target) -> Iterator[Part]:
    folder = market_folder(target.state)
    yield from (Part(folder / name, text, shared=True) for name, text in _plugin(target).items())
    source = {"source": {"source": "directory", "path": str(folder)}}
    fragment = {"extraKnownMarketplaces": {"neuroloom": source}, "enabledPlugins": {"neuroloom@neuroloom": True}}
    yield Part(target.base / ".claude" / "settings.json", fragment=fragment)


def _plugin(target: Target) -> dict[str, str]:
    """The marketplace and its one plugin, by path."""
    number = version("neuroloom")
    entry = {"name": "neuroloom", "source": "./neuroloom", "description": ABOUT, "version": number}
    manifest = {
        "name": "neuroloom",
        "version": number,
        "description": ABOUT,
        "author": {"name": "Neuroloom"},
        "license": "Apache-2.0",
        "keywords": ["machine-learning", "training", "deployment", "tabular"],
    }
    market = {**MARKET, "metadata": {"description": ABOUT, "version": number}, "plugins": [entry]}
    found = {
        ".claude-plugin/marketplace.json": _json(market),
        "neuroloom/.claude-plugin/plugin.json": _json(manifest),
        "neuroloom/.mcp.json": _json({"mcpServers": {"neuroloom": target.server}}),
        "neuroloom/hooks/hooks.json": _json({"hooks": _claude_hooks(target)}),
        "neuroloom/skills/neuroloom/SKILL.md": sources.text("skill.md"),
        "neuroloom/README.md": sources.text("readme.md"),
    }
    for one in sources.commands():
        head = _matter(description=one.description, **{"argument-hint": one.hint})
        found[f"neuroloom/commands/{one.name}.md"] = head + one.body
    for name, brief in _agents():
        found[f"neuroloom/agents/{name}.md"] = _agent(name, brief)
    return found


def _claude_hooks(target: Target) -> dict[str, Any]:
    found = {}
    for event, matcher in CLAUDE_EVENTS.items():
        hook = {"type": "command", "command": target.hook(event, "claude-code"), "timeout": SECONDS}
        found[event] = [{**({"matcher": matcher} if matcher else {}), "hooks": [hook]}]
    return found


def _cursor(target: Target) -> Iterator[Part]:
    folder = target.base / ".cursor"
    server = {key: found for key, found in target.server.items() if key != "type"}
    yield Part(folder / "mcp.json", fragment={"mcpServers": {"neuroloom": server}})
    hooks = {event: [{"command": target.hook(event, "cursor")}] for event in CURSOR_EVENTS}
    yield Part(folder / "hooks.json", fragment={"version": 1, "hooks": hooks})
    for one in sources.commands():
        body = one.body.replace("$ARGUMENTS", "what follows the name of this command")
        yield Part(folder / "commands" / f"neuroloom-{one.name}.md", f"# {one.description}\n{body}")
    for name, brief in _agents():
        yield Part(folder / "agents" / f"{name}.md", _agent(name, brief))
    yield Part(folder / "skills" / "neuroloom" / "SKILL.md", sources.text("skill.md"))


def _vscode(target: Target) -> Iterator[Part]:
    mine = _vscode_user(target.base) if target.user else target.base / ".vscode"
    prompts = mine / "prompts" if target.user else target.base / ".github" / "prompts"
    agents = mine / "prompts" if target.user else target.base / ".github" / "agents"
    yield Part(mine / "mcp.json", fragment={"servers": {"neuroloom": target.server}})
    for one in sources.commands():
        head = _matter(agent="agent", description=one.description, **{"argument-hint": one.hint})
        body = one.body.replace("$ARGUMENTS", "${input:arguments}")
        yield Part(prompts / f"neuroloom-{one.name}.prompt.md", head + body)
    for name, brief in _agents():
        yield Part(agents / f"{name}.agent.md", _agent(name, brief))
    if not target.user:  # where VS Code keeps a person's own hooks and skills is not settled
        hooks = {event: [_vscode_hook(target, event)] for event in VSCODE_EVENTS}
        yield Part(target.base / ".github" / "hooks" / "neuroloom.json", _json({"hooks": hooks}))
        yield Part(target.base / ".github" / "skills" / "neuroloom" / "SKILL.md", sources.text("skill.md"))


def _vscode_hook(target: Target, event: str) -> dict[str, Any]:
    return {"type": "command", "command": target.hook(event, "vscode"), "timeout": SECONDS}


def _vscode_user(home: Path) -> Path:
    """VS Code's folder of the person's own settings."""
    mac = home / "Library" / "Application Support"
    return (mac if mac.is_dir() else home / ".config") / "Code" / "User"


def _agents() -> Iterator[tuple[str, Brief]]:
    for brief in briefs():
        yield from ((name, brief) for name in (brief.name, *brief.aliases))


def _agent(name: str, brief: Brief) -> str:
    return _matter(name=name, description=brief.description) + sources.text("agent.md") + brief.prompt + "\n"


def _matter(**fields: str) -> str:
    """Front matter; JSON strings are YAML strings."""
    lines = [f"{key}: {json.dumps(text, ensure_ascii=False)}\n" for key, text in fields.items()]
    return "".join(["---\n", *lines, "---\n"])


def _json(found: Any) -> str:
    return json.dumps(found, indent=2) + "\n"


def snippet(client: str, target: Target) -> str:
    """What to paste into the configuration of a client that we do not install into, or of one that we do."""
    server = {key: found for key, found in target.server.items() if key != "type"}
    entry = _json({"mcpServers": {"neuroloom": server}})
    if client == "codex":
        args = ", ".join(json.dumps(word) for word in server["args"])
        return (
            f"# ~/.codex/config.toml\n[mcp_servers.neuroloom]\ncommand = {json.dumps(target.command)}\n"
            f"args = [{args}]\ntool_timeout_sec = 120\n"
        )
    if client in EDITORS:
        found = [one for one in parts(client, target) if not one.shared]
        shown = [(one.path, one.text or _json(one.fragment)) for one in found]
        return "\n".join(f"// {path}\n{text}" for path, text in shown if path.suffix == ".json")
    where = {
        "claude-desktop": "// claude_desktop_config.json (Settings, Developer, Edit Config)\n",
        "gemini": "// ~/.gemini/settings.json\n",
        "generic": f"// over standard input and output: {shlex.join([target.command, 'mcp'])}\n",
    }
    return where[client] + entry
