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

if TYPE_CHECKING:
    from phases.privacy.privacy import Privacy
    from phases.request import RunRequest
    from phases.views import RunView

EVENTS = 500


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
    from phases.request import Requirement, RunRequest

    values = {name: value for name, value in given.items() if value is not None}
    sides = zip(("min", "max"), stated, strict=True)
    needed = [(f"{side}_{name}", value) for side, rows in sides for name, value in (rows or {}).items()]
    requirements = tuple(Requirement.stated(key, value, task=values.get("task")) for key, value in needed)
    try:
        return RunRequest.model_validate(
            {
                **session.settings.run.model_dump(),
                **values,
                "data": data,
                "requirements": requirements,
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
    """Rows for clients that show only text, one a line."""
    kept = [{key: value for key, value in spare(one).items() if value not in ([], {})} for one in found]
    return "\n".join(json.dumps(one, ensure_ascii=False, separators=(", ", ": "))[:600] for one in kept)


def links(view: RunView) -> list[ContentBlock]:
    """Addresses of the run, for detail."""
    names = ["metrics", "events", *(["report"] if view.report else [])]
    return [
        ResourceLink(type="resource_link", uri=f"neural://runs/{view.run_id}/{name}", name=f"{name} of {view.run_id}")
        for name in names
    ]
