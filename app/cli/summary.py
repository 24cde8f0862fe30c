"""What a person is told when a run stops: gates, baselines, columns, report, address, and what can be done next.

Plain text for any width; it reads a `RunView` and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.metrics import BY_NAME
from app.cli.figures import clean, clean_lines, figure, measured, number, one_line, span, wanted
from phases.views import CheckView, PhaseView, RunView

BASELINES = {"majority": "majority class", "mean": "mean", "linear": "linear model", "trees": "gradient-boosted trees"}
WINNERS = {
    "majority": "Always answering the majority class does",
    "mean": "Always answering the mean does",
    "linear": "A linear model does",
    "trees": "Gradient-boosted trees do",
}
UNSERVED = {
    "replaced": "{name} serves another run's version now",
    "undeployed": "{name} was undeployed",
    "down": "{name} is down; a look at `neuroloom deployments` starts it again",
}
TOP_COLUMNS = 5
METRICS_BESIDE = 4
IN_FULL = ("validate", "deploy")


def summary(run: RunView, *, every_gate: bool = False) -> str:
    """The whole end of a run as text."""
    blocks = [headline(run), gates(run.phases, every_gate=every_gate), beside_baselines(run), columns(run), places(run)]
    if run.error is not None:
        blocks.append(
            f"error: {one_line(run.error.message)}" + (f"\nhint: {one_line(run.error.fix)}" if run.error.fix else "")
        )
    blocks.append(next_steps(run))
    return "\n\n".join(block for block in blocks if block)


def headline(run: RunView) -> str:
    """One line: id, state, and why."""
    why = f": {one_line(run.reason)}" if run.reason else ""
    took = sum(phase.seconds or 0.0 for phase in run.phases)
    return f"{run.run_id} {run.status}{why}" + (f" ({span(took)})" if took else "")


def gates(phases: Sequence[PhaseView], *, every_gate: bool) -> str:
    """The checks as a table: those of validate and deploy, others when they failed or all are wanted."""
    rows = [("", "check", "measured", "wanted", "")]
    for phase in phases:
        for check in phase.gate:
            if every_gate or phase.name in IN_FULL or not check.passed:
                rows.append((phase.name, clean(check.name), measured(check), wanted(check), verdict(check)))
    return table(rows) if len(rows) > 1 else ""


def verdict(check: CheckView) -> str:
    """Passed, FAILED, or below a threshold that only informs."""
    if check.passed:
        return "passed"
    return "FAILED" if check.blocking else "not reached (not blocking)"


def beside_baselines(run: RunView) -> str:
    """The model and each baseline on the same rows, and a sentence for each baseline that wins."""
    if not run.metrics:
        return ""
    names = _shown_metrics(run)
    rows = [("", *names), ("model", *(figure(run.metrics[name]) for name in names))]
    for key, scores in run.baselines.items():
        shown = (figure(scores[name], interval=False) if name in scores else "–" for name in names)
        rows.append((BASELINES.get(key, key), *shown))
    served = [f"{name} {figure(m)}" for name, m in run.metrics.items() if name in ("latency_p95_ms", "throughput_rps")]
    lines = [table(rows), *(["served: " + ", ".join(served)] if served else []), *winners(run)]
    return "\n".join(lines)


def winners(run: RunView) -> list[str]:
    """One plain sentence for each baseline ahead of the model on the run's metric, and whether that is only noise."""
    name = _primary(run)
    if name is None:
        return []
    better = 1.0 if BY_NAME[name].higher_is_better else -1.0
    own = run.metrics[name].value
    return [
        f"{WINNERS.get(key, f'The {key} baseline does')} {'as well' if _noise(run, key) else 'better'} here: "
        f"{name} {number(scores[name].value)} against {number(own)} of the network"
        f"{', a difference within the noise.' if _noise(run, key) else '.'}"
        for key, scores in run.baselines.items()
        if name in scores and better * (scores[name].value - own) > 0
    ]


def _noise(run: RunView, baseline: str) -> bool:
    """Whether the 95 % interval of the difference to the baseline holds zero."""
    difference = run.differences.get(baseline)
    return difference is not None and difference.interval is not None and difference.interval[1] >= 0


