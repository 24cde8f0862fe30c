"""Commands on deployments: deploy, deployments, rollback, undeploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.names import deployment_names, run_ids

if TYPE_CHECKING:
    from app.services import Services
    from phases.views import DeploymentView


@click.command(short_help="Serve the model of a run.")
@click.argument("run", shell_complete=run_ids)
@click.option("--name", help="Name of the deployment; the run's own by default.")
@click.option("--override", is_flag=True, help="Serve a model that a gate rejected; needs --why.")
@click.option("--why", help="The reason for the override; it is recorded.")
@command_options
def deploy(door: Door, run: str, name: str | None, override: bool, why: str | None) -> int:
    """Serve the model of RUN under its name; the previous version stays ready for a rollback.

    Example:
      neuroloom deploy latest
      neuroloom deploy r-2026 --override --why "demo for the board, not for customers"
    """
    from memory.errors import UsageError

    if override and not (why or "").strip():
        raise UsageError("--override needs --why, which is recorded", code="usage.missing", field="why",
                         fix='add --why "the reason"')  # fmt: skip
    if why and not override:
        raise UsageError("--why is the reason of an --override", code="usage.contradiction", field="why",
                         fix="add --override, or leave --why out")  # fmt: skip

    async def work(services: Services) -> DeploymentView:
        found = await services.runs.get(run)
        return await services.deployments.deploy(found.run_id, name=name, override=override, why=why)

    _told(door, door.call(work))
    return failures.OK


@click.command(short_help="List what is served.")
@command_options
def deployments(door: Door) -> int:
    """List every deployment of this machine: name, version, address, state.

    Example:
      neuroloom deployments
    """

    async def work(services: Services) -> list[DeploymentView]:
        return list(await services.deployments.list())

    found = door.call(work)
    door.say({"deployments": [one.model_dump(mode="json") for one in found]}, lambda: listed(found))
    return failures.OK


def listed(found: list[DeploymentView]) -> str:
    """The deployments as a table, and how a stopped one is served again."""
    from app.cli.summary import table

    if not found:
        return "nothing is served; serve a run's model: neuroloom deploy latest"
    rows = [("name", "status", "version", "url", "pid", "run", "restarts")]
    for one in found:
        pid = str(one.pid) if one.pid is not None else "–"
        rows.append(
            (one.name, one.status, one.version or "–", one.url or "–", pid, one.run_id or "–", str(one.restarts))
        )
    stopped = [f"serve {one.name} again: neuroloom deploy {one.run_id}" for one in found if one.status == "stopped"]
    return "\n".join([table(rows), *stopped])


@click.command(short_help="Back to the previous version.")
@click.argument("name", shell_complete=deployment_names)
@command_options
def rollback(door: Door, name: str) -> int:
    """Serve the previous version of NAME again, at the same address.

    Example:
      neuroloom rollback churn
    """

    async def work(services: Services) -> DeploymentView:
        return await services.deployments.rollback(name)

    _told(door, door.call(work))
    return failures.OK


@click.command(short_help="Stop serving a deployment.")
@click.argument("name", shell_complete=deployment_names)
@command_options
def undeploy(door: Door, name: str) -> int:
    """Stop serving NAME. The run and its model stay.

    Example:
      neuroloom undeploy churn
    """

    async def work(services: Services) -> None:
        await services.deployments.undeploy(name)

    door.call(work)
    door.say({"undeployed": name}, f"{name} is not served any more; its run and model stay")
    return failures.OK


def _told(door: Door, found: DeploymentView) -> None:
    from app.cli.figures import clean_lines

    words = f"{found.name} {found.version or ''} {found.status}: {found.url}".replace("  ", " ")
    request = f"\n\n{clean_lines(found.curl)}" if found.curl else ""
    door.say({"deployment": found.model_dump(mode="json")}, words + request)
