"""What a performance report says, as frozen types. A metric is a `Measurement`: a bare float does not validate."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, field_validator

from memory.measurement import Measurement
from templates.frozen import Frozen
from templates.quoting import Quoted
from templates.report.svg import inline

Metrics = dict[str, Measurement]

TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "macro_f1": "Macro F1",
    "precision": "Precision",
    "recall": "Recall",
    "auc": "Area under ROC",
    "log_loss": "Log loss",
    "ece": "Calibration error",
    "rmse": "RMSE",
    "mae": "Mean absolute error",
    "r2": "R²",
    "gap": "Training less unseen rows",
    "latency_p50_ms": "Latency, median",
    "latency_p95_ms": "Latency, 95th percentile",
    "latency_p99_ms": "Latency, 99th percentile",
    "throughput_rps": "Throughput, 16 clients",
    "model_alone_ms": "Model alone, without HTTP",
    "memory_mb": "Memory of the server",
    "model_bytes": "Size of the model",
    "ready_seconds": "Start until ready",
    "rows_per_second": "Rows per second, 32 a request",
    "batch32_p95_ms": "Latency of 32 rows, 95th percentile",
}
STOPPED = {"failed": "failed", "cancelled": "was cancelled"}
BASELINES = {
    "majority": "always the most frequent class",
    "mean": "always the mean",
    "linear": "a linear model",
    "trees": "gradient-boosted trees",
    "champion": "the model now deployed",
}


def title_of(name: str) -> str:
    """A metric's name as people say it."""
    return TITLES.get(name, name.replace("_", " ").capitalize())


class Check(Frozen):
    """One check of a gate. `measured` is a measurement; where a fact decides, `said` states it instead.

    `why` tells in plain words what was compared, such as the lower end of an interval, or what a fact rests on.
    """

    phase: str
    name: str
    measured: Measurement | None = None
    said: str = ""
    comparison: str = ""
    threshold: float | str | None = None
    passed: bool
    blocking: bool = True
    why: str = ""

    @property
    def title(self) -> str:
        """The check's name as people say it."""
        return title_of(self.name)

    @property
    def verdict(self) -> Literal["passed", "failed", "missed"]:
        """`missed`: not passed, but only shown."""
        if self.passed:
            return "passed"
        return "failed" if self.blocking else "missed"

    @property
    def needs(self) -> str:
        """The comparison and its threshold, as text."""
        comparison = {">=": "≥", "<=": "≤", "is": ""}.get(self.comparison, self.comparison)
        if self.threshold is None:
            return comparison
        value = f"{self.threshold + 0.0:g}" if isinstance(self.threshold, float) else self.threshold
        return f"{comparison} {value}".strip()


class Baseline(Frozen):
    """A simpler model on the same rows. `difference` is in the primary metric; positive = the network is better."""

    name: str
    metrics: Metrics
    difference: Measurement | None = None

    @property
    def title(self) -> str:
        """The baseline as people say it."""
        return BASELINES.get(self.name, self.name)

    @property
    def outcome(self) -> Literal["behind", "ahead", "level", "unknown"]:
        """Where the baseline stands, beyond the 95 % interval of the difference."""
        if self.difference is None or self.difference.interval is None:
            return "unknown"
        low, high = self.difference.interval
        if low > 0:
            return "behind"
        return "ahead" if high < 0 else "level"


class ClassRow(Frozen):
    """One line of the per-class table; a class without rows on the split has no figures."""

    label: str
    precision: Measurement | None
    recall: Measurement | None
    f1: Measurement | None
    rows: int


class Importance(Frozen):
    """How much the primary metric falls when a column is shuffled (validation rows)."""

    column: str
    drop: Measurement


class Fall(Frozen):
    """How much the primary metric falls when the inputs get worse in one way."""

    what: str
    drop: Measurement


class DecisionRow(Frozen):
    """A decision as recorded: who, what, why, on which evidence."""

    agent: str
    type: str
    reason: str
    reasoner: str = "rules"
    at: str = ""
    evidence: dict[str, Any] = Field(default_factory=dict)


class AttemptRow(Frozen):
    """One pass of configure, train and candidate check."""

    number: int
    chosen: bool
    summary: str
    metric: Measurement | None = None
    diagnosis: str | None = None


class Plot(Frozen):
    """A figure: its file name beside the report, its title, a sentence for who cannot see it, and its SVG."""

    file: str
    title: str
    alt: str
    svg: str

    @field_validator("svg")
    @classmethod
    def _safe(cls, svg: str) -> str:
        return inline(svg)


class Note(Frozen):
    """What was noticed about the data and what was done about it."""

    message: str
    column: str | None = None
    count: int | None = None


class Override(Frozen):
    """A person's word that a model which a gate rejected is to be served: the reason, who said so, and when."""

    why: str
    by: str
    at: str


