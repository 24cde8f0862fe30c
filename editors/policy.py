"""What a tool of an editor may not touch: runs under `neural/`, and the state folder. Everything else passes.

A run's folder holds checkpoints, the sealed attempts that gates were measured on and what is served; the state folder
holds memory. Both have commands of their own (`neuroloom rm`, `neuroloom down`). The person's files in `neural/` are
free.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from editors.expansion import Scope
from editors.payload import Payload
from editors.reach import is_wild, reached
from editors.shell import touched
from editors.tools import Touch
from phases.identity import RUN_ID

CHANGES = re.compile(r"write|edit|create|replace|insert|delete|remove|rename|move|patch|save", re.I)
REMOVES = re.compile(r"delete|remove|rename|move", re.I)
MOST_PATHS = 2000


def objection(payload: Payload, state: Path, person: Path) -> str | None:
    """Why a tool call is refused, or None.

    Args:
        payload: The call.
        state: The state folder.
        person: The person's home folder.
    """
    if payload.command is not None:
        return object_to_command(payload.command, payload.place, state, person)
    if payload.files and (CHANGES.search(payload.tool) or not payload.tool):
        removes = REMOVES.search(payload.tool) is not None
        touches = [Touch(payload.place / name, removes) for name in payload.files]
        return _first(touches, state, _workspace(payload.place))
    return None


def object_to_command(command: str, place: Path, state: Path, person: Path) -> str | None:
    """Why a shell command is refused, or None; a line whose quotes do not close is the shell's to refuse."""
    scope = Scope(place, person, _workspace(place), state)
    try:
        return _first(list(islice(touched(command, scope), MOST_PATHS)), state, scope.root)
    except (ValueError, RecursionError):
        lines = command.splitlines()
        return next(
            filter(None, (object_to_command(one, place, state, person) for one in lines if len(lines) > 1)), None
        )


def object_to_file(path: Path, state: Path) -> str | None:
    """Why a file may not be changed, or None."""
    return _first([Touch(path, False)], state, path.parent)


def _workspace(place: Path) -> Path:
    """The folder with `neural` in it, at the place or above it; the place where there is none."""
    return next((one for one in (place, *place.parents) if (one / "neural").is_dir()), place)


def _first(touches: Iterable[Touch], state: Path, root: Path) -> str | None:
    real_state = _real(state)
    for path, whole in islice(_spread(touches, root, state), MOST_PATHS):
        for place in dict.fromkeys((Path(os.path.normpath(path)), _real(path))):
            if reason := _of_run(place, whole) or _of_state(place, real_state, whole):
                return reason
    return None


def _spread(touches: Iterable[Touch], root: Path, state: Path) -> Iterator[Touch]:
    """Each path, and with wild cards what it reaches of what is held."""
    for path, whole in dict.fromkeys(touches):
        yield Touch(path, whole)
        if is_wild(str(path)):
            yield from (Touch(one, whole) for one in reached(path, root, state))


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return Path(os.path.normpath(path))


def _of_run(path: Path, whole: bool) -> str | None:
    """A path in or at the folder of a run, or above one that would go with it."""
    parts = path.parts
    for at in range(1, len(parts)):
        name = parts[at]
        if parts[at - 1] == "neural" and (RUN_ID.fullmatch(name) or name == "latest"):
            run = name if name != "latest" else "RUN"
            return (
                f"neural/{name} belongs to a run: its state, checkpoints and measured artifacts are not changed by "
                f"hand. Copy what you need to neural/scripts or neural/configs and change the copy; delete a run "
                f"with `neuroloom rm {run}`."
            )
    held = _run_below(path) if whole else None
    if held is None:
        return None
    return (
        f"{path.name or path}/ holds neural/{held}, the state and checkpoints of a run. Name the files that you mean, "
        f"or delete runs with `neuroloom rm RUN`."
    )


def _run_below(path: Path) -> str | None:
    """A run in this folder, where it is a workspace or its `neural`."""
    place = path if path.name == "neural" else path / "neural"
    try:
        return next((one.name for one in place.iterdir() if RUN_ID.fullmatch(one.name)), None)
    except OSError:
        return None


def _of_state(path: Path, state: Path, whole: bool) -> str | None:
    if path == state or state in path.parents or (whole and path in state.parents and state.exists()):
        return (
            "Neuroloom's state folder holds the memory, queue and deployments of all runs and is not changed by hand. "
            "Stop everything with `neuroloom down`; delete a run with `neuroloom rm RUN`."
        )
    return None
