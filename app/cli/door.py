"""What every command gets: its output options, the settings and the open services. It knows no command."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from app.cli.examples import with_example

if TYPE_CHECKING:
    from app.services import Services
    from app.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Door:
    """One invocation: `--json`, `--debug`, `--config`, and where its words go."""

    json: bool = False
    debug: bool = False
    config: Path | None = None

    @property
    def live(self) -> bool:
        """Whether somebody looks at a terminal."""
        return not self.json and sys.stdout.isatty()

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked."""
        return self.live and sys.stdin.isatty()

    def settings(self, flags: Mapping[str, Any] | None = None) -> Settings:
        """All settings, with this command's flags on top."""
        from app.settings import load

        debug = {"app.debug": True} if self.debug else {}
        return load(config=self.config, flags={**debug, **(flags or {})})

    @asynccontextmanager
    async def open(self, settings: Settings | None = None) -> AsyncIterator[Services]:
        """The services, on an open memory."""
        from app import wiring

        async with wiring.open_services(settings or self.settings(), self.aside) as services:
            yield services

    def call(self, work: Callable[[Services], Coroutine[Any, Any, T]], settings: Settings | None = None) -> T:
        """Open the services, do one piece of work, close them."""

        async def whole() -> T:
            async with self.open(settings) as services:
                return await work(services)

        return asyncio.run(whole())

    def say(self, document: Any, words: str | Callable[[], str] = "", *, styled: bool = False) -> None:
        """Print the document with `--json`, else the words, without control characters of the data.

        Args:
            document: What `--json` prints.
            words: What people read.
            styled: Whether the words have colours; what they quote was cleaned then.
        """
        from app.cli.figures import clean_lines, json_text

        if self.json:
            click.echo(json_text(document))
        else:
            text = words() if callable(words) else words
            if text:
                click.echo(text if styled else clean_lines(text))

    def aside(self, text: str) -> None:
        """Say something on standard error, also with `--json`."""
        from app.cli.figures import clean_lines

        click.echo(clean_lines(text), err=True)

    def note(self, text: str) -> None:
        """Say something beside the result; never on standard output."""
        if not self.json:
            self.aside(text)


def command_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`, `--debug` and `--config`, and hand the command a `Door` as its first argument."""

    @click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
    @click.option("--debug", is_flag=True, help="Show tracebacks (also DEBUG=true).")
    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Settings file (TOML) to use instead of the usual one.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, as_json: bool, debug: bool, config: Path | None, **options: Any) -> Any:
        return command(Door(as_json, debug, config), *args, **options)

    return with_example(wrapped)
