"""`neuroloom dataset`: tables kept by name, and what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.examples import with_example
from app.cli.names import dataset_names

if TYPE_CHECKING:
    from app.services import Services
    from phases.datasets import ColumnView, DatasetProfile, DatasetView, Profiling

LOOK_SECONDS = 5.0


@click.group(short_help="Keep, list, profile and remove tables by name.")
@with_example
def dataset() -> None:
    """Keep tables by name, and see what they hold without a raw cell.

    Example:
      neuroloom dataset profile penguins.csv --target species
    """


@dataset.command(short_help="Keep a copy of a table under a name.")
@click.argument("path", type=click.Path())
@click.option("--name", help="Lower-case letters, digits and hyphens; made from the file's name by default.")
@command_options
def add(door: Door, path: str, name: str | None) -> int:
    """Keep a copy of the table PATH in this folder's neural/datasets.

    Example:
      neuroloom dataset add exports/churn-2026.csv --name churn
    """

    async def work(services: Services) -> DatasetView:
        return await services.datasets.anywhere().add_path(path, name)

    found = door.call(work)
    door.say(found.model_dump(mode="json"), f"{found.name}: {found.bytes:,} bytes, SHA-256 {found.sha256[:12]}")
    return failures.OK


@dataset.command("list", short_help="List the kept tables.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True, help="After how many.")
@command_options
def names(door: Door, limit: int, offset: int) -> int:
    """List the tables that this folder keeps.

    Example:
      neuroloom dataset list --json
    """

    async def work(services: Services) -> tuple[list[DatasetView], int]:
        return list(await services.datasets.list(limit, offset)), await services.datasets.count()

    found, total = door.call(work)
    lines = [f"{one.name}  {_rows(one.rows)}{one.bytes:,} bytes  {one.source} {one.added_at}" for one in found]
    shown = "\n".join(lines) or "no datasets yet: neuroloom dataset add PATH"
    door.say({"datasets": [one.model_dump(mode="json") for one in found], "total": total}, shown)
    return failures.OK


@dataset.command(short_help="Say what a table holds.")
@click.argument("table", metavar="NAME|PATH", shell_complete=dataset_names)
@click.option("--target", help="The column to be predicted: its classes and leaks are told too.")
@command_options
def profile(door: Door, table: str, target: str | None) -> int:
    """Say what the table NAME or PATH holds: columns, missing values, likely target, warnings. No raw cell is shown.

    Example:
      neuroloom dataset profile churn --target churned
    """

    async def work(services: Services) -> DatasetProfile:
        found: DatasetProfile | Profiling | None = None
        while found is None or found.state == "profiling":
            if found is not None:
                door.note(f"profiling {table} …")
            found = await services.datasets.anywhere().profile(table, target, LOOK_SECONDS)
        return found

    found = door.call(work)
    door.say(found.model_dump(mode="json"), lambda: _words(found))
    return failures.OK


@dataset.command(short_help="Remove a kept table.")
@click.argument("name", shell_complete=dataset_names)
@command_options
def rm(door: Door, name: str) -> int:
    """Remove the kept table NAME and its profile; the file it was copied from and runs made of it stay.

    Example:
      neuroloom dataset rm churn
    """

    async def work(services: Services) -> DatasetView:
        return await services.datasets.remove(name)

    found = door.call(work)
    door.say({"removed": found.name, "bytes": found.bytes}, f"removed {found.name}")
    return failures.OK


def _rows(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,} rows  "


def _words(found: DatasetProfile) -> str:
    from app.cli.figures import clean

    lines = [f"{clean(found.name)}: {found.rows:,} rows, {len(found.columns)} columns"]
    lines += [f"  {clean(one.name)}  {_column(one)}" for one in found.columns]
    if found.target is not None:
        classes = ", ".join(f"{clean(one.label)} {one.rows:,}" for one in found.classes[:20])
        lines.append(f"target {clean(found.target)}: {found.task}" + (f" ({classes})" if classes else ""))
    elif found.proposed_target is not None:
        lines.append(f"likely target: {clean(found.proposed_target)} ({found.reason})")
    return "\n".join([*lines, *(f"! {clean(one)}" for one in found.warnings)])


def _column(one: ColumnView) -> str:
    from app.cli.figures import clean, number

    parts: list[Any] = [one.kind]
    if one.missing_share:
        parts.append(f"{one.missing_share:.1%} missing")
    if one.personal:
        parts.append(f"personal: {one.personal}")
    if one.numbers is not None:
        low, middle, high = (number(float(one or 0)) for one in (one.numbers.q25, one.numbers.median, one.numbers.q75))
        parts.append(f"about {middle}, middle half {low} to {high}")
    elif one.categories:
        parts.append(", ".join(f"{clean(c.value)} {c.rows:,}" for c in one.categories[:5]))
    else:
        parts.append(f"{one.distinct:,} different values")
    return ", ".join(parts)