def columns(run: RunView) -> str:
    """The columns that matter most, by permutation on the validation split."""
    top = sorted(run.importance, key=lambda item: item.drop.value, reverse=True)[:TOP_COLUMNS]
    if not top:
        return ""
    rows = [("column", f"{_primary(run) or 'metric'} lost when shuffled")]
    return table(rows + [(one_line(item.column, 40), figure(item.drop, interval=False)) for item in top])


def places(run: RunView) -> str:
    """Where report and endpoint are, and a request that works when pasted."""
    lines = [f"report: {run.report}"] if run.report else []
    if run.deployment is not None and run.deployment.url:
        lines.append(f"serving: {run.deployment.url}  (deployment {run.deployment.name})")
        if run.deployment.curl:
            lines += ["", clean_lines(run.deployment.curl)]
    elif run.deployment is not None:
        gone = UNSERVED.get(run.deployment.status, "{name} is " + run.deployment.status)
        lines.append(f"not served: {gone.format(name=run.deployment.name)}")
    return "\n".join(lines)


def next_steps(run: RunView) -> str:
    """What can be done now; only commands that exist and fit this state."""
    steps = _steps(run)
    if not steps:
        return ""
    width = max(len(command) for command, _ in steps)
    return "\n".join(["you can:", *(f"  {command.ljust(width)}  {what}" for command, what in steps)])


def _steps(run: RunView) -> list[tuple[str, str]]:
    prefix = "neuroloom"
    one = run.run_id
    if run.status == "waiting" and run.question is not None:
        return _answers(run)
    if run.status == "rejected":
        return [
            *([(f"{prefix} report {one} --open", "see why, and what would help")] if run.report else []),
            *([(f'{prefix} deploy {one} --override --why "…"', "serve it anyway, on record")] if run.tested else []),
        ]
    if run.status in {"failed", "cancelled"}:
        code = run.error.code if run.error is not None else ""
        again = [] if code.startswith("input.") else [(f"{prefix} resume {one}", "go on from the last checkpoint")]
        started = any(phase.status != "pending" for phase in run.phases)
        return [*again, *([(f"{prefix} logs {one}", "what the jobs wrote")] if started else [])]
    if run.status == "finished" or (run.deployment is not None and run.deployment.url is None):
        return [(f"{prefix} deploy {one}", "serve the model")]
    if run.status in {"queued", "running"}:
        return [(f"{prefix} watch {one}", "follow it"), (f"{prefix} cancel {one}", "stop it")]
    return []


def _answers(run: RunView) -> list[tuple[str, str]]:
    one, question = run.run_id, run.question
    if question is not None and question.kind == "target":
        accept = f"take {question.proposal!r}" if question.proposal else "take the proposal"
        return [
            (f"neuroloom approve {one}", accept),
            (f"neuroloom approve {one} --target COLUMN", "name another column"),
            (f"neuroloom cancel {one}", "stop it"),
        ]
    if question is not None and question.kind == "budget":
        return [(f"neuroloom approve {one} --choose {choice}", choice) for choice in question.choices]
    return [
        (f"neuroloom approve {one}", "yes"),
        (f'neuroloom approve {one} --reject --why "…"', "no"),
    ]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, two spaces apart, a rule under the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "─" * sum(widths, 2 * (len(widths) - 1)), *lines[1:]])


def _primary(run: RunView) -> str | None:
    if run.metric in run.metrics and run.metric in BY_NAME:
        return run.metric
    usual = (name for name in ("accuracy", "r2", "rmse") if name in run.metrics)
    return next(usual, None)


def _shown_metrics(run: RunView) -> list[str]:
    """The run's metric first, then the others that the baselines have too."""
    primary = _primary(run)
    shared = [name for name in run.metrics if any(name in scores for scores in run.baselines.values())]
    order = [*([primary] if primary else []), *shared, *([] if shared else run.metrics)]
    return list(dict.fromkeys(order))[:METRICS_BESIDE]
