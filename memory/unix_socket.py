"""Addresses of Unix sockets in deep folders. It opens no connection and knows no protocol.

A socket's path holds at most 107 bytes on Linux. The server side binds a relative name after changing into
the folder; the client side goes through a descriptor of the folder, `/proc/self/fd/<n>/<name>`, which is
short whatever the folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from memory.errors import UsageError

PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux and 104 on macOS, the final NUL included


class SocketAddress:
    """The address of socket `name` in `folder`, valid until `close`; the folder must exist."""

    def __init__(self, folder: Path, name: str) -> None:
        self._descriptor: int | None = None
        self.path = str(folder / name)
        if len(os.fsencode(self.path)) > PATH_LIMIT:
            if not sys.platform.startswith("linux"):
                raise UsageError(
                    f"{self.path!r} is over {PATH_LIMIT} bytes, too long for a socket",
                    code="usage.home",
                    field="home",
                    fix="choose a state folder with a shorter path (NEUROLOOM_HOME)",
                )
            self._descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self.path = f"/proc/self/fd/{self._descriptor}/{name}"

    def close(self) -> None:
        """Give the folder's descriptor back; may be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> SocketAddress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
