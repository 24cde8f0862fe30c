"""The table of doors: every method of every service is in it with its doors, or with the reason it has none."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app import services
from app.cli.root import cli
from app.doors import ROWS

CLI = Path(__file__).resolve().parents[2] / "app" / "cli"
AWAITED = frozenset({"datasets"})  # a service that has its rows before it has its protocol
TOOLS = frozenset(
    {
        "dataset_add", "dataset_profile", "run_start", "run_get", "run_wait", "run_list", "run_approve", "run_cancel",
        "run_resume", "run_steer", "run_compare", "report_get", "model_predict", "model_list", "deployment_list",
        "deployment_change", "memory_get", "memory_set", "doctor",
    }
)  # fmt: skip
TOOLSET = "mcp_server.toolset"


def methods() -> set[str]:
    """Every public method of every service, as `service.method`."""
    found = set()
    for name, member in inspect.getmembers(services.Services, lambda one: isinstance(one, property)):
        kind = typing.get_type_hints(member.fget)["return"]
        kinds = [one for one in kind.__mro__ if one.__module__ == services.__name__]  # a service may have two halves
        found |= {f"{name}.{method}" for one in kinds for method in vars(one) if not method.startswith("_")}
    return found


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command, a group's by its whole path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


def there(method: str) -> bool:
    """Whether a row's service is there by now."""
    return method.partition(".")[0] in {one.partition(".")[0] for one in methods()}


def test_every_service_method_is_listed_once_and_nothing_else_is() -> None:
    listed = [row.method for row in ROWS if ":" not in row.method]
    assert len(listed) == len(set(listed))
    ours = {method for method in listed if there(method)}
    assert ours == methods()
    assert {method.partition(".")[0] for method in listed if not there(method)} <= AWAITED


@pytest.mark.parametrize("method", [row.method for row in ROWS if ":" in row.method])
def test_what_is_called_without_a_service_is_there(method: str) -> None:
    module, _, name = method.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_every_command_is_listed_and_every_listed_command_exists() -> None:
    listed = {command for row in ROWS if ":" in row.method or there(row.method) for command in row.commands}
    assert listed == set(commands(cli))


def test_a_method_has_a_command_exactly_when_the_command_line_calls_it() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in CLI.glob("*.py"))
    called = {".".join(found) for found in re.findall(r"services\.(\w+)\.(\w+)\(", text)}
    called |= {f"runs.{name}" for name in re.findall(r"self\.runs\.(\w+)\(", text)}
    called |= {f"datasets.{name}" for name in re.findall(r"services\.datasets\.anywhere\(\)\.(\w+)\(", text)}
    assert called == {row.method for row in ROWS if row.commands and ":" not in row.method and there(row.method)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.method)
def test_a_row_without_a_door_says_why_and_no_other_does(row: typing.Any) -> None:
    assert bool(row.why) == (not row.commands or not row.tools)
    assert not row.routes, "there is no HTTP door yet"


def test_the_tools_are_those_of_the_chat_and_the_reverse() -> None:
    listed = {tool for row in ROWS for tool in row.tools}
    assert listed == TOOLS
    if importlib.util.find_spec(TOOLSET) is not None:  # the door itself holds its names there
        assert set(importlib.import_module(TOOLSET).TOOLS) == listed
