"""Opens an SSH connection: the host key checked, tries with back-off, errors that say what to do. It sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_jobs.backends.ssh_settings import SshSettings
from memory.errors import BackendError

if TYPE_CHECKING:
    import asyncssh

WAITS = (2.0, 4.0, 8.0)
CONNECT_SECONDS = 15.0
KEEPALIVE_SECONDS, KEEPALIVES = 15, 4


async def connect(settings: SshSettings, waits: Sequence[float] = WAITS) -> asyncssh.SSHClientConnection:
    """A connection; a machine that does not answer is tried again after each of the waits, in seconds.

    Raises:
        BackendError: `backend.no_host`, `backend.no_extra`; `backend.unknown_host_key` or `backend.denied`, which no
            second try would change; `backend.unreachable` after the last try.
    """
    ssh = _library()
    if settings.host is None:
        raise BackendError(
            "no machine is named for the ssh backend", code="backend.no_host", field="ssh.host",
            fix="set NEUROLOOM_SSH_HOST, or in the configuration file: [ssh] and host = \"…\"",
        )  # fmt: skip
    for wait in (*waits, None):
        try:
            return await _once(ssh, settings)
        except (OSError, ssh.ConnectionLost, ssh.DisconnectError) as problem:
            refused = _refused(ssh, settings, problem)
            if refused is not None:
                raise refused from problem
            if wait is None:
                told = f"{settings.address} cannot be reached after {len(waits) + 1} tries: {_words(problem)}"
                raise BackendError(
                    told, code="backend.unreachable", field="ssh.host", fix=f"try it: ssh {_login(settings)}"
                ) from problem
            await asyncio.sleep(wait)
    raise AssertionError("the last try returns or raises")


def lost(address: str, why: str = "") -> BackendError:
    """The error of a connection that went while something was under way."""
    told = f": {why}" if why else ""
    return BackendError(
        f"the connection to {address} was lost{told}", code="backend.lost", fix="what runs there goes on; try again"
    )


def _library() -> Any:
    try:
        import asyncssh
    except ImportError as problem:
        raise BackendError(
            "the ssh backend needs the library asyncssh, which is not installed",
            code="backend.no_extra",
            field="backend",
            fix="pip install 'neuroloom[ssh]'",
        ) from problem
    asyncssh.set_log_level("ERROR")
    return asyncssh


async def _once(ssh: Any, settings: SshSettings) -> asyncssh.SSHClientConnection:
    """One try. The host's key must be in `known_hosts` or have the accepted fingerprint; nothing is learnt silently."""
    seen: list[str] = []

    class Client(ssh.SSHClient):  # type: ignore[misc]
        def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: Any) -> bool:
            seen.append(key.get_fingerprint())
            return settings.fingerprint is not None and seen[-1] == settings.fingerprint

    given: dict[str, Any] = {"port": settings.port, "username": settings.user}
    given["client_keys"] = [str(Path(settings.identity).expanduser())] if settings.identity else None
    try:
        made: asyncssh.SSHClientConnection = await ssh.connect(
            settings.host,
            client_factory=Client,
            known_hosts=_known_hosts(settings),
            connect_timeout=CONNECT_SECONDS,
            login_timeout=CONNECT_SECONDS,
            keepalive_interval=KEEPALIVE_SECONDS,
            keepalive_count_max=KEEPALIVES,
            **{name: value for name, value in given.items() if value is not None},
        )
    except ssh.HostKeyNotVerifiable as problem:
        raise _unknown_key(settings, seen) from problem
    return made


def _known_hosts(settings: SshSettings) -> str | bytes:
    """Always given, because the library takes `UserKnownHostsFile none` of a configuration for "check nobody"."""
    if settings.known_hosts is not None:
        return str(Path(settings.known_hosts).expanduser())
    default = Path("~/.ssh/known_hosts").expanduser()
    return str(default) if default.is_file() else b""  # nobody is known


def _unknown_key(settings: SshSettings, seen: list[str]) -> BackendError:
    shown = seen[-1] if seen else "unreadable"
    return BackendError(
        f"the host key of {settings.address} is not known: {shown}",
        code="backend.unknown_host_key",
        field="ssh.fingerprint",
        fix=f"compare it with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there); "
        f"if it is the same, set NEUROLOOM_SSH_FINGERPRINT={shown}",
    )


def _refused(ssh: Any, settings: SshSettings, problem: Exception) -> BackendError | None:
    """What another try would not change: a login that is not let in, a key file that is not there."""
    if isinstance(problem, ssh.PermissionDenied):
        return BackendError(
            f"{settings.address} does not let us in: {_words(problem)}",
            code="backend.denied",
            field="ssh.identity",
            fix=f"try it: ssh {_login(settings)}; name the key file as ssh.identity, or load it: ssh-add FILE",
        )
    if isinstance(problem, FileNotFoundError | PermissionError):
        return BackendError(_words(problem), code="backend.denied", field="ssh.identity")
    return None


def _login(settings: SshSettings) -> str:
    parts = [f"-p {settings.port}"] if settings.port else []
    parts += [f"-i {settings.identity}"] if settings.identity else []
    return " ".join([*parts, f"{settings.user}@{settings.host}" if settings.user else str(settings.host)])


def _words(problem: Exception) -> str:
    """What the library or the system says, as one line; a machine that says nothing was silent."""
    return " ".join(str(problem).split()) or "it did not answer in time"
