"""Which door leads to what: service method -> command -> tool of the chat -> HTTP route. A test reads it.

A row that lacks a door says why. It is data alone: no door is built from it, and it imports none.
"""

from __future__ import annotations

from typing import NamedTuple

NO_HTTP = "the HTTP door comes with the gateway"  # holds for every row until then


HOOK_VERBS = tuple(
    f"hooks {verb}"
    for verb in (
        *("pre-task", "post-task", "pre-edit", "post-edit", "pre-command", "post-command"),
        *("session-start", "session-restore", "session-end", "notify"),
    )
)


class Row(NamedTuple):
    """What one method is called in each door.

    Attributes:
        method: `service.method` of `app.services.Services`, or `module:function` of what no service is needed for.
        commands: Commands of `neuroloom` that call it.
        tools: Tools of the MCP door that call it.
        why: The reason for each of the two that is empty; empty when neither is.
        routes: HTTP routes.
    """

    method: str
    commands: tuple[str, ...]
    tools: tuple[str, ...]
    why: str = ""
    routes: tuple[str, ...] = ()


ROWS = (
    Row("runs.start", ("run",), ("run_start",)),
    Row("runs.get", ("show", "watch"), ("run_get", "run_wait")),
    Row("runs.list", ("runs",), ("run_list",)),
    Row("runs.events", ("show", "watch"), ("run_wait",)),
    Row("runs.newest_event", (), (), "subscriptions of a chat look at it; the events themselves have their doors"),
    Row("runs.logs", ("logs",), (), "log lines may hold cells; a chat gets the error and the events"),
    Row("runs.answer", ("approve",), ("run_approve",)),
    Row("runs.cancel", ("cancel",), ("run_cancel",)),
    Row("runs.resume", ("resume",), ("run_resume",)),
    Row("runs.remove", ("rm",), (), "it destroys: only a person at a terminal may"),
    Row("runs.report_path", ("report",), ("report_get",)),
    Row("figures.list", ("report",), ("report_get",)),
    Row("steering.steer", ("steer",), ("run_steer",)),
    Row("comparison.compare", ("compare",), ("run_compare",)),
    Row("models.list", ("models",), ("model_list",)),
    Row("models.predict", ("predict",), ("model_predict",)),
    Row("models.predict_file", ("predict",), (), "it writes a file of cells; a chat predicts rows"),
    Row("models.retrain", ("retrain",), ("run_start",)),
    Row("deployments.list", ("deployments",), ("deployment_list",)),
    Row("deployments.get", (), ("deployment_list",), "the list of the command has every field of it"),
    Row("deployments.deploy", ("deploy",), ("deployment_change",)),
    Row("deployments.rollback", ("rollback",), ("deployment_change",)),
    Row("deployments.undeploy", ("undeploy",), ("deployment_change",)),
    Row("deployments.logs", ("logs",), (), "log lines may hold cells; a chat gets the status"),
    Row("notes.get", ("memory get", "memory retrieve"), ("memory_get",)),
    Row("notes.set", ("memory set", "memory store"), ("memory_set",)),
    Row("notes.list", ("memory list",), ("memory_get",)),
    Row("datasets.add_path", ("dataset add",), ("dataset_add",)),
    Row("datasets.add_inline", (), ("dataset_add",), "a person at a terminal has a file"),
    Row("datasets.begin", (), ("dataset_add",), "a person at a terminal has the file on this machine"),
    Row("datasets.chunk", (), ("dataset_add",), "a person at a terminal has the file on this machine"),
    Row("datasets.finish", (), ("dataset_add",), "a person at a terminal has the file on this machine"),
    Row("datasets.list", ("dataset list",), ("dataset_profile",)),
    Row("datasets.get", (), ("dataset_add",), "the list of the command has every field of it"),
    Row("datasets.count", ("dataset list",), (), "a chat pages by its own limit"),
    Row("datasets.anywhere", ("dataset add", "dataset profile", "run"), (), "only a person may name any path"),
    Row("datasets.remove", ("dataset rm",), (), "it destroys: only a person at a terminal may"),
    Row("datasets.profile", ("dataset profile",), ("dataset_profile",)),
    Row("datasets.locate", ("run",), ("run_start",)),
    Row("guard.plain", (), ("dataset_profile",), "a person at a terminal sees their own data"),
    Row("guard.of", (), ("run_get",), "a person at a terminal sees their own data"),
    Row("mcp_server.serving:serve", ("mcp",), (), "it is the chat's own door"),
    Row(
        "mcp_server.tokens:Tokens",
        ("mcp-token create", "mcp-token list", "mcp-token revoke"),
        (),
        "a token is made and shown by a person at a terminal",
    ),
    Row("mcp_server.audit:verify", ("audit verify",), (), "who is recorded does not verify the record"),
    Row("editors.hook_door:serve", ("hook",), (), "an editor calls it, once per event"),
    Row("editors.installer:Installer", ("install",), (), "it writes a person's own configuration"),
    Row("editors.verbs:Verbs", HOOK_VERBS, (), "words of the reference process for shells and editors"),
    Row("app.doctor:examine", ("doctor",), ("doctor",)),
    Row("app.settings:load", ("config",), (), "settings are the person's, and name places on the machine"),
    Row(
        "app.credentials:Credentials",
        ("auth login", "auth status", "auth logout"),
        (),
        "a secret is never typed into a chat",
    ),
    Row("app.wiring:shut_down", ("down",), (), "it would end what answers the chat"),
    Row("app.cli.machine:completion", ("completion",), (), "it is for shells"),
)
