"""The metric catalogue: name, unit, direction, range and tasks of each measured number. It measures nothing.

Pure data on the standard library: the command line builds its `--min-*` and `--max-*` options from it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from memory.errors import UsageError

CLASSIFICATION: tuple[str, ...] = ("binary", "multiclass")
TASKS: tuple[str, ...] = (*CLASSIFICATION, "regression")


@dataclass(frozen=True)
class Metric:
    """One metric of the product.

    Attributes:
        name: Stable name in results, reports, flags and the `--json` document.
        unit: Unit of its `Measurement`.
        higher_is_better: Direction.
        low: Smallest threshold that makes sense (exclusive for `higher_is_better` fractions, see `fits`).
        high: Largest value it can take.
        tasks: Tasks on which it exists.
        source: Which result holds it: `scores` (evaluate, test), `benchmark`, or `events` (only shown).
        says: What it tells, in one plain phrase.
        chooses: Whether a run may be steered by it (`--metric`).
    """

    name: str
    unit: str
    higher_is_better: bool
    low: float
    high: float
    tasks: tuple[str, ...]
    source: str
    says: str
    chooses: bool = False

    @property
    def path(self) -> str:
        """Dotted path to its measurement in `{"scores": …, "benchmark": …}`."""
        if self.name == "gap":
            return "validation.gap"
        return f"scores.metrics.{self.name}" if self.source == "scores" else f"{self.source}.{self.name}"

    @property
    def comparison(self) -> str:
        """How a requirement on it is compared: at least, or at most."""
        return ">=" if self.higher_is_better else "<="

    def fits(self, threshold: float) -> bool:
        """Whether a requirement at `threshold` is neither always met nor impossible."""
        if not math.isfinite(threshold) or threshold > self.high:
            return False
        return threshold > self.low


def _fraction(name: str, tasks: tuple[str, ...], says: str, *, chooses: bool = True) -> Metric:
    return Metric(name, "fraction", True, 0.0, 1.0, tasks, "scores", says, chooses)


def _cost(name: str, unit: str, says: str, source: str = "benchmark", *, high: float = math.inf) -> Metric:
    return Metric(name, unit, False, 0.0, high, TASKS, source, says)


METRICS: tuple[Metric, ...] = (
    _fraction("accuracy", CLASSIFICATION, "share of rows labelled right"),
    _fraction("balanced_accuracy", CLASSIFICATION, "mean recall over the classes, each class counting the same"),
    _fraction("f1", ("binary",), "balance of precision and recall of the positive class"),
    _fraction("macro_f1", CLASSIFICATION, "F1 averaged over the classes, each class counting the same"),
    _fraction(
        "precision",
        CLASSIFICATION,
        "share of the rows called positive that are (macro mean for many classes)",
    ),
    _fraction("recall", CLASSIFICATION, "share of the positive rows that are found (macro mean for many classes)"),
    _fraction("auc", CLASSIFICATION, "chance that a positive row is ranked above a negative one"),
    Metric("log_loss", "nats", False, 0.0, math.inf, CLASSIFICATION, "scores", "surprise of the true label", True),
    Metric("ece", "fraction", False, 0.0, 1.0, CLASSIFICATION, "scores", "distance of confidence from accuracy"),
    Metric("rmse", "target", False, 0.0, math.inf, ("regression",), "scores", "root mean squared error", True),
    Metric("mae", "target", False, 0.0, math.inf, ("regression",), "scores", "mean absolute error", True),
    Metric(
        "r2",
        "fraction",
        True,
        -math.inf,
        1.0,
        ("regression",),
        "scores",
        "share of the variance explained",
        True,
    ),
    Metric(
        "mase",
        "ratio",
        False,
        0.0,
        math.inf,
        ("forecast",),
        "scores",
        "error against the naive forecast",
        True,
    ),
    _fraction("coverage", ("regression",), "share of true values inside the stated interval", chooses=False),
    Metric("bits_per_byte", "bits", False, 0.0, math.inf, ("language",), "scores", "bits to code a byte", True),
    Metric("gap", "fraction", False, 0.0, 1.0, TASKS, "scores", "training score less the score on validation rows"),
    _cost("latency_p50_ms", "ms", "half of the answers are faster"),
    _cost("latency_p95_ms", "ms", "95 of 100 answers are faster"),
    _cost("latency_p99_ms", "ms", "99 of 100 answers are faster"),
    Metric("throughput_rps", "requests/s", True, 0.0, math.inf, TASKS, "benchmark", "answers per second"),
    _cost("memory_mb", "MB", "memory of the serving process"),
    _cost("model_bytes", "bytes", "size of the exported model"),
    _cost("cpu_percent", "percent", "processor use while training", "events"),
    _cost("gpu_percent", "percent", "accelerator use while training", "events", high=100.0),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}
ALIASES: Mapping[str, str] = {"latency_ms": "latency_p95_ms", "p95_ms": "latency_p95_ms"}


@dataclass(frozen=True)
class Requirement:
    """A threshold that the person stated: `metric comparison threshold`. `key` is the flag it came from, as
    `min_accuracy`.
    """

    key: str
    metric: str
    comparison: str
    threshold: float


@dataclass(frozen=True)
class RequirementOption:
    """One `--min-*` or `--max-*` option of the command line."""

    flag: str
    key: str
    metric: Metric

    @property
    def help(self) -> str:
        """One line of help."""
        side = "At least" if self.metric.higher_is_better else "At most"
        return f"{side} this {self.metric.name} ({self.metric.says}; {self.metric.unit})."


def options() -> tuple[RequirementOption, ...]:
    """Every requirement option, aliases included: `--min-` where more is better, `--max-` where less is.

    Metrics that no run of today measures (other tasks, values only shown while training) have none.
    """
    names = [(metric.name, metric) for metric in METRICS] + [(a, BY_NAME[n]) for a, n in ALIASES.items()]
    return tuple(
        RequirementOption(f"--{_side(metric)}-{name.replace('_', '-')}", f"{_side(metric)}_{name}", metric)
        for name, metric in names
        if metric.source != "events" and set(metric.tasks) & set(TASKS)
    )


def _side(metric: Metric) -> str:
    return "min" if metric.higher_is_better else "max"


def named(name: str, *, task: str | None = None, field: str = "metric") -> Metric:
    """The metric a run is steered by (`--metric`), by name.

    Raises:
        UsageError: `usage.unknown_metric` when no metric that can steer a run has this name, or
            `usage.metric_task` when it does not exist for `task`; both name the valid choices.
    """
    word = name.strip().lower().replace("-", "_")
    metric = BY_NAME.get(ALIASES.get(word, word))
    choices = [m.name for m in METRICS if m.chooses and set(m.tasks) & set([task] if task else TASKS)]
    if metric is None or not metric.chooses:
        near = nearest(word, choices)
        raise UsageError(
            f"unknown metric {name!r}{near}; valid: {', '.join(choices)}",
            code="usage.unknown_metric",
            field=field,
            fix=f"choose one of: {', '.join(choices)}",
        )
    if task and task not in metric.tasks:
        raise UsageError(
            f"metric {metric.name!r} does not exist for a {task} task; valid: {', '.join(choices)}",
            code="usage.metric_task",
            field=field,
            fix=f"choose one of: {', '.join(choices)}",
        )
    return metric


def requirement(key: str, value: object, *, task: str | None = None) -> Requirement:
    """A stated requirement such as `("min_accuracy", 0.9)`, checked for name, range and, when known, task.

    Raises:
        UsageError: `usage.unknown_requirement`, `usage.threshold` (not a number, or out of range) or
            `usage.metric_task`.
    """
    word = key.strip().lstrip("-").lower().replace("-", "_")
    option = next((o for o in options() if o.key == word), None)
    if option is None:
        keys = [o.key for o in options()]
        raise UsageError(
            f"unknown requirement {key!r}{nearest(word, keys)}",
            code="usage.unknown_requirement",
            field=word,
            fix=f"use one of: {', '.join(o.flag for o in options())}",
        )
    metric = option.metric
    threshold = _number(value)
    if threshold is None or not metric.fits(threshold):
        raise UsageError(
            f"{option.flag} {value!r} is out of range: {metric.name} must be {_range(metric)}",
            code="usage.threshold",
            field=word,
            fix=f"give {option.flag} a number {_range(metric)}",
        )
    if task and task not in metric.tasks:
        raise UsageError(
            f"{option.flag} asks for {metric.name!r}, which does not exist for a {task} task",
            code="usage.metric_task",
            field=word,
            fix=f"for {task} use: {', '.join(o.flag for o in options() if task in o.metric.tasks)}",
        )
    return Requirement(word, metric.name, metric.comparison, threshold)


def nearest(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'x' or 'y'?` for the closest choices, or an empty string."""
    by_lower = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(by_lower[f]) for f in found)}?" if found else ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _range(metric: Metric) -> str:
    low, high = metric.low, metric.high
    if math.isinf(low):
        return f"at most {high:g}"
    return f"above {low:g}" if math.isinf(high) else f"above {low:g} and at most {high:g}"
