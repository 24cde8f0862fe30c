"""Logins of backends, kept in the system's keyring where there is one, else in a file only its owner can read.

A secret is never printed, logged or taken from the command line's arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from app.wiring import write_private
from memory.errors import UsageError

SERVICE = "neuroloom"
FILE = "credentials.json"


class Credentials:
    """The logins of one person; `folder` is the state folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    @cached_property
    def _keyring(self) -> Any:
        """The system's keyring, looked for when it is first needed; None where there is none."""
        return _usable_keyring()

    def keep(self, name: str, secret: str) -> str:
        """Keep a secret and say where: `keyring` or the file's path.

        Raises:
            UsageError: the secret is empty.
        """
        if not secret.strip():
            raise UsageError(f"the secret of {name!r} is empty", code="usage.empty_secret", field="secret",
                             fix="type it at the prompt, or pipe it in")  # fmt: skip
        if self._keyring is not None and _set(self._keyring, name, secret):
            self._drop_from_file(name)
            return "keyring"
        write_private(self.path, json.dumps({**self._file(), name: secret}))
        return str(self.path)

    def where(self, name: str) -> str | None:
        """Where the secret is kept, or None."""
        if self._keyring is not None and _get(self._keyring, name) is not None:
            return "keyring"
        return str(self.path) if name in self._file() else None

    def secret(self, name: str) -> str | None:
        """The secret itself, for the backend that needs it."""
        found = _get(self._keyring, name) if self._keyring is not None else None
        return found if found is not None else self._file().get(name)

    def every(self, names: Iterable[str]) -> list[str]:
        """All secrets of the file, and those that the keyring has under these names; for keeping them out of texts."""
        asked = list(names)
        kept = list(self._file().values())
        if asked and self._keyring is not None:
            kept += [found for name in asked if (found := _get(self._keyring, name)) is not None]
        return kept

    def forget(self, name: str) -> bool:
        """Delete the secret everywhere; False when there was none."""
        known = self.where(name) is not None
        if self._keyring is not None and _get(self._keyring, name) is not None:
            self._keyring.delete_password(SERVICE, name)
        self._drop_from_file(name)
        return known

    def _drop_from_file(self, name: str) -> None:
        kept = self._file()
        if kept.pop(name, None) is not None:
            write_private(self.path, json.dumps(kept))

    def _file(self) -> dict[str, str]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise UsageError(f"the credentials file {str(self.path)!r} cannot be read: {error}",
                             code="usage.credentials", field="credentials",
                             fix=f"correct or remove {self.path}, then log in again") from error  # fmt: skip
        return {str(key): str(value) for key, value in found.items()}


def _usable_keyring() -> Any:
    """The keyring module when it is installed and has a real backend; importing it has a cost, so it is late."""
    try:
        import keyring
    except ImportError:
        return None
    return keyring if keyring.get_keyring().priority >= 1 else None


def _set(keyring: Any, name: str, secret: str) -> bool:
    """Whether the keyring took it; a locked one refuses, and then the file is used."""
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, name, secret)
    except KeyringError:
        return False
    return True


def _get(keyring: Any, name: str) -> str | None:
    from keyring.errors import KeyringError

    try:
        found: str | None = keyring.get_password(SERVICE, name)
    except KeyringError:
        return None
    return found
