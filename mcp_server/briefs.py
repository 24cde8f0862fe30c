"""A run in a few lines: the document and the words of the tools' answers. It chooses; privacy was applied before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phases.privacy.words import plain as plain_text
from phases.views import RunView

MAIN = ("latency_p95_ms", "gap", "throughput_rps")


def brief(view: RunView, shown: Mapping[str, Any]) -> dict[str, Any]:
    """The run as a small document.

    Args:
        view: The run.
        shown: The same after privacy was applied to it; only this is put in.
    """
    document: dict[str, Any] = {
        "run": view.run_id,
        "status": view.status,
        "phases": {one["name"]: one["status"] for one in shown["phases"]},
        "failed_checks": failed_checks(shown),
    }
    if view.status == "running":
        document["phase"] = next((one.name for one in view.phases if one.status == "running"), None)
        document["attempt"] = view.attempt
    for name in ("target", "question", "error", "reason", "deployment", "queue_position"):
        if shown.get(name) not in (None, ""):
            document[name] = shown[name]
    if view.metric is not None and shown["metrics"]:
        document["metric"] = view.metric
        document["metrics"] = {name: figure(one) for name, one in shown["metrics"].items() if _is_main(name, view)}
        document["baselines"] = {
            name: figure(row[view.metric]) for name, row in shown["baselines"].items() if view.metric in row
        }
    return {name: value for name, value in document.items() if value not in (None, {}, [])}


def figure(measured: Mapping[str, Any]) -> dict[str, Any]:
    """A measurement in short: value, unit, and the split it was measured on."""
    split = (measured.get("provenance") or {}).get("split")
    interval = measured.get("interval")
    kept = {"value": measured["value"], "unit": measured.get("unit"), "split": split, "interval": interval}
    return {name: value for name, value in kept.items() if value is not None}


def failed_checks(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The checks of all gates that did not pass."""
    rows = [(phase["name"], check) for phase in shown["phases"] for check in phase["gate"] if not check["passed"]]
    return [
        {
            "phase": phase,
            "check": check["name"],
            "measured": plain(check["measured"]),
            "comparison": check["comparison"],
            "threshold": plain(check["threshold"]),
            "blocking": check["blocking"],
        }
        for phase, check in rows
    ]


def plain(measured: Any) -> Any:
    """The number of a measurement, and everything else as it is."""
    return measured["value"] if isinstance(measured, Mapping) and "value" in measured else measured


def words(view: RunView, shown: Mapping[str, Any]) -> str:
    """The run in sentences."""
    lines = [f"Run {view.run_id}: {view.status}" + (f", {_phase(view)}" if view.status == "running" else "")]
    if shown.get("reason"):
        lines.append(str(shown["reason"]))
    if view.metric and view.metric in shown["metrics"]:
        lines.append(_told(view.metric, shown["metrics"][view.metric]) + _against(view.metric, shown))
    lines += [_told(name, shown["metrics"][name]) for name in MAIN if name in shown["metrics"]]
    lines += [_check(one) for one in failed_checks(shown)]
    if shown.get("question"):
        lines.append(f"It asks: {question(shown['question'])}")
    if shown.get("deployment") and shown["deployment"].get("url"):
        lines.append(f"Served as {shown['deployment']['name']} at {shown['deployment']['url']}")
    if shown.get("error"):
        lines.append(f"{shown['error']['code']}: {shown['error']['message']}")
    return "\n".join(lines)


def question(asked: Mapping[str, Any]) -> str:
    """What a run asks, with the proposal and the choices."""
    text = str(asked["text"])
    if asked.get("proposal"):
        why = f" ({asked['reason']})" if asked.get("reason") else ""
        text += f" Proposed: {plain_text(str(asked['proposal']))}{why}"
    if asked.get("choices") and asked["kind"] != "target":
        text += f" Choices: {', '.join(map(str, asked['choices']))}"
    return text


def next_step(view: RunView) -> str:
    """What a chat should call now."""
    run = view.run_id
    if view.status in {"queued", "running"}:
        return f'run_wait(run="{run}") and tell the person how it goes; the run goes on without this chat'
    if view.status == "waiting" and view.question is not None:
        ask = f'ask the person, then run_approve(run="{run}", question="{view.question.id}"'
        return ask + (", target=…)" if view.question.kind == "target" else ", approve=true|false, why=…)")
    if view.status == "deployed" and view.deployment is not None:
        return f'report_get(run="{run}"); model_predict(model="{view.deployment.name}", rows=[…])'
    if view.status == "finished":
        return f'report_get(run="{run}"); deployment_change(action="start", run="{run}") serves it'
    if view.status == "rejected":
        return (
            f'report_get(run="{run}") says which check failed; serve it all the same only if the person gives a reason'
        )
    return f'run_get(run="{run}", detail="events"), then run_resume(run="{run}") or run_start with other data'


def _phase(view: RunView) -> str:
    running = next((one.name for one in view.phases if one.status == "running"), "between phases")
    return f"phase {running}" + (f", attempt {view.attempt}" if view.attempt > 1 else "")


def _is_main(name: str, view: RunView) -> bool:
    return name == view.metric or name in MAIN or not name.startswith(("latency", "memory", "cpu", "gpu", "model"))


def _told(name: str, measured: Mapping[str, Any]) -> str:
    found = figure(measured)
    unit = f" {found['unit']}" if found.get("unit") not in (None, "", "1", "ratio", "fraction") else ""
    where = f" on the {found['split']} split" if found.get("split") else ""
    between = found.get("interval")
    span = f" (95 % interval {between[0]:.4g} to {between[1]:.4g})" if between else ""
    return f"{name} {found['value']:.4g}{unit}{where}{span}"


def _against(metric: str, shown: Mapping[str, Any]) -> str:
    rows = [f"{name} {row[metric]['value']:.4g}" for name, row in shown["baselines"].items() if metric in row]
    return f"; baselines: {', '.join(rows)}" if rows else ""


def _check(one: Mapping[str, Any]) -> str:
    mark = "FAILED" if one["blocking"] else "not reached (does not block)"
    return f"{mark}: {one['phase']}/{one['check']} {one['measured']} must be {one['comparison']} {one['threshold']}"
