"""`neuroloom memory`: read the shared neural/* keys, and assert values beside them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.examples import with_example
from app.cli.names import memory_keys, run_ids

if TYPE_CHECKING:
    from app.services import Services


@click.group(short_help="Read and write the shared neural/* memory.")
@with_example
def memory() -> None:
    """Read and write the shared neural/* memory of a run.

    Example:
      neuroloom memory get training-metrics
    """


@memory.command(short_help="Print a value.")
@click.argument("key", shell_complete=memory_keys)
@click.option("--run", default="latest", shell_complete=run_ids, help="Of this run; the latest by default.")
@click.option("--envelope", is_flag=True, help="With version, writer, time and provenance.")
@command_options
def get(door: Door, key: str, run: str, envelope: bool) -> int:
    """Print the value of KEY (`training-metrics` or `neural/training-metrics`) as JSON.

    What a person asserted is given where nothing was measured or decided; `asserted/KEY` always means that.

    Example:
      neuroloom memory get neural/architecture --run latest
    """

    async def work(services: Services) -> Any:
        return await services.notes.get(run, key.removeprefix("neural/"), envelope=True)

    from app.cli.figures import json_text

    found = door.call(work)
    click.echo(json_text(found if envelope else found["value"]))
    if not envelope and (found.get("provenance") or {}).get("kind") == "asserted":
        door.note(f"asserted by {found['written_by']}, neither measured nor decided")
    return failures.OK


@memory.command("set", short_help="Keep a value as asserted.")
@click.argument("key")
@click.argument("value")
@click.option("--run", default=None, shell_complete=run_ids, help="Of this run; the latest by default.")
@command_options
def put(door: Door, key: str, value: str, run: str | None) -> int:
    """Keep VALUE (JSON, else text) under KEY, marked as asserted by a person: shown, never used by a gate.

    Example:
      neuroloom memory set note '"checked by hand"'
    """
    try:
        parsed = json.loads(value, parse_constant=lambda word: word)
    except json.JSONDecodeError:
        parsed = value

    async def work(services: Services) -> str:
        return await services.notes.set(key.removeprefix("neural/"), parsed, run=run, by="cli")

    written = door.call(work)
    door.say({"key": written, "value": parsed}, f"kept as asserted: {written}")
    return failures.OK


@memory.command(short_help="Keep a value, as the reference system's prompts do.")
@click.argument("words", nargs=-1, metavar="[KEY] [VALUE]")
@click.option("--key", help="The key.")
@click.option("--value", help="The value; an object or a list in JSON is kept as that.")
@click.option("--namespace", hidden=True)
@command_options
def store(door: Door, words: tuple[str, ...], key: str | None, value: str | None, namespace: str | None) -> int:  # noqa: ARG001 - there is one namespace
    """Keep VALUE under KEY as asserted; the same as `memory set`, in the reference system's words.

    Example:
      neuroloom memory store --key neural/phase1-complete --value '{"status": "complete"}'
    """
    left = list(words)
    key = key if key is not None else _next(left, "key")
    value = value if value is not None else _next(left, "value")
    parsed = _structured(value)

    async def work(services: Services) -> str:
        return await services.notes.set(key.removeprefix("neural/"), parsed, by="cli")

    written = door.call(work)
    door.say({"key": written, "value": parsed}, f"kept as asserted: {written}")
    return failures.OK


def _next(words: list[str], what: str) -> str:
    if not words:
        raise click.UsageError(f"no {what} was given; give --{what}")
    return words.pop(0)


def _structured(text: str) -> Any:
    """Objects and lists as such; every other text as it is, so that it is read back as it was written."""
    try:
        found = json.loads(text, parse_constant=lambda word: word)
    except (json.JSONDecodeError, RecursionError):
        return text
    return found if isinstance(found, dict | list) else text


@memory.command(short_help='Print {"value": ...}, as the reference system does.')
@click.argument("words", nargs=-1, metavar="[KEY]")
@click.option("--key", help="The key.")
@click.option("--namespace", hidden=True)
@command_options
def retrieve(door: Door, words: tuple[str, ...], key: str | None, namespace: str | None) -> int:  # noqa: ARG001 - there is one namespace
    """Print `{"value": …}` of KEY; a key without a value is `null`, told on standard error, and exit code 4.

    Example:
      neuroloom memory retrieve --key neural/training-status
    """
    from memory.errors import InputError

    asked = key if key is not None else _next(list(words), "key")

    async def work(services: Services) -> Any:
        return await services.notes.get("latest", asked.removeprefix("neural/"))

    from app.cli.figures import json_text

    try:
        found, code = door.call(work), failures.OK
    except InputError as error:
        found, code = None, failures.BAD_INPUT
        door.aside(error.message)
    click.echo(json_text({"value": found}))
    return code


@memory.command("list", short_help="List the keys that have a value.")
@click.argument("of", metavar="[RUN]", default="latest", shell_complete=run_ids)
@click.option("--run", shell_complete=run_ids, help="The same as RUN.")
@command_options
def names(door: Door, of: str, run: str | None) -> int:
    """List the keys of RUN that have a value; asserted ones begin with `asserted/`.

    Example:
      neuroloom memory list latest
    """

    async def work(services: Services) -> list[str]:
        return list(await services.notes.list(run or of))

    found = door.call(work)
    door.say({"keys": found}, "\n".join(found))
    return failures.OK
