"""The options of `neuroloom run`, in groups, and the request they make. It starts nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agents.metrics import METRICS, TASKS
from agents.metrics import options as requirement_options
from app.cli.names import run_ids

if TYPE_CHECKING:
    from app.settings import Settings
    from phases.request import Requirement, RunRequest

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
FROM_SETTINGS = ("gates", "budget_seconds", "epochs", "seed", "backend", "workers", "gpus")
PATHS = ("data", "validation", "test")


class Duration(click.ParamType[float]):
    """A length of time: `90`, `90s`, `10m`, `1h30m`; becomes seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or refuse with the forms that work."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower()
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
        seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
        if "".join(number + unit for number, unit in parts) != text:
            seconds = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is not a length of time; write it as 90s, 10m or 1h30m", param, ctx)
        return seconds


class Columns(click.ParamType[tuple[str, ...]]):
    """Names separated by commas; a backslash keeps a comma inside a name."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split, or refuse when nothing is left."""
        if isinstance(value, tuple):
            return value
        parts = [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", str(value))]
        names = tuple(dict.fromkeys(part for part in parts if part))
        if not names:
            self.fail(f"{value!r} names nothing", param, ctx)
        return names


def _file(help_text: str) -> dict[str, Any]:
    return {"type": click.Path(path_type=Path), "help": help_text}


OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "What to learn": {
        "--target": {"help": "Column to predict; without it one is proposed."},
        "--goal": {"help": "What you want to know, in your words."},
        "--task": {"type": click.Choice(TASKS), "help": "Kind of task; else taken from target and goal."},
        "--metric": {
            "type": click.Choice([m.name for m in METRICS if m.chooses and set(m.tasks) & set(TASKS)]),
            "help": "Metric to steer by; else chosen for the data.",
        },
        "--positive": {"help": "The class that counts as positive."},
    },
    "Data": {
        "--drop": {"type": Columns(), "help": "Columns to leave out, as a,b."},
        "--features": {"type": Columns(), "help": "The only columns to use, as a,b."},
        "--group": {"help": "Column whose equal values stay in one split."},
        "--time": {"help": "Column to split by in time."},
        "--validation": _file("Validation rows from this file."),
        "--test": _file("Test rows from this file."),
        "--missing": {"type": Columns(), "help": "Markers of a missing value, as '?,NA'."},
        "--from": {"help": "Use the recipe of an earlier run.", "shell_complete": run_ids},
    },
    "Gates": {"--gates": {"type": click.Choice(("default", "reference")), "help": "Profile of checks."}},
    "Resources": {
        "--budget": {"type": Duration(), "help": "Time to train, as 10m."},
        "--epochs": {"type": click.IntRange(min=1), "help": "At most this many passes over the rows."},
        "--seed": {"type": click.IntRange(0, 2**32 - 1), "help": "Seed of every random choice."},
        "--backend": {"type": click.Choice(("local", "ssh")), "help": "Where jobs run."},
        "--workers": {"type": click.IntRange(min=1), "help": "Processes that train together."},
        "--gpus": {"type": click.IntRange(min=0), "help": "GPUs that must be there."},
    },
    "Deployment": {
        "--name": {"help": "Name of the deployment."},
        "--no-deploy": {"is_flag": True, "help": "Stop after validation."},
        "--yes": {"is_flag": True, "help": "Approve what the policy lets --yes approve."},
        "--detach": {"is_flag": True, "help": "Queue it and return."},
    },
}
NAMES = {"--from": "from_run", "--budget": "budget_seconds"}

FLAGS = {inside: flag.lstrip("-") for flag, inside in NAMES.items()}


def _name(flag: str) -> str:
    return NAMES.get(flag, flag.lstrip("-").replace("-", "_"))


SECTIONS: dict[str, str] = {
    **{_name(flag): section for section, options in OPTIONS.items() for flag in options},
    **{option.key: "Gates" for option in requirement_options()},
}


class GroupedCommand(click.Command):
    """A command whose options are shown in the sections of the table above."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list per section."""
        groups: dict[str, list[tuple[str, str]]] = {section: [] for section in (*OPTIONS, "Output")}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                groups[SECTIONS.get(param.name or "", "Output")].append(record)
        for section, records in groups.items():
            if records:
                with formatter.section(section):
                    formatter.write_dl(records)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add every option of the table, and one per metric that can be required."""
    for option in reversed(requirement_options()):
        command = click.option(option.flag, option.key, type=float, default=None, help=option.help)(command)
    for flag, how in reversed([row for section in OPTIONS.values() for row in section.items()]):
        command = click.option(flag, _name(flag), **how)(command)
    return command


def flags(options: dict[str, Any]) -> dict[str, Any]:
    """The options that are also settings, by dotted name; None where not given."""
    return {f"run.{name}": options[name] for name in FROM_SETTINGS}


def request(data: Path, options: dict[str, Any], settings: Settings, *, waits: bool) -> RunRequest:
    """The request that the options and settings make.

    Raises:
        UsageError: a threshold out of range or a value the request refuses.
    """
    from pydantic import ValidationError

    from memory.errors import UsageError
    from phases.request import RunRequest

    values = {name: value for name, value in options.items() if value is not None}
    requirements = _stated(values)
    for name in ("no_deploy", "detach", *FROM_SETTINGS):
        values.pop(name, None)
    values["data"] = data
    for name in PATHS:
        if name in values:
            values[name] = str(Path(values[name]).expanduser().absolute())
    values.update({name: getattr(settings.run, name) for name in FROM_SETTINGS})
    try:
        return RunRequest(
            **values,
            requirements=requirements,
            deploy=not options["no_deploy"],
            wait_for_target=waits,
            workspace=str(Path.cwd()),
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = FLAGS.get(str(first["loc"][0]), str(first["loc"][0])) if first["loc"] else "request"
        fix = "use lower-case letters, digits and dashes, as in churn-model" if field == "name" else "see --help"
        message = f"--{field.replace('_', '-')} {first['input']!r}: {first['msg'].lower()}"
        raise UsageError(message, code="usage.value", field=field, fix=fix) from error


def _stated(values: dict[str, Any]) -> tuple[Requirement, ...]:
    from phases.request import Requirement

    keys = [option.key for option in requirement_options() if option.key in values]
    return tuple(Requirement.stated(key, values.pop(key), task=values.get("task")) for key in keys)
