"""`neuroloom auth`: keep, show and forget the login of a backend. Secrets come from a prompt or standard input."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.examples import with_example

if TYPE_CHECKING:
    from app.credentials import Credentials

BACKENDS = {
    "local": None,
    "e2b": "API key of E2B",
    "docker": "token of the image registry",
    "ssh": "passphrase of the SSH key",
    "anthropic": "API key of Anthropic",
    "openai": "API key of the OpenAI-compatible server",
}
NAME = click.argument("backend", type=click.Choice(tuple(BACKENDS)))


@click.group(short_help="Keep, show or forget the login of a backend.")
@with_example
def auth() -> None:
    """Keep, show or forget the login of a backend. `local` needs none.

    Example:
      neuroloom auth login e2b
    """


@auth.command(short_help="Keep the secret of a backend.")
@NAME
@command_options
def login(door: Door, backend: str) -> int:
    """Keep the secret of BACKEND: in the system's keyring, else in a file only you can read.

    It is asked for without echo, or read from standard input; never from the command line's arguments.

    Example:
      neuroloom auth login e2b < key.txt
    """
    what = BACKENDS[backend]
    if what is None:
        door.say({"backend": backend, "needed": False, "kept": None}, f"{backend} needs no login")
        return failures.OK
    secret = _secret(what)
    kept = _credentials(door).keep(backend, secret)
    door.say({"backend": backend, "needed": True, "kept": kept}, f"kept in {_place(kept)}")
    return failures.OK


@auth.command(short_help="Say which logins are kept, and where.")
@click.argument("backend", type=click.Choice(tuple(BACKENDS)), required=False)
@command_options
def status(door: Door, backend: str | None) -> int:
    """Say which logins are kept and where; the secrets are not shown.

    Example:
      neuroloom auth status
    """
    credentials = _credentials(door)
    names = [backend] if backend else list(BACKENDS)
    rows = [{"backend": n, "needed": BACKENDS[n] is not None, "kept": credentials.where(n)} for n in names]
    words = [
        f"{row['backend']}: "
        + (_place(str(row["kept"])) if row["kept"] else "no login kept" if row["needed"] else "needs none")
        for row in rows
    ]
    door.say({"logins": rows}, "\n".join(words))
    return failures.OK


@auth.command(short_help="Forget the secret of a backend.")
@NAME
@command_options
def logout(door: Door, backend: str) -> int:
    """Forget the secret of BACKEND.

    Example:
      neuroloom auth logout e2b
    """
    forgot = _credentials(door).forget(backend)
    door.say({"backend": backend, "forgotten": forgot}, "forgotten" if forgot else f"no login of {backend} was kept")
    return failures.OK


def _credentials(door: Door) -> Credentials:
    from app.credentials import Credentials

    return Credentials(door.settings().home)


def _secret(what: str) -> str:
    if sys.stdin.isatty():
        typed: str = click.prompt(what, hide_input=True, err=True)
        return typed.strip()
    return sys.stdin.read().strip()


def _place(kept: str) -> str:
    return "the system's keyring" if kept == "keyring" else f"{kept} (only you can read it)"
