"""`neuroloom mcp`: the server that a chat client starts, or that listens for one. It imports `mcp` only when used."""

from __future__ import annotations

import logging
import sys

import click

from app.cli import failures
from app.cli.examples import with_example


@click.command("mcp", short_help="Serve a chat client (stdio, or HTTP on this machine).")
@click.option("--http", is_flag=True, help="Listen on this machine instead of talking on standard input.")
@click.option("--host", default=None, help="Address to listen on (127.0.0.1).")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="Port to listen on (8765); 0 takes a free one."
)
@click.option("--no-token", is_flag=True, help="Ask for no token; only on an address of this machine.")
@click.option("--allow-host", multiple=True, help="Also answer requests that name this host.")
@with_example
def mcp(http: bool, host: str | None, port: int | None, no_token: bool, allow_host: tuple[str, ...]) -> int:
    """Serve this folder's runs, models and data to a chat client: a path, a slash command or a sentence away.

    Example:
      claude mcp add neuroloom -- neuroloom mcp
      neuroloom mcp --http
    """
    from app.settings import load

    flags = {"chat.host": host, "chat.port": port, "chat.allowed_hosts": list(allow_host) or None}
    settings = load(flags={name: value for name, value in flags.items() if value is not None})
    logging.basicConfig(
        stream=sys.stderr, level=settings.app.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    from mcp_server.serving import serve

    serve(settings, http=http, token=not no_token)
    return failures.OK
