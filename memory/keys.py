"""Names of everything in memory: the catalogue of `neural/*`, physical keys and run ids. It touches no
server.

Logical `neural/<name>` means the latest run of a workspace; the physical key is `neural/<run>/<name>`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

from memory.errors import UsageError

Phase = Literal["setup", "configure", "train", "validate", "deploy", "any"]
Owner = Literal["neural-orchestrator", "ml-developer", "cicd-engineer", "runner"]

ROOT = "neural"
RESERVED = frozenset({"ws", "queue", "runs", "templates", "schema"})
SCHEMA = f"{ROOT}/schema"
RUNS = f"{ROOT}/runs"
QUEUE = f"{ROOT}/queue"
QUEUED = f"{ROOT}/queue/queued"  # hash run -> entry that no runner has leased yet
THREADS = f"{ROOT}/runs/threads"  # set of runs with checkpoints
INTERNAL = frozenset({"lease", "epoch", "names", "asserted", "events", "event-ids", "control", "control-ids", "graph"})

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_RUN = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}")
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is read as another: no 0, o, 1, l, i


@dataclass(frozen=True, slots=True)
class Key:
    """One catalogued name: the phase that writes it and the agent that owns it."""

    name: str
    phase: Phase
    owner: Owner


def _rows(phase: Phase, owner: Owner, names: str) -> tuple[Key, ...]:
    return tuple(Key(name, phase, owner) for name in names.split())


CATALOGUE: Mapping[str, Key] = MappingProxyType(
    {
        key.name: key
        for key in (
            *_rows("setup", "neural-orchestrator", "cluster-id config phase1-complete"),
            *_rows("configure", "ml-developer", "architecture dataset"),
            *_rows("configure", "neural-orchestrator", "nodes-deployed training-script phase2-complete"),
            *_rows("train", "neural-orchestrator", "training-job-id training-status training-metrics"),
            *_rows("train", "neural-orchestrator", "monitoring backup-script phase3-complete"),
            *_rows("validate", "ml-developer", "validation benchmark-results report phase4-complete"),
            *_rows("deploy", "cicd-engineer", "deployment-ready dockerfile serve-api deploy-script"),
            *_rows("deploy", "cicd-engineer", "deployment-docs phase5-complete workflow-complete"),
            *_rows("any", "runner", "request state decisions steering error"),
        )
    }
)


def new_run_id(now: datetime | None = None) -> str:
    """A fresh run id such as `r-20261121-094501-k3f9`: sorts by time, and a prefix of it is soon unique.

    Args:
        now: The moment it stands for; the present when absent.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"r-{moment:%Y%m%d-%H%M%S}-" + "".join(secrets.choice(_ALPHABET) for _ in range(4))


def check_run(run: str) -> str:
    """The run id unchanged.

    Raises:
        UsageError: `usage.run`: it cannot be one (a reserved word, or letters that a key or folder cannot
        hold).
    """
    if not _RUN.fullmatch(run) or run in RESERVED:
        raise UsageError(f"{run!r} is no run id: it looks like 'r-20261121-094501-k3f9'", code="usage.run", field="run")
    return run


def check_name(name: str) -> str:
    """The name unchanged.

    Raises:
        UsageError: `usage.key`: not a name under `neural/`, or one that memory keeps for itself.
    """
    if name.split("/")[0] in INTERNAL:
        raise UsageError(f"{name!r} is kept by memory itself", code="usage.key", field="key", fix="choose another name")
    if not _NAME.fullmatch(name) or len(name) > 200:
        raise UsageError(
            f"{name!r} is no memory key: lower-case letters, digits, '.', '_', '-' and '/' make one",
            code="usage.key",
            field="key",
            fix="for example 'training-metrics' or 'notes/first-try'",
        )
    return name


def value(run: str, name: str) -> str:
    """Physical key of the value `name` of a run."""
    return f"{ROOT}/{check_run(run)}/{check_name(name)}"


def internal(run: str, name: str) -> str:
    """Physical key of what memory keeps about a run: one of `INTERNAL`, or a key below it."""
    return f"{ROOT}/{check_run(run)}/{name}"


def workspace_runs(workspace: str) -> str:
    """Physical key of a workspace's sorted set of runs."""
    return f"{ROOT}/ws/{check_run(workspace)}/runs"


def workspace_taken(workspace: str) -> str:
    """Physical key of the ids of claims that were taken into a workspace, so that none is taken twice."""
    return f"{ROOT}/ws/{check_run(workspace)}/taken"


def asserted_area(workspace: str, run: str | None) -> str:
    """Prefix under which claims about a run live, or, before the first run, claims in a workspace."""
    return f"{ROOT}/{check_run(run)}/asserted" if run else f"{ROOT}/ws/{check_run(workspace)}/asserted"


def asserted(workspace: str, run: str | None, name: str) -> str:
    """Physical key of one claim."""
    return f"{asserted_area(workspace, run)}/{check_name(name)}"
