"""The list of commands, in the order of help; a command's module is imported only when it is used."""

from __future__ import annotations

import difflib
import importlib
from typing import NamedTuple

import click

from app.cli.examples import with_example


class Row(NamedTuple):
    """One command: its name, `module:attribute`, the section of help it stands in, and its one line of help."""

    name: str
    target: str
    section: str
    help: str


COMMANDS = (
    Row("run", "app.cli.run:run", "Runs", "From a table to a served, measured model."),
    Row("runs", "app.cli.reading:runs", "Runs", "List the runs of this folder."),
    Row("show", "app.cli.reading:show", "Runs", "Show one run: phases, gates, metrics."),
    Row("watch", "app.cli.reading:watch", "Runs", "Follow a run until it ends."),
    Row("logs", "app.cli.reading:logs", "Runs", "Print the logs of a run's jobs, or of a deployment."),
    Row("report", "app.cli.reading:report", "Runs", "Say where the report is, or open it."),
    Row("compare", "app.cli.compare:compare", "Runs", "Put runs side by side, and say what may be compared."),
    Row("approve", "app.cli.steering:approve", "Runs", "Answer the question a run waits for."),
    Row("steer", "app.cli.steer:steer", "Runs", "Tell a run that trains: stop early, lower rate, epochs, metric."),
    Row("resume", "app.cli.steering:resume", "Runs", "Go on with a failed or cancelled run."),
    Row("cancel", "app.cli.steering:cancel", "Runs", "Stop a run; it can be resumed."),
    Row("rm", "app.cli.steering:rm", "Runs", "Delete an ended run and its files."),
    Row("dataset", "app.cli.datasets:dataset", "Data", "Keep, list, profile and remove tables by name."),
    Row("predict", "app.cli.models:predict", "Models", "Predict rows with a run's or deployment's model."),
    Row("models", "app.cli.models:models", "Models", "List the model versions of this folder."),
    Row("retrain", "app.cli.models:retrain", "Models", "The same recipe on new data; swapped only if better."),
    Row("deploy", "app.cli.deployments:deploy", "Deployments", "Serve the model of a run."),
    Row("deployments", "app.cli.deployments:deployments", "Deployments", "List what is served."),
    Row("rollback", "app.cli.deployments:rollback", "Deployments", "Back to the previous version."),
    Row("undeploy", "app.cli.deployments:undeploy", "Deployments", "Stop serving a deployment."),
    Row("install", "app.cli.install:install", "Editors", "Set up Claude Code, Cursor or VS Code, or undo it."),
    Row("hook", "app.cli.hook:hook", "Editors", "Answer one event of an editor."),
    Row("hooks", "app.cli.hook:hooks", "Editors", "Hook verbs of the reference system."),
    Row("memory", "app.cli.memory:memory", "Machine", "Read and write the shared neural/* memory."),
    Row("auth", "app.cli.auth:auth", "Machine", "Keep, show or forget the login of a backend."),
    Row("mcp", "app.cli.mcp:mcp", "Chat", "Serve a chat client (stdio, or HTTP on this machine)."),
    Row("mcp-token", "app.cli.tokens:tokens", "Chat", "Tokens of the chat door over HTTP."),
    Row("mcp-token", "app.cli.tokens:tokens", "Machine", "Tokens of the chat door over HTTP."),
    Row("audit", "app.cli.audit:audit", "Machine", "The record of what chats did."),
    Row("config", "app.cli.machine:config", "Machine", "List every setting and where it came from."),
    Row("doctor", "app.cli.machine:doctor", "Machine", "What works here, what does not, and the fix."),
    Row("down", "app.cli.machine:down", "Machine", "Stop runner, deployments and embedded Redis."),
    Row("completion", "app.cli.machine:completion", "Machine", "Print the completion script of a shell."),
)
BY_NAME = {row.name: row for row in COMMANDS}


class LazyGroup(click.Group):
    """A group whose help is made from the table above, and whose commands are imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order of the table."""
        return [row.name for row in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import and return one command."""
        row = BY_NAME.get(cmd_name)
        if row is None:
            return None
        module, _, attribute = row.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """One section per kind of command."""
        width = max(len(row.name) for row in COMMANDS)
        for section in dict.fromkeys(row.section for row in COMMANDS):
            with formatter.section(section):
                formatter.write_dl([(row.name.ljust(width), row.help) for row in COMMANDS if row.section == section])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest commands when there is no such one."""
        if args and args[0] not in BY_NAME and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], BY_NAME, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
            raise click.UsageError(f"no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"neuroloom {version('neuroloom')}")
        ctx.exit()


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
@with_example
def cli(ctx: click.Context) -> None:
    """From a table to a served, measured model.

    Example:
      neuroloom run churn.csv --target churned --goal "who will leave, and why"
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
