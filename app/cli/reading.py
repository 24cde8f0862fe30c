"""Commands that read runs: runs, show, watch, logs, report. None of them changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.cli import failures
from app.cli.door import Door, command_options
from app.cli.names import run_ids

if TYPE_CHECKING:
    from app.cli.session import Session, Start
    from app.services import Services
    from phases.views import RunView


@click.command(short_help="List the runs of this folder.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out the newest so many.")
@click.option("--status", help="Only runs of this status, such as running.")
@command_options
def runs(door: Door, limit: int, offset: int, status: str | None) -> int:
    """List the runs of this folder, newest first.

    Example:
      neuroloom runs --limit 5
      neuroloom runs --status waiting
    """

    async def work(services: Services) -> list[RunView]:
        return list(await services.runs.list(limit, offset, status))

    found = door.call(work)
    door.say({"runs": [_brief(run) for run in found]}, lambda: _listed(found))
    return failures.OK


def _brief(run: RunView) -> dict[str, Any]:
    document = run.document()
    kept = {key: document[key] for key in ("run_id", "status", "metrics", "model", "deployment", "report", "workspace")}
    more = {"created_at": run.created_at, "data": run.data, "target": run.target, "metric": run.metric}
    return {**kept, **more, "queue_position": run.queue_position, "error": document["error"]}


def _listed(found: list[RunView]) -> str:
    from pathlib import Path

    from app.cli.figures import figure, one_line
    from app.cli.summary import table

    if not found:
        return "no runs in this folder; start one: neuroloom run data.csv --target column"
    rows = [("run", "status", "data", "target", "metric", "deployment")]
    for run in found:
        score = f"{run.metric} {figure(run.metrics[run.metric])}" if run.metric in run.metrics else ""
        served = run.deployment.name if run.deployment is not None and run.deployment.url else ""
        place = f" ({run.queue_position} in the queue)" if run.queue_position is not None else ""
        data = one_line(Path(run.data).name if run.data else "", 30)
        rows.append((run.run_id, run.status + place, data, one_line(run.target or "", 30), score, served))
    return table(rows)


@click.command(short_help="Show one run: phases, gates, metrics.")
@click.argument("run", shell_complete=run_ids, default="latest")
@command_options
def show(door: Door, run: str) -> int:
    """Show RUN (an id, a unique prefix of one, or `latest`): phases, gates, metrics, decisions.

    Example:
      neuroloom show latest
    """

    async def work(services: Services) -> tuple[RunView, list[dict[str, Any]]]:
        found = await services.runs.get(run)
        if door.json:
            return found, []
        events = await services.runs.events(found.run_id, "0", 0)
        return found, [event for _, event in events if event.get("type") == "decision"]

    found, decisions = door.call(work)
    door.say(found.document(), lambda: _shown(found, decisions))
    return failures.OK


def _shown(found: RunView, decisions: list[dict[str, Any]]) -> str:
    from app.cli.figures import one_line, span
    from app.cli.summary import summary, table

    blocks = []
    if found.phases:
        rows = [(phase.name, phase.status, span(phase.seconds)) for phase in found.phases]
        blocks.append(table([("phase", "status", "time"), *rows]))
    if decisions:
        blocks.append(
            "\n".join(f"{d.get('agent')} · {d.get('decision')}: {one_line(d.get('reason'))}" for d in decisions)
        )
    if found.question is not None:
        blocks.append(f"asks: {one_line(found.question.text)}")
    return "\n\n".join([*blocks, summary(found, every_gate=True)])


@click.command(short_help="Follow a run until it ends.")
@click.argument("run", shell_complete=run_ids, default="latest")
@command_options
def watch(door: Door, run: str) -> int:
    """Follow RUN until it ends or waits for a person. Ctrl-C only detaches; the run goes on.

    Example:
      neuroloom watch latest
    """
    from app.cli.session import Session

    def start(session: Session) -> Start:
        return session.services.runs.get(run)

    return Session.run(door, door.settings(), start, only_watching=True)


@click.command(short_help="Print the logs of a run's jobs, or of a deployment.")
@click.argument("name", metavar="RUN|NAME", shell_complete=run_ids, default="latest")
@command_options
def logs(door: Door, name: str) -> int:
    """Print what the jobs of a run wrote, or the end of a deployment's log.

    Example:
      neuroloom logs latest
      neuroloom logs churn
    """

    async def work(services: Services) -> list[tuple[str, str]]:
        served = {deployment.name for deployment in await services.deployments.list()}
        if name in served:
            return [(name, await services.deployments.logs(name))]
        return list(await services.runs.logs(name))

    found = door.call(work)
    document = {"logs": [{"name": part, "text": text} for part, text in found]}
    door.say(document, lambda: "\n".join(f"== {part} ==\n{text.rstrip()}\n" for part, text in found))
    return failures.OK


@click.command(short_help="Say where the report is, or open it.")
@click.argument("run", shell_complete=run_ids, default="latest")
@click.option("--open", "open_it", is_flag=True, help="Open it in the browser.")
@command_options
def report(door: Door, run: str, open_it: bool) -> int:
    """Say where the report of RUN is; with --json also where its figures are.

    Example:
      neuroloom report latest --open
    """

    async def work(services: Services) -> tuple[str, list[dict[str, Any]]]:
        path = str(await services.runs.report_path(run))
        return path, list(await services.figures.list(run)) if door.json else []

    path, figures = door.call(work)
    door.say({"report": path, "figures": figures}, path)
    if open_it and click.launch(path) != 0:
        door.note("no browser could be started here; open the file above in one")
    return failures.OK
