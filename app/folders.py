"""Where the person's configuration and the state folder are, told without loading the settings: a hook pays for it.

`app/settings.py` builds on the same two defaults; a test holds both to the same answer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def config_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Folder of the person's configuration file (XDG)."""
    env = os.environ if environ is None else environ
    xdg = env.get("XDG_CONFIG_HOME")
    if xdg:
        return Path(xdg) / "neuroloom"
    import platformdirs

    return platformdirs.user_config_path("neuroloom")


def state_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The default state folder (XDG)."""
    env = os.environ if environ is None else environ
    xdg = env.get("XDG_STATE_HOME")
    if xdg:
        return Path(xdg) / "neuroloom"
    import platformdirs

    return platformdirs.user_state_path("neuroloom")


def config_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The configuration file that counts where no flag names one; None when there is none."""
    env = os.environ if environ is None else environ
    if env.get("NEUROLOOM_CONFIG"):
        return Path(env["NEUROLOOM_CONFIG"])
    usual = config_folder(env) / "config.toml"
    return usual if usual.is_file() else None


def state_in_use(environ: Mapping[str, str] | None = None) -> Path:
    """The state folder that settings would give; a configuration file that cannot be read is passed over."""
    env = os.environ if environ is None else environ
    if env.get("NEUROLOOM_HOME"):
        return Path(env["NEUROLOOM_HOME"])
    path = config_file(env)
    return (_of_file(path) if path else None) or state_folder(env)


def _of_file(path: Path) -> Path | None:
    import tomllib

    try:
        section = tomllib.loads(path.read_text(encoding="utf-8")).get("memory")
    except (OSError, ValueError):
        return None
    home = section.get("home") if isinstance(section, dict) else None
    return Path(home) if isinstance(home, str) else None
