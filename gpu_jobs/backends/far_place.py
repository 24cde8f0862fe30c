"""Makes a far machine ready once: root folder, environment by content hash, our code by content hash. No jobs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_jobs.backends import far_boot, far_code
from gpu_jobs.backends.ssh_connect import lost
from gpu_jobs.backends.ssh_settings import SshSettings
from memory.errors import BackendError

if TYPE_CHECKING:
    import asyncssh

MOST_TOLD = 600


@dataclass(frozen=True)
class FarPlace:
    """Where things are on the far machine.

    Attributes:
        root: The root folder, absolute.
        python: The interpreter for everything of ours.
        code: Folder of our code.
        differing: Libraries that are there in another version than here, as `{"torch": "2.7.0"}`.
    """

    root: str
    python: str
    code: str
    differing: Mapping[str, str]


async def prepare(
    connection: asyncssh.SSHClientConnection, settings: SshSettings, wanted: dict[str, str] | None = None
) -> FarPlace:
    """Find or make what a job needs there.

    Args:
        connection: An open one.
        settings: Root and, where a person has prepared one, interpreter.
        wanted: Libraries and versions; ours by default.

    Raises:
        BackendError: `backend.no_python`, `backend.no_libraries`, `backend.environment`.
    """
    wanted = far_code.versions() if wanted is None else wanted
    (code, packed), (environment, listed) = far_code.packed_code(), far_code.requirements(wanted)
    boot = _Boot(connection, settings)
    names = (settings.python,) if settings.python else far_code.pythons()
    base, found = await boot.look(names, code, environment, wanted)
    root = found["root"]
    if not found["code"]:
        await boot.do(base, "code", code, packed)
    if settings.python:
        return FarPlace(root, base, f"{root}/{code}", _differing(settings, found["packages"], wanted))
    if not found["environment"]:
        await boot.do(base, "env", environment, listed)
    return FarPlace(root, f"{root}/{environment}/bin/python", f"{root}/{code}", {})


def _differing(settings: SshSettings, there: Mapping[str, str | None], wanted: Mapping[str, str]) -> dict[str, str]:
    missing = sorted(name for name, version in there.items() if version is None)
    if missing:
        raise BackendError(
            f"{settings.python!r} on {settings.address} lacks {', '.join(missing)}",
            code="backend.no_libraries",
            field="ssh.python",
            fix=f"{settings.python} -m pip install {' '.join(missing)} there, or leave ssh.python out: an environment "
            "is then made",
        )
    found = {name: str(version).partition("+")[0] for name, version in there.items()}
    return {name: version for name, version in found.items() if version != wanted[name]}


class _Boot:
    """Runs `far_boot` by a Python there, sent as text: nothing of ours need be there yet."""

    def __init__(self, connection: asyncssh.SSHClientConnection, settings: SshSettings) -> None:
        self._connection = connection
        self._root, self._address = settings.root, settings.address
        self._source = Path(far_boot.__file__).read_text(encoding="utf-8")

    async def look(
        self, pythons: Sequence[str], code: str, environment: str, wanted: Mapping[str, str]
    ) -> tuple[str, dict[str, Any]]:
        """The first interpreter of a version that we support, and what it sees."""
        told = []
        for python in pythons:
            done = await self._run(python, "look", code, environment, ",".join(wanted))
            try:
                found = json.loads(_text(done.stdout).splitlines()[-1])
            except (ValueError, IndexError):
                told.append(f"{python}: {_last(done)}")
                continue
            if tuple(found["version"]) in far_code.PYTHONS:
                return python, found
            told.append(f"{python} is {'.'.join(map(str, found['version']))}")
        raise BackendError(
            f"no Python 3.11 or 3.12 on the far machine: {'; '.join(told)[:MOST_TOLD]}",
            code="backend.no_python",
            field="ssh.python",
            fix="install one there with its venv module, or name an interpreter as ssh.python",
        )

    async def do(self, python: str, what: str, name: str, data: bytes) -> None:
        """Have something made there."""
        done = await self._run(python, what, name, data=data)
        if done.exit_status != 0:
            told = f"could not make {name} on the far machine: {_last(done)}"
            raise BackendError(told, code="backend.environment", fix="look at its disk and its way to a package index")

    async def _run(self, python: str, what: str, *names: str, data: bytes = b"") -> Any:
        argv = [python, "-I", "-c", self._source, what, self._root, *names]
        import asyncssh

        try:
            done = await self._connection.run(shlex.join(argv), input=data, encoding=None, check=False)
        except (OSError, asyncssh.Error) as problem:
            raise lost(self._address, str(problem)) from problem
        if done.exit_status is None:  # neither a code nor a signal was told: the connection went
            raise lost(self._address)
        return done


def _text(data: Any) -> str:
    return bytes(data or b"").decode(errors="replace")


def _last(done: Any) -> str:
    lines = _text(done.stderr).strip().splitlines()
    return lines[-1][:MOST_TOLD] if lines else f"exit code {done.exit_status}"
