"""A run's report for a chat: Markdown made from allowed values only. It computes no figure and reads no file.

What it is given was already reduced to what may leave (`Privacy.run`, `Privacy.memory`); names are escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from templates.quoting import markdown, markdown_code

TITLES = {
    "majority": "always the most frequent class",
    "mean": "always the mean",
    "linear": "a linear model",
    "trees": "gradient-boosted trees",
    "champion": "the model now deployed",
}
MOST_COLUMNS, MOST_CLASSES, MOST_WARNINGS = 5, 20, 10


def chat_report(run: Mapping[str, Any], documents: Mapping[str, Any]) -> str:
    """The report.

    Args:
        run: What `Privacy.run` allows of the run.
        documents: What `Privacy.memory` allows of `dataset`, `validation`, `candidate-scores`, `decisions`, `request`.
    """
    scores = documents.get("validation") or documents.get("candidate-scores") or {}
    dataset = documents.get("dataset") or {}
    parts = (
        _head(run, dataset),
        _gates(run),
        _metrics(run, scores),
        _beside(run, scores),
        _important(run, scores),
        _classes(scores, dataset),
        _warnings(run, documents),
        _again(run, dataset, documents.get("request") or {}),
    )
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(run: Mapping[str, Any], dataset: Mapping[str, Any]) -> list[str]:
    model = run.get("model") or {}
    name = model.get("name") or dataset.get("name") or run["run_id"]
    lines = [f"# {markdown(name)} {markdown(model.get('version') or '')}".rstrip(), ""]
    lines.append(f"Run {markdown_code(run['run_id'])} is **{markdown(run['status'])}**, attempt {run['attempt']}.")
    if run.get("reason"):
        lines.append(f"Reason: {markdown(run['reason'])}")
    if dataset.get("target"):
        task = f"{markdown(dataset['task'])} of {markdown_code(dataset['target'])}"
        positive = f", positive = {markdown_code(dataset['positive'])}" if dataset.get("positive") is not None else ""
        lines.append(f"Task: {task}{positive}, chosen by {markdown(dataset['metric'])}.")
    deployment = run.get("deployment") or {}
    if deployment.get("url"):
        lines.append(f"Served as {markdown_code(deployment['name'])} at {markdown_code(deployment['url'])}.")
    if error := run.get("error"):
        lines.append(f"Error {markdown_code(error['code'])}: {markdown(error['message'])}")
    return lines


def _gates(run: Mapping[str, Any]) -> list[str]:
    rows = [
        (markdown(phase["name"]), markdown(check["name"]), _said(check.get("measured")),
         _needed(check),
         "passed" if check["passed"] else "**failed**" if check["blocking"] else "missed (does not block)")
        for phase in run.get("phases") or ()
        for check in phase.get("gate") or ()
    ]  # fmt: skip
    return ["## Gates", "", *_table(("phase", "check", "measured", "needed", "verdict"), rows)] if rows else []


def _metrics(run: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    train = scores.get("train_metrics") or {}
    rows = []
    for name, found in (run.get("metrics") or {}).items():
        told = (found.get("provenance") or {}).get("split") or (found.get("provenance") or {}).get("job") or ""
        seen = _said(train[name]) if name in train else ""
        rows.append((markdown(name), _said(found), markdown(told), seen))
    if not rows:
        return []
    heads = ("metric", "measured (95 % interval)", "on", "on training rows")
    reads = scores.get("test_reads")
    note = [f"The test split was read {reads} time(s)."] if reads else []
    return ["## Metrics", "", *_table(heads, rows), *(["", *note] if note else [])]


def _beside(run: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    metric, rows = scores.get("metric") or run.get("metric") or "", []
    differences = run.get("differences") or {}
    for name, found in (run.get("baselines") or {}).items():
        rows.append((TITLES.get(name, markdown(name)), _said(found.get(metric)), _said(differences.get(name))))
    if not rows:
        return []
    heads = ("simpler model", markdown(metric), "this model is better by")
    return ["## Beside simpler models", "", *_table(heads, rows)]


def _important(run: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    found = list(run.get("importance") or scores.get("importance") or ())
    found.sort(key=lambda one: -one["drop"]["value"])
    rows = [(markdown_code(one["column"]), _said(one["drop"])) for one in found[:MOST_COLUMNS]]
    return ["## What it looks at", "", *_table(("column", "worse by when shuffled"), rows)] if rows else []


def _classes(scores: Mapping[str, Any], dataset: Mapping[str, Any]) -> list[str]:
    """What each class costs: how many rows were right, and what the others were taken for."""
    confusion = scores.get("confusion") or {}
    labels, matrix = confusion.get("labels") or (), confusion.get("matrix") or ()
    rows = []
    for label, counts in list(zip(labels, matrix, strict=False))[:MOST_CLASSES]:
        own = labels.index(label)
        wrong = sorted(((n, labels[i]) for i, n in enumerate(counts) if i != own and n), key=lambda one: -one[0])
        told = ", ".join(f"{n} as {markdown_code(other)}" for n, other in wrong[:3]) or "none"
        rows.append((markdown_code(label), str(sum(counts)), str(counts[own]), told))
    if not rows:
        return []
    title = f"## Errors by class of {markdown_code(dataset.get('target') or 'the target')}"
    heads = ("class", f"{markdown(scores.get('split') or '')} rows", "right", "taken for others")
    return [title, "", *_table(heads, rows)]


def _warnings(run: Mapping[str, Any], documents: Mapping[str, Any]) -> list[str]:
    found = [
        f"{phase['name']}: {check['name']} was missed" + (f" ({check['why']})" if check.get("why") else "")
        for phase in run.get("phases") or ()
        for check in phase.get("gate") or ()
        if not check["passed"]
    ]
    for name, difference in (run.get("differences") or {}).items():
        if (interval := difference.get("interval")) and interval[1] < 0:
            found.append(f"{TITLES.get(name, name)} is better on these rows: consider serving that instead")
    decisions = documents.get("decisions") or ()
    found += [note for one in decisions for note in (one.get("value") or {}).get("notes") or ()]
    found += [f"not used: '{one['name']}': {one.get('reason')}" for one in _dropped(documents)]
    shown = list(dict.fromkeys(found))
    more = [f"- and {len(shown) - MOST_WARNINGS} more"] if len(shown) > MOST_WARNINGS else []
    return ["## Warnings", "", *(f"- {markdown(one)}" for one in shown[:MOST_WARNINGS]), *more] if shown else []


def _dropped(documents: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (documents.get("dataset") or {}).get("dropped") or ()


def _again(run: Mapping[str, Any], dataset: Mapping[str, Any], request: Mapping[str, Any]) -> list[str]:
    lines = ["## How to reproduce", ""]
    lines.append(f"- The same recipe: {markdown_code('neuroloom run DATA --from ' + run['run_id'])}")
    if dataset.get("sha256"):
        lines.append(f"- Data: snapshot {markdown_code(dataset['sha256'])}, seed {markdown(request.get('seed', 0))}")
    if request.get("code_version"):
        lines.append(f"- Code: {markdown_code(request['code_version'])}")
    lines.append(f"- Everything it made: {markdown_code(run['workspace'])}; `scripts/train.py` there trains it again")
    return lines


def _needed(check: Mapping[str, Any]) -> str:
    told = _said(check.get("threshold"))
    return told if check.get("comparison") in {"is", "", None} else f"{markdown(check['comparison'])} {told}"


def _said(found: Any) -> str:
    """A measurement with its unit and interval, or a plain figure."""
    if isinstance(found, Mapping):
        unit = "" if found.get("unit") in {"fraction", None} else f" {found['unit']}"
        ends = found.get("interval")
        between = f" ({_number(ends[0])} to {_number(ends[1])})" if ends else ""
        return str(markdown(f"{_number(found['value'])}{unit}{between}"))
    if isinstance(found, bool):
        return "yes" if found else "no"
    return _number(found) if isinstance(found, int | float) else str(markdown(found or ""))


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]
