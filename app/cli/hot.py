"""`neuroloom hook EVENT` without click: an editor waits for every call. Whatever else is said goes to the command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from editors.payload import Format

FORMATS: tuple[Format, ...] = ("claude-code", "cursor", "vscode")


def hook(words: list[str]) -> int | None:
    """Answer `EVENT [--format EDITOR]` and return the exit code; None for words that need the whole command line."""
    joined = [part for word in words for part in (word.split("=", 1) if word.startswith("--format=") else [word])]
    wanted = next((one for one in FORMATS if joined[1:] == ["--format", one]), None)
    if not joined or joined[0].startswith("-") or (len(joined) > 1 and wanted is None):
        return None
    from app.folders import state_in_use
    from editors.hook_door import Place, serve

    return serve(joined[0], Place(state_in_use(), Path.home()), wanted)
