"""The allow-lists: of a run's view, of each name in memory, of each kind of event. What is not here does not leave."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from phases.privacy.shapes import (
    DROPPED,
    Known,
    Shape,
    at_samples,
    cells,
    code,
    digest,
    example,
    fields,
    figure,
    label,
    measurement,
    name,
    number,
    rows,
    table,
    text,
)

ERROR: Final[Shape] = fields(code=code, message=text, field=name, fix=text)
CHECK: Final[Shape] = fields(
    name=code, measured=figure, comparison=code, threshold=figure, passed=number, blocking=number, why=text, says=text
)
QUESTION: Final[Shape] = fields(id=code, kind=code, text=text, proposal=name, reason=text, choices=rows(name, 200))
MODEL: Final[Shape] = fields(name=name, version=code, path=name, sha256=code)
DEPLOYMENT: Final[Shape] = fields(
    name=name, url=name, pid=number, example_request=example, status=code, run_id=code, version=code, previous=code,
    restarts=number, since=code,
)  # fmt: skip
_PHASE = fields(
    name=code, status=code, seconds=number, started_at=code, finished_at=code, spent=number, gate=rows(CHECK)
)
_METRICS = table(measurement)

RUN: Final[Shape] = fields(
    run_id=code, status=code, reason=text, phases=rows(_PHASE), metrics=_METRICS, baselines=table(_METRICS),
    differences=_METRICS, importance=rows(fields(column=name, drop=measurement)), model=MODEL, deployment=DEPLOYMENT,
    report=name, workspace=name, question=QUESTION, error=ERROR, attempt=number, created_at=code,
    queue_position=number, data=name, target=name, goal=name, metric=code, tested=number,
)  # fmt: skip

_SOURCE = rows(fields(path=name, bytes=number, sha256=code, mtime_ns=number, rows=number, role=code))
_COMPLETE = fields(
    status=code, gate=rows(CHECK), attempt=number, started_at=code, finished_at=code, job=code, test_reads=number,
    source=_SOURCE,
)  # fmt: skip
_BENCHMARK = fields(
    latency_p50_ms=measurement, latency_p95_ms=measurement, latency_p99_ms=measurement, throughput_rps=measurement,
    rows_per_second=measurement, model_alone_ms=measurement, memory_mb=measurement, model_bytes=measurement,
    ready_seconds=measurement, requests=number, batch32=_METRICS,
    histogram=fields(edges_ms=rows(number), counts=rows(number)),
)  # fmt: skip
_SCORES = fields(
    split=code, rows=number, metric=code, higher_is_better=number, metrics=_METRICS, train_metrics=_METRICS,
    gap=measurement, gap_metric=code, baselines=table(_METRICS),
    versus=table(fields(metric=code, difference=measurement, standard_error=measurement)),
    per_class=rows(fields(label=label, rows=number, precision=measurement, recall=measurement, f1=measurement)),
    confusion=fields(labels=rows(label), matrix=rows(rows(number))),
    importance=rows(fields(column=name, drop=measurement)), test_reads=number,
    onnx_parity=fields(max_relative=measurement, rows=number), onnx_metrics=_METRICS,
    calibration=rows(fields(low=number, high=number, rows=number, confidence=number, accuracy=number)),
    robustness=fields(
        rows=number, metric=code, undisturbed=measurement, noise_share=number, noise=measurement,
        missing=rows(fields(column=name, drop=measurement)),
    ),
    champion=fields(rows=number, difference=measurement, metric=code),
    examples=at_samples(
        rows(fields(row=cells, prediction=fields(label=label, value=number), truth=label, snapshot_row=number))
    ),
)  # fmt: skip
_SPLIT = fields(
    method=code, fractions=rows(number), group=name, time=name, seed=number, stratify=number, apart=rows(name)
)
_DATASET = fields(
    name=name, sha256=code, task=code, target=name, positive=label, labels=rows(label), metric=code,
    features=rows(fields(name=name, kind=code, date_format=code)), dropped=rows(fields(name=name, reason=text)),
    split=_SPLIT,
    target_transform=code, source=_SOURCE,
)  # fmt: skip
_DECISION = fields(key=code, type=code, agent=code, reasoner=code, reason=text, at=code, value=fields(notes=rows(text)))
_ATTEMPT = fields(attempt=number, passed=number, checks=rows(CHECK), metric=code, score=measurement, better=number)
_STATE = fields(
    state=code, phase=code, attempt=number, reason=text, phases=rows(_PHASE), question=QUESTION, error=ERROR,
    workspace=name, created_at=code, updated_at=code, resumes=number,
)  # fmt: skip
_REQUEST = fields(
    data=name, target=name, goal=name, name=name, task=code, metric=code, positive=label, drop=rows(name),
    features=rows(name), group=name, time=name, validation=name, test=name,
    requirements=rows(fields(metric=code, comparison=code, value=number)), gates=code, budget_seconds=number,
    epochs=number, seed=number, backend=code, workers=number, gpus=number, from_run=code, deploy=number, yes=number,
    wait_for_target=number, door=code, workspace=name, code_version=code,
)  # fmt: skip
_ORDER = {"rate": number, "epochs": number, "stop_early": number, "metric": code, "note": name, "by": code}
_ARCHITECTURE = fields(
    inputs=fields(numbers=number, categories=rows(number)), outputs=number, task=code, kind=code, width=number,
    depth=number, activation=code, dropout=number, batch_norm=number, embedding_size=number, linear_skip=number,
    members=number, scale_members=number, number_embedding=code, bins=number, bin_size=number,
)  # fmt: skip
_TRAINING = fields(
    epochs_run=number, best_epoch=number, stopped=code, converged=number, diverged=number, train_loss=measurement,
    validation_loss=measurement, metric_name=code, metric=measurement, seconds=measurement,
    rows_per_second=measurement, peak_memory_mb=measurement, weights_sha256=code, device=code, threads=number,
    workers=number, restored=fields(epoch=number, loss_saved=number, loss_restored=number, equal=number),
    chosen_by=code, steered=rows(fields(order=code, epoch=number, **_ORDER)), steering_missed=rows(code),
    checkpoints=rows(fields(epoch=number, step=number, why=code, path=code, sha256=code, bytes=number)),
)  # fmt: skip
_LIMITS = fields(
    memory_mb=number, disk_mb=number, file_mb=number, cpu_seconds=number, open_files=number, seconds=number
)
_CONFIG = fields(
    cluster=fields(backend=code, workers=number, topology=code, device=code, limits=_LIMITS),
    training=fields(seed=number, epochs=number), validation=fields(gates=code),
)  # fmt: skip
_NODES = rows(fields(name=code, role=code, backend=code, round_trip_ms=measurement))
_ALERT = fields(metric=code, when=text, epochs=number, then=text)
_ALERTS = fields(loss_plateau=_ALERT, divergence=_ALERT)
_GPU = fields(device=code, kind=code, name=name, memory_mb=number)
_MACHINE = fields(
    cores=number, memory_mb=number, memory_free_mb=number, disk_free_mb=number, gpus=rows(_GPU), system=code,
    python=code, processor=text,
)  # fmt: skip

_OF_RECIPES: Mapping[str, Shape] = {
    "data.split": rows(_SPLIT), "data.metric": rows(code), "data.columns": rows(rows(name)),
    "request.gates": rows(code), "request.from_run": rows(code), "request.code_version": rows(code),
    "request.requirements": rows(rows(fields(metric=code, comparison=code, value=number))),
}  # fmt: skip


def differences(value: Any, known: Known) -> Any:
    """What differs between recipes: the listed names, and numbers and words of architecture and training."""
    if not isinstance(value, Mapping):
        return DROPPED
    own = {key: one for key, one in value.items() if key.startswith(("architecture.", "training."))}
    listed = {key: _OF_RECIPES[key](one, known) for key, one in value.items() if key in _OF_RECIPES}
    return {**{key: [code(item, known) for item in one] for key, one in own.items()}, **listed}


def _probabilities(value: Any, known: Known) -> Any:
    """One number per class; nothing where the classes are personal data, whose names would be the keys."""
    if known.schema.personal.get(known.schema.target or "") is not None or not isinstance(value, Mapping):
        return DROPPED
    return {str(key)[:200]: number(one, known) for key, one in value.items()}


PREDICTIONS: Final[Shape] = rows(
    fields(label=label, value=number, interval=rows(number), probabilities=_probabilities), 1000
)
COMPARISON: Final[Shape] = fields(
    runs=rows(
        fields(
            run_id=code, status=code, error=code, attempt=number, data=name, data_sha256=code, target=name, task=code,
            split=_SPLIT, seed=number, judged_on=code, metric=code, metrics=_METRICS, baselines=_METRICS,
            parameters=figure, epochs=number, best_epoch=number, stopped=code, training_seconds=measurement,
            run_seconds=number,
        )
    ),
    differences=differences, comparable=number, why_not=rows(text), metric=code,
    best=fields(run_id=code, value=measurement, within_noise=rows(code), told=text),
)  # fmt: skip

MEMORY: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "architecture": _ARCHITECTURE,
        "artifacts": fields(attempt=number, sha256=table(digest)),
        "attempts": rows(_ATTEMPT),
        "backup-script": code,
        "benchmark-results": _BENCHMARK,
        "candidate-scores": _SCORES,
        "cluster-id": code,
        "config": _CONFIG,
        "dataset": _DATASET,
        "decisions": rows(_DECISION),
        "deploy-script": code,
        "deployment-docs": code,
        "deployment-ready": fields(name=name, version=code, path=name, sha256=code),
        "deployment-view": DEPLOYMENT,
        "dockerfile": code,
        "environment": _MACHINE,
        "error": ERROR,
        "gate-validate": rows(CHECK),
        "model-view": MODEL,
        "monitoring": fields(run=code, interval=code, source=name, metrics=rows(code), alerts=_ALERTS),
        "nodes": _NODES,
        "nodes-deployed": _NODES,
        **{f"phase{number_}-complete": _COMPLETE for number_ in range(1, 6)},
        "override": fields(why=name, by=code, at=code),
        "report": fields(markdown=name, html=name),
        "request": _REQUEST,
        "rollout-checks": rows(CHECK),
        "serve-api": code,
        "state": _STATE,
        "steering": rows(fields(id=code, job=code, attempt=number, at=code, **_ORDER)),
        "test-reads": rows(fields(job=code, attempt=number)),
        "training-job-id": code,
        "training-metrics": _TRAINING,
        "training-script": code,
        "training-status": code,
        "validation": _SCORES,
        "workflow-complete": fields(status=code, deployed=number, at=code, url=name, reason=text),
    }
)

_BASE = {"type": code, "at": code, "job": code}
_TOLD: Mapping[str, Mapping[str, Shape]] = {
    "state": {"state": code, "error": ERROR},
    "phase_started": {"phase": code, "attempt": number},
    "phase_finished": {"phase": code, "attempt": number, "status": code, "seconds": number},
    "decision": {"key": code, "reasoner": code, "decision": code, "agent": code, "reason": text},
    "job_started": {"kind": code},
    "job_finished": {"kind": code, "seconds": number},
    "job_lost": {"kind": code},
    "limits": {"memory": code, "disk": code, "seconds": number, "asked": _LIMITS},
    "gate": {"phase": code, "passed": number, "gate": rows(CHECK)},
    "question": {"question": QUESTION},
    "epoch": {
        "epoch": number, "epochs": number, "train_loss": number, "validation_loss": number,
        "metric": fields(name=code, value=number), "rate": number, "gradient_norm": number,
        "rows_per_second": number, "memory_mb": number, "cpu_percent": number, "gpu_percent": number,
        "seconds": number, "seconds_left": number,
    },
    "checkpoint": {"epoch": number, "why": code, "sha256": code},
    "checkpoint_skipped": {"why": text},
    "early_stop": {"epoch": number, "best_epoch": number},
    "resumed": {"epoch": number, "step": number, "sha256": code},
    "divergence": {"epoch": number, "why": text, "rate": number, "back_to": number},
    "range_test": {"rate": number, "seconds": number},
    "steer": {"order": code, **_ORDER},
    "steered": {"order": code, "epoch": number, **_ORDER},
    "note": {"message": text},
    "log": {"message": text},
}  # fmt: skip
EVENTS: Final[Mapping[str, Shape]] = MappingProxyType(
    {kind: fields(**_BASE, **shapes) for kind, shapes in _TOLD.items()}
)