class ReportContext(Frozen):
    """Everything the report says.

    Attributes:
        state: of the run when this was written; `checks` are those of the gates reached by then.
        attempt: the one that the report is about; `attempts` lists all there were.
        override: why the model is served although a gate rejected it.
        gaps: training less unseen rows, one for each split it was measured on; `gap_metric`: in which metric.
        metrics, train_metrics: of the chosen attempt on the test and on the training split.
        serving: latency, throughput, memory and size of the generated server.
        primary: the metric by which choices were made; a key of `metrics`.
        verdict: what the gates reached so far decided.
        recommendations: sentences from the decisions, most important first.
        data: facts about the data as (name, value) pairs; `notes`: what was handled.
        environment: machine and library versions as (name, value) pairs.
        test_reads: how often the test split was read.
    """

    name: str
    version: str
    run: str
    created: str
    goal: str | None = None
    task: str
    target: str
    positive: str | None = None
    primary: str
    higher_is_better: bool = True
    state: str = "finished"
    attempt: int | None = None
    verdict: Literal["passed", "rejected"]
    override: Override | None = None
    checks: tuple[Check, ...]
    metrics: Metrics
    train_metrics: Metrics = Field(default_factory=dict)
    gaps: tuple[Measurement, ...] = ()
    gap_metric: str | None = None
    serving: Metrics = Field(default_factory=dict)
    baselines: tuple[Baseline, ...] = ()
    importance: tuple[Importance, ...] = ()
    robustness: tuple[Fall, ...] = ()
    per_class: tuple[ClassRow, ...] = ()
    plots: tuple[Plot, ...] = ()
    recommendations: tuple[str, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()
    data: tuple[tuple[str, str], ...] = ()
    notes: tuple[Note, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    test_reads: int

    @property
    def outcome(self) -> str:
        """The verdict in a word or two; without a final state it is not the last one."""
        if self.verdict == "rejected":
            return "Rejected"
        if self.state in STOPPED:
            return f"The run {STOPPED[self.state]}"
        return "Passed" if self.state in ("finished", "deployed") else "Passed so far"

    @property
    def tone(self) -> Literal["passed", "pending", "rejected"]:
        """The verdict's colour: only a run that ended well is green."""
        if self.verdict == "rejected" or self.state in STOPPED:
            return "rejected"
        return "passed" if self.state in ("finished", "deployed") else "pending"

    @property
    def explained(self) -> str:
        """The sentence after the verdict; where checks failed, they follow it."""
        if self.verdict == "rejected":
            about = f"Attempt {self.of_attempts}" if self.attempt is not None else "The model"
            return f"{about} did not pass {len(self.failed)} blocking check{'s' if len(self.failed) != 1 else ''}."
        if self.state in ("finished", "deployed"):
            return "Every blocking check of every gate passed."
        reached = "the gates that were reached" if self.state in STOPPED else "the gates so far"
        return f"Every blocking check of {reached} passed."

    @property
    def of_attempts(self) -> str:
        """Which attempt this is about: `2 of 3`."""
        return f"{self.attempt} of {len(self.attempts)}" if self.attempts else str(self.attempt)

    @property
    def labelled_gaps(self) -> list[tuple[str, Measurement]]:
        """Each gap under the name of the split that it was measured on."""
        metric = title_of(self.gap_metric or self.primary)
        return [(f"{metric} on training rows less {gap.provenance.split} rows", gap) for gap in self.gaps]

    @property
    def phases(self) -> list[tuple[str, list[Check]]]:
        """The checks by phase, in order of first appearance."""
        by_phase: dict[str, list[Check]] = {}
        for check in self.checks:
            by_phase.setdefault(check.phase, []).append(check)
        return list(by_phase.items())

    def folded(self, checks: list[Check]) -> bool:
        """Whether a phase's checks are folded away: nothing of them is news, and they are not about the model."""
        return all(check.passed and check.phase in ("setup", "configure", "train") for check in checks)

    def counted(self, checks: list[Check]) -> str:
        """How a phase's checks came out: `6 of 7 checks passed`."""
        passed = sum(check.passed for check in checks)
        return f"{passed} of {len(checks)} checks passed" if passed < len(checks) else f"{passed} checks, all passed"

    @property
    def failed(self) -> list[Check]:
        """Blocking checks that did not pass."""
        return [check for check in self.checks if check.verdict == "failed"]

    @property
    def headline(self) -> list[tuple[str, Measurement]]:
        """The four numbers on top: the primary metric, one more of quality, latency, throughput."""
        second = next((name for name in ("auc", "log_loss", "r2", "mae") if name in self.metrics), None)
        names = [self.primary, *([second] if second and second != self.primary else [])]
        found = [(title_of(name), self.metrics[name]) for name in names if name in self.metrics]
        for name in ("latency_p95_ms", "throughput_rps"):
            found += [(title_of(name), self.serving[name])] if name in self.serving else []
        return found

    @property
    def compared(self) -> list[str]:
        """Metrics that the model and every baseline have, the primary one first."""
        common = [n for n in self.metrics if all(n in baseline.metrics for baseline in self.baselines)]
        return sorted(common, key=lambda name: name != self.primary)[:5]

    @property
    def largest_drop(self) -> float:
        """The scale of the importance bars; never 0."""
        return max((abs(row.drop.value) for row in self.importance), default=0.0) or 1.0


def evidence(values: dict[str, Any]) -> str:
    """A decision's evidence as indented JSON, what is too long for a page cut."""
    text = json.dumps(values, indent=2, ensure_ascii=False, default=str)
    return text if len(text) <= 4000 else text[:4000] + "\n… (the rest is in memory, under decisions)"


def moment(at: str) -> str:
    """An ISO time without fractions and zone: `2026-11-21 09:45:01`."""
    return at[:19].replace("T", " ")


def markup(text: str) -> Quoted:
    """Text that is HTML already: a macro's output, or an SVG that `inline` cleaned."""
    return Quoted(text)


FILTERS: dict[str, Any] = {"title_of": title_of, "evidence": evidence, "moment": moment, "markup": markup}
