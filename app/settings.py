"""Every setting, assembled from the parts' own models: flag > environment > file > default, each with its source.

The only module that reads the environment and configuration files. It opens nothing and knows no command.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.folders import config_file, state_folder
from app.folders import config_folder as config_folder
from gpu_jobs.backends.ssh_settings import SshSettings
from mcp_server.settings import ChatSettings
from memory.errors import UsageError
from memory.records import MemorySettings
from phases.request import RunSettings
from phases.settings import DatasetSettings, LogLevel, NotifySettings, Policy, PrivacySettings, RunnerSettings

PREFIX = "NEUROLOOM_"
ALIASES = {"NEUROLOOM_REDIS_URL": "memory.url", "NEUROLOOM_HOME": "memory.home", "DEBUG": "app.debug"}
NOT_SETTINGS = frozenset({"NEUROLOOM_CONFIG", "NEUROLOOM_JOB"})
FROM_OTHER_SECTIONS = frozenset({"home", "memory", "policy", "notify", "ssh", "log_level", "python", "tasks"})
RUNNERS_OWN = frozenset({"policy", "notify", "ssh"})
SECRET_WORDS = ("password", "secret", "token", "key", "webhook")
NEAR = 0.75
ON, OFF = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


class AppSettings(BaseModel):
    """How the command line itself behaves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    debug: bool = Field(False, description="show tracebacks; the same as --debug")
    log_level: LogLevel = Field("warning", description="of the runner's log; debug also shows tracebacks")


SECTIONS: dict[str, type[BaseModel]] = {
    "app": AppSettings,
    "memory": MemorySettings,
    "run": RunSettings,
    "runner": RunnerSettings,
    "policy": Policy,
    "ssh": SshSettings,
    "chat": ChatSettings,
    "notify": NotifySettings,
    "privacy": PrivacySettings,
    "dataset": DatasetSettings,
}


class Settings(BaseModel):
    """All settings, validated; `sources` tells for each dotted name where its value came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    app: AppSettings
    memory: MemorySettings
    run: RunSettings
    runner: RunnerSettings
    chat: ChatSettings
    privacy: PrivacySettings
    dataset: DatasetSettings
    sources: dict[str, str]

    @property
    def debug(self) -> bool:
        """Whether a person wants tracebacks."""
        return self.app.debug or self.app.log_level == "debug"

    @property
    def home(self) -> Path:
        """The state folder."""
        return Path(self.memory.home)

    def rows(self) -> list[dict[str, Any]]:
        """One row per setting: `name`, `value` (secrets masked), `source`, and the `variable` that sets it."""
        return [
            {"name": name, "value": _shown(name, self._value(name)), "source": self.sources[name], "variable": variable}
            for name, variable in names().items()
        ]

    def _value(self, name: str) -> Any:
        section, key = name.split(".")
        owner = getattr(self.runner if section in RUNNERS_OWN else self, section)
        return getattr(owner, key)


@dataclass
class Found:
    """Raw values by dotted name, and where each came from; later layers overwrite earlier ones."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: Any, source: str) -> None:
        """Take a value of a stronger layer."""
        self.values[name] = value
        self.sources[name] = source

    def section(self, section: str) -> dict[str, Any]:
        """The raw values of one section."""
        start = section + "."
        return {name.removeprefix(start): value for name, value in self.values.items() if name.startswith(start)}


def load(
    *,
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read every layer and validate it.

    Args:
        config: `--config FILE`; else `NEUROLOOM_CONFIG`, else `<XDG config>/neuroloom/config.toml` where it exists.
        flags: Values of flags by dotted name, such as `{"run.seed": 3}`; None means "not given".
        environ: The environment; the process's own by default.

    Raises:
        UsageError: unknown names (with the nearest known ones), unreadable files, values of the wrong type.
    """
    env = os.environ if environ is None else environ
    found = Found()
    found.put("memory.home", state_folder(env), "default")
    path = config or config_file(env)
    if path is not None:
        _read_file(path, found)
    _read_environment(env, found)
    for name, value in (flags or {}).items():
        if value is not None:
            found.put(name, value, f"flag --{name.split('.')[-1].replace('_', '-')}")
    return _assemble(found)


def names() -> dict[str, str]:
    """Every dotted setting name, and the environment variable that sets it."""
    short = {name: variable for variable, name in ALIASES.items()}
    every = [
        f"{section}.{key}"
        for section, model in SECTIONS.items()
        for key in model.model_fields
        if not (section == "runner" and key in FROM_OTHER_SECTIONS) and key != "kind"
    ]
    return {name: short.get(name, _variable(name)) for name in every}


def wants_debug(config: Path | None = None, environ: Mapping[str, str] | None = None) -> bool:
    """Whether tracebacks are asked for; settings that are themselves wrong count as far as the environment goes."""
    try:
        return load(config=config, environ=environ).debug
    except UsageError:
        env = os.environ if environ is None else environ
        return env.get("DEBUG", "").strip().lower() in ON


def search_path(environ: Mapping[str, str] | None = None) -> str:
    """Folders where system tools are looked for."""
    return (os.environ if environ is None else environ).get("PATH", os.defpath)


def environment() -> dict[str, str]:
    """The process's whole environment, for whoever has to keep its secrets out of what is sent."""
    return dict(os.environ)


def _variable(name: str) -> str:
    section, key = name.split(".")
    word = key if section == "app" else f"{section}_{key}"
    return PREFIX + word.upper()


def _read_file(path: Path, found: Found) -> None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"cannot read the configuration file {str(path)!r}: {why}",
            code="usage.config_file",
            field="config",
            fix="give a readable TOML file, for example one with the lines `[run]` and `seed = 1`",
        ) from error
    known = names()
    for name, value in _flat(content):
        if name not in known:
            raise _unknown(name, known, f"the file {str(path)!r}")
        found.put(name, value, f"file {path}")


