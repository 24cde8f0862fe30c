"""Completion of run ids, names and memory keys in a shell. When they cannot be read, it offers nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from app.cli.door import Door

if TYPE_CHECKING:
    from app.services import Services

OFFERED = 20


def run_ids(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of the newest runs, and `latest`."""

    async def work(services: Services) -> list[str]:
        return ["latest", *(run.run_id for run in await services.runs.list(OFFERED))]

    return _offered(work, incomplete)


def deployment_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of what is served."""

    async def work(services: Services) -> list[str]:
        return [deployment.name for deployment in await services.deployments.list()]

    return _offered(work, incomplete)


def dataset_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of kept tables."""

    async def work(services: Services) -> list[str]:
        return [found.name for found in await services.datasets.list()]

    return _offered(work, incomplete)


def memory_keys(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Keys that have a value, of the run that the command names."""

    async def work(services: Services) -> list[str]:
        return list(await services.notes.list(ctx.params.get("run") or "latest"))

    return _offered(work, incomplete)


def _offered(work: Callable[[Services], Coroutine[Any, Any, list[str]]], incomplete: str) -> list[str]:
    from memory.errors import NeuroloomError

    found: list[str] = []
    with contextlib.suppress(NeuroloomError, OSError):
        found = Door(json=True).call(work)
    return [name for name in found if name.startswith(incomplete)]
