"""The prompts of the server, which clients show as slash commands. They say how to use the tools, and do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from mcp_server.server import ChatServer

HONEST = "Give only figures that a tool returned, with their split. What a run asks is for the person to answer."
Run = Annotated[str, Field(description="Run id or latest")]


def register(server: ChatServer) -> None:
    """Serve the seven prompts."""
    for prompt in (train, status, report, deploy, diagnose, compare, rollback):
        server.prompt(title=f"{prompt.__name__.title()}")(prompt)


def train(data: str, target: str = "", goal: str = "") -> str:
    """Train a model on a table, with gates, and tell how it goes."""
    what = f"the column {target!r}" if target else "the target that the person confirms"
    why = f" The person's goal: {goal!r}." if goal else ""
    return (
        f"Train a model on {data!r} that predicts {what}.{why}\n"
        f"1. dataset_profile(data={data!r}): tell rows, columns, warnings, the proposed target.\n"
        "2. run_start with what the person required (at_least, at_most); one request_id for this wish.\n"
        "3. run_wait again and again until the run ends or asks; pass its questions on to the person.\n"
        f"4. report_get: the gates, the metric beside its baselines, what matters most.\n{HONEST}"
    )


def status(run: Run = "latest") -> str:
    """How a run stands, in a few sentences."""
    return f"Call run_get(run={run!r}) and tell phase, progress, failed checks and open questions. {HONEST}"


def report(run: Run = "latest") -> str:
    """The report of a run, explained."""
    return (
        f"Call report_get(run={run!r}). Explain the gates, the metric beside its baselines, the most important columns"
        f" and the weak spots; show the figure. {HONEST}"
    )


def deploy(run: Run = "latest", name: str = "") -> str:
    """Serve the model of a run."""
    named = f", name={name!r}" if name else ""
    return (
        f"Call run_get(run={run!r}). If its gates passed: deployment_change(action='start', run={run!r}{named}), then"
        " model_predict with one row that the person names. If a gate rejected it, say which check failed and ask the"
        f" person; override only with the reason they give. {HONEST}"
    )


def diagnose(run: Run = "latest") -> str:
    """Why a run failed or was rejected, and what to try."""
    return (
        f"Call run_get(run={run!r}), then with detail='phases', 'decisions' and 'events', and report_get. Say what"
        f" failed, the evidence, and up to three things to try, each as a tool call. {HONEST}"
    )


def compare(runs: str) -> str:
    """Which of some runs is the best, and whether that is more than noise."""
    named = [one.strip() for one in runs.split(",")]
    return f"Call run_compare(runs={named!r}); call one the best only where the difference is more than noise. {HONEST}"


def rollback(name: str) -> str:
    """Put a deployment back to its previous version."""
    return (
        f"Call deployment_list(name={name!r}); tell which version serves and which one would come back. After the"
        f" person's yes: deployment_change(action='rollback', name={name!r}), then one model_predict. {HONEST}"
    )
