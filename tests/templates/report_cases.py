"""Two reports: one of a model that passed, and one, rejected, of a table that tries to break the page."""

from __future__ import annotations

from typing import Any

from memory.measurement import Measurement
from templates.report.context import (
    AttemptRow,
    Baseline,
    Check,
    ClassRow,
    DecisionRow,
    Fall,
    Importance,
    Note,
    Override,
    Plot,
    ReportContext,
)
from tests.templates.measured import BENCHMARK, TEST, measured

HOSTILE = "<script>alert('x')</script> | `$(rm -rf ~)` \"&\\ {{ 7*7 }} [a](http://b) ]]>"
SVG = """<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 width="460pt" height="270pt" viewBox="0 0 460 270">
<style>*{fill:red}</style><script>alert(1)</script>
<defs><clipPath id="c1"><rect width="9" height="9"/></clipPath></defs>
<g clip-path="url(#c1)" onclick="alert(2)"><path id="p" d="M0 270 L230 100 L460 20" stroke="#3d85d8" fill="none"/></g>
<use xlink:href="#p"/><use href="http://elsewhere/x.svg#y"/>
<text x="9" y="20" fill="#7d8590">Loss &lt;by epoch&gt;</text></svg>"""
PREFLIGHT: dict[str, Any] = {"job": "preflight-1", "split": "train", "rows": 32}
VALIDATION: dict[str, Any] = {"job": "evaluate-1", "split": "validation", "rows": 55}


def _metrics(lower: float = 0.0) -> dict[str, Measurement]:
    return {
        "accuracy": measured(0.9565 - lower, interval=(0.8986 - lower, 0.9899 - lower)),
        "macro_f1": measured(0.9412 - lower, interval=(0.8702 - lower, 0.9851 - lower)),
        "log_loss": measured(0.1123 + lower, "nats", (0.0611, 0.1902 + lower)),
    }


PASSED = ReportContext(
    name="penguins",
    version="1.0.0",
    run="r-20261121-094501-k3f9",
    created="2026-11-21T09:45:19Z",
    goal="which penguin is this, and why?",
    task="multi-class classification",
    target="species",
    primary="accuracy",
    state="deployed",
    attempt=1,
    verdict="passed",
    checks=(
        Check(phase="setup", name="data readable", said="344 rows, 7 columns", passed=True),
        Check(
            phase="configure",
            name="over-fits one batch",
            measured=measured(0.0007, "nats", **PREFLIGHT),
            comparison="<",
            threshold=0.05,
            passed=True,
        ),
        Check(
            phase="validate",
            name="better_than_majority",
            measured=measured(0.41),
            comparison=">",
            threshold=0.0,
            passed=True,
            why="better than always the most frequent class (measured: lower end of the 95 % interval)",
        ),
        Check(
            phase="validate",
            name="latency p95",
            measured=measured(0.43, "ms", **BENCHMARK),
            comparison="<",
            threshold=100.0,
            passed=True,
        ),
        Check(
            phase="validate",
            name="accuracy, reference target",
            measured=measured(0.9565, interval=(0.8986, 0.9899)),
            comparison=">=",
            threshold=0.97,
            passed=False,
            blocking=False,
        ),
    ),
    metrics=_metrics(),
    train_metrics={"accuracy": measured(0.995, job="test-1", split="train", rows=220)},
    gaps=(measured(0.0131, **VALIDATION), measured(0.0385)),
    gap_metric="accuracy",
    serving={
        "latency_p95_ms": measured(0.43, "ms", **BENCHMARK),
        "throughput_rps": measured(9252.3, "requests/s", **BENCHMARK),
        "model_bytes": measured(21862, "bytes", **BENCHMARK),
    },
    baselines=(
        Baseline(name="majority", metrics=_metrics(0.52), difference=measured(0.5217, interval=(0.41, 0.64))),
        Baseline(name="linear", metrics=_metrics(-0.01), difference=measured(-0.01, interval=(-0.06, 0.03))),
        Baseline(name="trees", metrics=_metrics(-0.005), difference=measured(-0.03, interval=(-0.05, -0.01))),
    ),
    importance=(
        Importance(column="bill_length_mm", drop=measured(0.29, **VALIDATION)),
        Importance(column="sex", drop=measured(-0.001, **VALIDATION)),
    ),
    robustness=(Fall(what="10 % noise on every numeric column", drop=measured(0.0144)),),
    per_class=(
        ClassRow(label="Adelie", precision=measured(0.966), recall=measured(0.933), f1=measured(0.949), rows=30),
    ),
    plots=(Plot(file="loss curve.svg", title="Loss", alt="The loss falls from 1.1 to 0.08.", svg=SVG),),
    recommendations=("Gradient-boosted trees do better: ask whether a network is needed here.",),
    decisions=(
        DecisionRow(
            agent="ml-developer",
            type="TaskPlan",
            reason="species has 3 values, so this is multi-class classification.",
            evidence={"classes": {"Adelie": 152}},
        ),
    ),
    attempts=(
        AttemptRow(number=1, chosen=True, summary="34 epochs, stopped early", metric=measured(0.9636, **VALIDATION)),
    ),
    data=(("Rows", "344: 220 training, 55 validation, 69 test"),),
    notes=(Note(message="missing values", column="sex", count=11),),
    environment=(("Machine", "2 cores"), ("torch", "2.13.0+cpu")),
    test_reads=1,
)

REJECTED = ReportContext(
    name=HOSTILE,
    version="0.1.0",
    run="r-1",
    created="2026-11-21T09:45:19Z",
    goal=HOSTILE,
    task="binary classification",
    target=HOSTILE,
    positive=HOSTILE,
    primary="accuracy",
    state="rejected",
    attempt=1,
    verdict="rejected",
    override=Override(why=HOSTILE, by=HOSTILE, at="2026-11-21T10:02:00Z"),
    checks=(
        Check(
            phase="validate",
            name=f"min {HOSTILE}",
            measured=measured(0.61, **TEST),
            comparison=">=",
            threshold=0.9,
            passed=False,
            why=HOSTILE,
        ),
        Check(
            phase="validate",
            name="candidate_passed",
            said="no",
            comparison="is",
            threshold="yes",
            passed=False,
            why="no attempt passed its check on the validation split",
        ),
    ),
    metrics={"accuracy": measured(0.61)},
    importance=(Importance(column=HOSTILE, drop=measured(0.0)),),
    robustness=(Fall(what=HOSTILE, drop=measured(0.01)),),
    per_class=(ClassRow(label=HOSTILE, precision=measured(0.5), recall=measured(0.5), f1=measured(0.5), rows=3),),
    recommendations=(HOSTILE,),
    decisions=(DecisionRow(agent="ml-developer", type="TaskPlan", reason=HOSTILE, evidence={HOSTILE: HOSTILE}),),
    attempts=(AttemptRow(number=1, chosen=True, summary=HOSTILE, diagnosis=HOSTILE),),
    data=((HOSTILE, HOSTILE),),
    notes=(Note(message=HOSTILE, column=HOSTILE),),
    environment=((HOSTILE, HOSTILE),),
    test_reads=0,
)
