"""More of a run than its brief: rows of one kind, links to its addresses, and the request behind `run_start`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.types import ContentBlock, ResourceLink

from mcp_server.briefs import figure, plain
from mcp_server.replies import spare
from mcp_server.session import DOOR, Session
from phases.identity import RUN_ID
from phases.privacy.words import fenced
from phases.privacy.words import plain as plain_text

if TYPE_CHECKING:
    from phases.privacy.privacy import Privacy
    from phases.request import Requirement, RunRequest
    from phases.views import RunView

EVENTS = 500
LONGEST = 11_000


def request(
    session: Session,
    data: str,
    given: Mapping[str, Any],
    stated: tuple[Mapping[str, float] | None, Mapping[str, float] | None],
    deploy: bool,
) -> RunRequest:
    """The request of `run_start`; what was not given comes from the settings.

    Args:
        session: For the settings.
        data: Absolute path of the table.
        given: Arguments by name; None where not given.
        stated: Required metrics, `at_least` and `at_most`.
        deploy: Whether the model is to be served.

    Raises:
        UsageError: a metric that is none, a threshold out of range, a name that cannot be one.
    """
    from pydantic import ValidationError

    from memory.errors import UsageError
    from phases.request import RunRequest

    values = {name: value for name, value in given.items() if value is not None}
    try:
        return RunRequest.model_validate(
            {
                **session.settings.run.model_dump(),
                **values,
                "data": data,
                "requirements": requirements(stated, values.get("task")),
                "deploy": deploy,
                "wait_for_target": True,
                "door": DOOR,
                "workspace": str(Path.cwd()),
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "arguments"
        fix = "lower-case letters, digits and hyphens, such as churn-model" if field == "name" else None
        raise UsageError(f"{field}: {first['msg'].lower()}", code="usage.value", field=field, fix=fix) from error


RETRAINED = ("goal", "epochs", "budget_seconds", "seed")


def retraining(
    given: Mapping[str, Any], stated: tuple[Mapping[str, float] | None, Mapping[str, float] | None], deploy: bool | None
) -> dict[str, Any]:
    """What of `run_start` changes a retraining.

    Raises:
        UsageError: an argument that a retraining cannot take, by name: what is retrained is the deployment's own.
    """
    from memory.errors import UsageError

    named = [name for name, value in given.items() if value is not None and name not in (*RETRAINED, "from_run")]
    if named or deploy is False:
        told = ", ".join(named or ["deploy=false"])
        raise UsageError(
            f"retraining a deployment does not take {told}: target, metric and columns are those of its recipe, and the"
            " new model is served only if it is better",
            code="usage.contradiction",
            field=(named or ["deploy"])[0],
            fix="leave them out, or name the run of that deployment in from_run for a run of its own",
        )
    kept = {name: given[name] for name in RETRAINED if given.get(name) is not None}
    needed = requirements(stated, None)
    return {**kept, **({"requirements": needed} if needed else {})}


def requirements(
    stated: tuple[Mapping[str, float] | None, Mapping[str, float] | None], task: str | None
) -> tuple[Requirement, ...]:
    """The thresholds of `at_least` and `at_most`."""
    from phases.request import Requirement

    sides = zip(("min", "max"), stated, strict=True)
    needed = [(f"{side}_{name}", value) for side, rows in sides for name, value in (rows or {}).items()]
    return tuple(Requirement.stated(key, value, task=task) for key, value in needed)


async def rows(session: Session, view: RunView, privacy: Privacy, detail: str) -> list[dict[str, Any]]:
    """All rows of one kind: `phases`, `metrics`, `decisions`, or `events`, newest first."""
    shown = privacy.run(view)
    if detail == "phases":
        return [_phase(one) for one in shown["phases"]]
    if detail == "metrics":
        return _metrics(shown)
    services = await session.services()
    if detail == "decisions":
        kept = await services.notes.list(view.run_id)
        found = await services.notes.get(view.run_id, "decisions") if "decisions" in kept else []
        return [dict(one) for one in privacy.memory("decisions", found)]
    events: list[dict[str, Any]] = []
    after = "0"
    while found := await services.runs.events(view.run_id, after):
        after = found[-1][0]
        events += [one for _, event in found if (one := privacy.event(event)) is not None]
    return events[::-1]


def _phase(one: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("name", "comparison", "passed", "blocking")
    checks = [
        {
            **{key: check[key] for key in kept},
            "measured": plain(check["measured"]),
            "threshold": plain(check["threshold"]),
        }
        for check in one["gate"]
    ]
    return {"name": one["name"], "status": one["status"], "seconds": one["seconds"], "checks": checks}


def _metrics(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    mine = [{"of": "model", "metric": name, **figure(one)} for name, one in shown["metrics"].items()]
    others = [
        {"of": f"baseline {baseline}", "metric": name, **figure(one)}
        for baseline, found in shown["baselines"].items()
        for name, one in found.items()
    ]
    important = [{"of": "importance", "column": one["column"], **figure(one["drop"])} for one in shown["importance"]]
    return [*mine, *others, *important]


def row(view: RunView, shown: Mapping[str, Any]) -> dict[str, Any]:
    """One run as a row of a list."""
    metric = view.metric if view.metric in shown["metrics"] else None
    told: dict[str, Any] = {"run": view.run_id, "status": view.status, "created_at": view.created_at}
    if view.data:
        told["data"] = Path(view.data).name[:80]
    if shown.get("target"):
        told["target"] = shown["target"]
    if metric is not None:
        told[metric] = figure(shown["metrics"][metric])
    if shown.get("question"):
        told["asks"] = shown["question"]["kind"]
    return told


def lines(found: Sequence[Mapping[str, Any]]) -> str:
    """Rows for clients that show only text, one a line, fenced: names in them may come from data."""
    kept = [{key: value for key, value in spare(one).items() if value not in ([], {})} for one in found]
    told = "\n".join(json.dumps(one, ensure_ascii=False, separators=(", ", ": "))[:600] for one in kept)
    return fenced(told, LONGEST) if told else ""


def quoted(name: str) -> str:
    """A name from data as it may stand in a call that is proposed: one line, in quotes."""
    return json.dumps(plain_text(name), ensure_ascii=False)


async def remembered(session: Session, run: str, key: str) -> dict[str, Any]:
    """A value of memory as it may be told: `{"key", "value", "version", "written_by", "kind"}`.

    Args:
        session: The session.
        run: Of this run, unless the key is a whole one, `<run id>/<name>`.
        key: A name, with or without `neural/`.

    Raises:
        InputError: there is no such key.
        PrivacyRefused: its value may hold cells.
    """
    services = await session.services()
    found = await services.notes.get(run, key, envelope=True)
    name = key.removeprefix("neural/")
    first, _, rest = name.partition("/")
    if RUN_ID.fullmatch(first) and rest:
        run, name = first, rest
    asserted = (found.get("provenance") or {}).get("kind") == "asserted"
    privacy = await session.privacy(None if asserted else await session.look(run))
    value = privacy.memory(f"asserted/{name.removeprefix('asserted/')}" if asserted else name, found["value"])
    kind = "asserted by a person, neither measured nor decided" if asserted else "measured or decided by the run"
    return {"key": name, "value": value, **{key: found[key] for key in ("version", "written_by")}, "kind": kind}


def links(view: RunView) -> list[ContentBlock]:
    """Addresses of the run, for detail."""
    names = ["metrics", "events", *(["report"] if view.report else [])]
    return [
        ResourceLink(type="resource_link", uri=f"neural://runs/{view.run_id}/{name}", name=f"{name} of {view.run_id}")
        for name in names
    ]
