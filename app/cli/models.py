"""Commands on models: models, predict and retrain."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.names import deployment_names, run_ids

if TYPE_CHECKING:
    from app.cli.session import Session, Start
    from app.services import Services


@click.command(short_help="List the model versions of this folder.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out the newest so many.")
@command_options
def models(door: Door, limit: int, offset: int) -> int:
    """List the model versions that runs of this folder made, newest first.

    Example:
      neuroloom models --limit 5
    """

    async def work(services: Services) -> list[dict[str, Any]]:
        return list(await services.models.list(limit, offset))

    found = door.call(work)
    door.say({"models": found}, lambda: _listed(found))
    return failures.OK


def _listed(found: list[dict[str, Any]]) -> str:
    from app.cli.figures import clean, figure
    from app.cli.summary import table
    from memory.measurement import Measurement

    if not found:
        return "no models in this folder; make one: neuroloom run data.csv --target column"
    rows = [("model", "version", "run", "status", "metric", "bytes", "served by")]
    for one in found:
        value = Measurement.model_validate(one["value"]) if one["value"] else None
        score = f"{one['metric']} {figure(value)}" if value else ""
        size = "gone" if one["bytes"] is None else f"{one['bytes']:,}"
        served = ", ".join(map(clean, one["deployments"]))
        rows.append((clean(one["name"]), clean(one["version"]), one["run_id"], one["status"], score, size, served))
    return table(rows)


@click.command(short_help="Predict rows with a run's or deployment's model.")
@click.argument("target", metavar="RUN|NAME", shell_complete=run_ids)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--row", help="One row (or a list of rows) as JSON; `-` reads it from standard input.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where the predictions of FILE go.")
@click.option("--force", is_flag=True, help="Replace the file that is already there.")
@command_options
def predict(door: Door, target: str, file: Path | None, row: str | None, out: Path | None, force: bool) -> int:
    """Predict one --row, or every row of FILE into --out.

    Example:
      neuroloom predict latest --row '{"bill_length_mm": 39.1, "island": "Torgersen"}'
      neuroloom predict churn new.csv --out predicted.csv
    """
    if row is not None and file is None and out is None:
        rows = _rows(row)
        answer = _predicted(door, target, rows)
        door.say(answer, lambda: "\n".join(_words(one) for one in answer["predictions"]))
        return failures.OK
    source, place = _files(file, row, out, force)

    async def work(services: Services) -> dict[str, Any]:
        return await services.models.predict_file(target, source, place)

    done = door.call(work)
    added = ", ".join(map(repr, done.get("columns") or ()))
    count = done.get("rows")
    told = f"{count} row{'' if count == 1 else 's'} predicted into {place}"
    door.say(done, told + (f"; columns added: {added}" if added else ""))
    return failures.OK


def _predicted(door: Door, target: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    async def work(services: Services) -> dict[str, Any]:
        return await services.models.predict(target, rows)

    return door.call(work)


def _files(file: Path | None, row: str | None, out: Path | None, force: bool) -> tuple[Path, Path]:
    from memory.errors import InputError, UsageError

    if file is None or row is not None or out is None:
        raise UsageError("give either --row, or FILE with --out", code="usage.contradiction", field="row",
                         fix="neuroloom predict --help shows both forms")  # fmt: skip
    if not file.is_file():
        what = "no file" if not file.exists() else "a folder, a pipe or a device, not a regular file:"
        raise InputError(f"{what} {str(file)!r}", code="input.missing_file", field="file",
                         fix="give the path of a table with the columns of the training data")  # fmt: skip
    if out.exists() and not force:
        raise InputError(f"{str(out)!r} is already there", code="input.exists", field="out",
                         fix="choose another --out, or add --force to replace it")  # fmt: skip
    folder = out.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        why = "cannot be written" if folder.is_dir() else "is not there"
        raise InputError(f"the folder {str(folder)!r} of --out {why}", code="input.out", field="out",
                         fix="make it, or choose another --out")  # fmt: skip
    return file.absolute(), out.absolute()


def _rows(text: str) -> list[dict[str, Any]]:
    from memory.errors import InputError

    if text == "-":
        text = sys.stdin.read()
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--row is not JSON: {error}", code="input.row", field="row",
                         fix="write it as '{\"column\": value}', in single quotes") from error  # fmt: skip
    rows = parsed if isinstance(parsed, list) else [parsed]
    if not rows or not all(isinstance(one, dict) for one in rows):
        raise InputError("--row must be a JSON object (or a list of them)", code="input.row", field="row",
                         fix="write it as '{\"column\": value}'")  # fmt: skip
    return rows


def _words(prediction: dict[str, Any]) -> str:
    from app.cli.figures import clean, number

    if "label" in prediction:
        shares = prediction.get("probabilities") or {}
        ranked = sorted(shares.items(), key=lambda item: item[1], reverse=True)
        told = ", ".join(f"{clean(str(label))} {share:.1%}" for label, share in ranked[:5])
        return clean(str(prediction["label"])) + (f"  ({told})" if told else "")
    interval = prediction.get("interval")
    between = f"  ({number(interval[0])}–{number(interval[1])})" if interval else ""
    return number(float(prediction["value"])) + between


@click.command(short_help="The same recipe on new data; swapped only if better.")
@click.argument("name", shell_complete=deployment_names)
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Approve what the policy lets --yes approve.")
@click.option("--detach", is_flag=True, help="Queue it and return.")
@command_options
def retrain(door: Door, name: str, data: Path, yes: bool, detach: bool) -> int:
    """Train the deployment NAME again on DATA with the same recipe; it is swapped only if the new model is better.

    Example:
      neuroloom retrain churn churn-2026-11.csv
    """
    from app.cli.session import Session

    path = str(data.expanduser().absolute())

    def start(session: Session) -> Start:
        return session.services.models.retrain(name, path, workspace=str(Path.cwd()), changes={"yes": yes})

    return Session.run(door, door.settings(), start, detach=detach)