def _flat(content: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict) and key in SECTIONS:
            yield from ((f"{key}.{inner}", found) for inner, found in value.items())
        else:
            yield (f"app.{key}" if key in AppSettings.model_fields else key), value


def _read_environment(env: Mapping[str, str], found: Found) -> None:
    by_variable = {variable: name for name, variable in names().items()}
    by_variable.update({_variable(name): name for name in ALIASES.values()})
    for variable in sorted(env, key=lambda word: word in ALIASES):
        name = by_variable.get(variable)
        if name is None:
            _refuse_misspelt(variable, by_variable)
        elif env[variable] != "" and not _of_another_tool(variable, env[variable]):
            found.put(name, _from_text(name, env[variable]), f"environment {variable}")


def _of_another_tool(variable: str, text: str) -> bool:
    """`DEBUG` belongs to everybody: one that is no yes or no, such as `DEBUG=express:*`, is not meant for us."""
    return variable == "DEBUG" and text.strip().lower() not in {*ON, *OFF}


def _from_text(name: str, text: str) -> Any:
    section, key = name.split(".")
    if str(SECTIONS[section].model_fields[key].annotation).startswith("tuple"):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text.strip().lower() if name in {"app.log_level", "app.debug"} else text


def _refuse_misspelt(variable: str, known: Mapping[str, str]) -> None:
    """A variable that is nearly one of ours is a slip; others with our prefix belong to somebody else's tools."""
    if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
        return
    if difflib.get_close_matches(variable, known, n=1, cutoff=NEAR):
        raise _unknown(variable, known, "the environment")


def _unknown(name: str, known: Iterable[str], where: str) -> UsageError:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(word) for word in near)}?" if near else ""
    return UsageError(
        f"unknown setting {name!r} in {where}{hint}",
        code="usage.unknown_setting",
        field=name,
        fix="`neuroloom config` lists every setting; correct or remove this one",
    )


def _assemble(found: Found) -> Settings:
    built = {section: _validated(section, found) for section in SECTIONS if section != "runner"}
    runner = _validated("runner", found, _from_other_sections(built))
    sources = {name: found.sources.get(name, "default") for name in names()}
    own = {section: model for section, model in built.items() if section not in RUNNERS_OWN}
    return Settings.model_validate({**own, "runner": runner, "sources": sources})


def _from_other_sections(built: Mapping[str, BaseModel]) -> dict[str, Any]:
    """What the runner gets from the other sections."""
    parts = {name: built[name] for name in ("memory", *sorted(RUNNERS_OWN))}
    home, level = built["memory"].model_dump()["home"], built["app"].model_dump()["log_level"]
    return {**parts, "home": home, "log_level": level}


def _validated(section: str, found: Found, nested: Mapping[str, Any] | None = None) -> BaseModel:
    try:
        return SECTIONS[section].model_validate({**found.section(section), **(nested or {})})
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{section}.{first['loc'][0]}" if first["loc"] else section
        raise UsageError(
            f"{name} = {_shown(name, first['input'])!r} (from {found.sources.get(name, 'default')}): {first['msg']}",
            code="usage.setting",
            field=name,
            fix="correct it there; `neuroloom config` lists every setting and where it comes from",
        ) from error


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [str(one) for one in value]
    if name == "memory.url" and value:
        return without_password(str(value))
    secret = any(word in name.split(".")[1].split("_") for word in SECRET_WORDS)
    return "********" if secret and value else value


def without_password(url: str) -> str:
    """The address as it may be shown."""
    head, at, tail = url.rpartition("@")
    if not at or "://" not in head:
        return url
    scheme, _, login = head.partition("://")
    user, colon, _ = login.partition(":")
    return f"{scheme}://{user}{colon}{'********' if colon else ''}@{tail}"
