"""`neuroloom mcp-token`: make, list and revoke the tokens of the chat door over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.examples import with_example

if TYPE_CHECKING:
    from mcp_server.tokens import Token, Tokens


@click.group(short_help="Tokens of the chat door over HTTP.")
@with_example
def tokens() -> None:
    """Make, list and revoke the tokens that `neuroloom mcp --http` asks for. Only their hashes are kept.

    Example:
      neuroloom mcp-token create laptop --scope train --days 30
    """


@tokens.command(short_help="Make a token and print it, once.")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("read",),
    show_default=True,
    help="read, train, deploy or admin; each holds the ones before it.",
)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Good for so many days; else for ever.")
@command_options
def create(door: Door, name: str, scopes: tuple[str, ...], days: float | None) -> int:
    """Make a token called NAME and print it: this is the only time that it can be seen.

    Example:
      neuroloom mcp-token create dashboard --scope read
    """
    made = _tokens(door).create(name, scopes, days)
    door.say({"name": name, "scopes": list(scopes), "token": made}, made)
    door.note("send it as `Authorization: Bearer <token>`; it is not shown again")
    return failures.OK


@tokens.command("list", short_help="List the tokens.")
@command_options
def listed(door: Door) -> int:
    """List names, scopes, expiry and last use; the tokens themselves are nowhere.

    Example:
      neuroloom mcp-token list
    """
    rows = [_row(token) for token in _tokens(door).list()]
    words = [
        f"{row['name']}: {', '.join(row['scopes'])}; last used {row['last_used_at'] or 'never'}"
        + (f"; until {row['expires_at']}" if row["expires_at"] else "")
        for row in rows
    ]
    door.say({"tokens": rows}, "\n".join(words) or "no tokens")
    return failures.OK


@tokens.command(short_help="Revoke a token.")
@click.argument("name")
@command_options
def revoke(door: Door, name: str) -> int:
    """Revoke the token called NAME; servers that run refuse it from the next call on.

    Example:
      neuroloom mcp-token revoke laptop
    """
    _tokens(door).revoke(name)
    door.say({"name": name, "revoked": True}, f"revoked: {name}")
    return failures.OK


def _tokens(door: Door) -> Tokens:
    from mcp_server.tokens import Tokens

    return Tokens(door.settings().home)


def _row(token: Token) -> dict[str, Any]:
    return token.model_dump(mode="json", exclude={"sha256"})
