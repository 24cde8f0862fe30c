"""Short measurements before training: does it build, learn, fit in memory, and how fast. Nothing is decided.

Every part is bounded in steps and in seconds, so a large table costs no more than a small one. Networks
made here are thrown away.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

import torch
from torch import Tensor

from ..data.batches import Batch
from ..models.architecture import Architecture
from .group import Alone
from .loop import build
from .resources import peak_memory_mb
from .settings import TrainSettings
from .step import CHUNK, Stepper
from .table import Table, shards

OVERFIT_ROWS, OVERFIT_STEPS = 16, 120
RANGE_STEPS = 36
TIMED_STEPS, TIMED_ROUNDS = 3, 3
PART_SECONDS = 3.0
"""Longest that the overfit or the range test may take."""
TURNED = 1.5
"""A loss above this many times the lowest says that the rate was too high."""
HOPELESS = 2.0
"""Threads whose first step takes this many times as long as with one are not tried again."""
WORTH_A_THREAD = 0.85
"""More threads are chosen only when a step takes less than this share of the time with fewer."""


@dataclass(frozen=True)
class Preflight:
    """What was measured.

    Attributes:
        parameters: trainable parameters.
        finite: loss and gradients of the first step are finite.
        overfit: {"loss_before", "loss_after", "steps", "passed"} on one small batch without regularisation.
        range_test: [rate, smoothed loss] pairs, rates rising by a constant factor.
        rate: the settings' rate, lowered when the range test says that it is unstable.
        threads: the fastest number of threads.
        step_seconds: {threads: median seconds of an optimiser step}.
        seconds_per_epoch: optimiser steps and validation of one epoch.
        rows_per_second: training rows per second, validation left out.
        memory_mb: peak resident memory of this process, which held the same table and made the same steps.
    """

    parameters: int
    finite: bool
    overfit: dict[str, float | int | bool | None]
    range_test: list[tuple[float, float]]
    rate: float
    threads: int
    step_seconds: dict[int, float]
    seconds_per_epoch: float
    rows_per_second: float
    memory_mb: float

    def epochs_for(self, budget_seconds: float) -> int:
        """Epochs that fit into four fifths of the budget, at least one."""
        return max(1, int(0.8 * budget_seconds / self.seconds_per_epoch))


def preflight(architecture: Architecture, settings: TrainSettings, table: Table) -> Preflight:
    """Measure; leaves the chosen number of threads set.

    Raises:
        ModelError: the architecture does not fit the data.
        TrainingError: a setting does not fit the task or the machine.
    """
    torch.set_num_threads(settings.threads)
    stepper = _stepper(architecture, settings, table)
    table = table.to(stepper.device)
    finite = _first_step(stepper, table)
    range_test = _range_test(architecture, settings, table)
    overfit = _overfit(architecture, settings, table)
    step_seconds = _time_threads(stepper, table)
    threads = _choose(step_seconds)
    torch.set_num_threads(threads)
    steps = table.batches(settings.batch, settings.seed).steps
    training = steps * step_seconds[threads]
    return Preflight(
        parameters=sum(parameter.numel() for parameter in stepper.network.parameters()),
        finite=finite,
        overfit=overfit,
        range_test=range_test,
        rate=stable_rate(range_test, settings.rate),
        threads=threads,
        step_seconds=step_seconds,
        seconds_per_epoch=training + _validation_seconds(stepper, table),
        rows_per_second=table.rows / training,
        memory_mb=peak_memory_mb(),
    )


def stable_rate(range_test: list[tuple[float, float]], wanted: float) -> float:
    """`wanted`, or half of the largest rate that still learnt when that is less (never below a tenth).

    The rising-rate test of Smith (2017, arXiv 1506.01186), used as a guard only: the batches are few and their
    losses noisy, so a rate counts as learning while its loss is within half of the lowest one seen.
    """
    if not range_test:
        return wanted
    lowest = min(loss for _, loss in range_test)
    largest = max(rate for rate, loss in range_test if loss <= TURNED * lowest)
    return max(wanted / 10.0, min(wanted, largest / 2.0))


def _stepper(architecture: Architecture, settings: TrainSettings, table: Table) -> Stepper:
    return Stepper(build(architecture, table, settings.seed), settings, Alone())


def _endless(table: Table, settings: TrainSettings) -> Iterator[tuple[Batch, Tensor]]:
    """Batches of the first epoch, again and again."""
    batches = table.batches(settings.batch, settings.seed)
    return cycle(islice(shards(batches, 0), 8))


def _first_step(stepper: Stepper, table: Table) -> bool:
    batch, whole = next(_endless(table, stepper.settings))
    stepper.seed(0, 0)
    stepper.step(batch, whole, 1e-6)
    return math.isfinite(float(stepper.loss_sum)) and math.isfinite(float(stepper.optimiser.norm))


def _overfit(architecture: Architecture, settings: TrainSettings, table: Table) -> dict[str, float | int | bool | None]:
    """Steps on one small batch without regularisation: a sound network learns it by heart."""
    plain = replace(settings, weight_decay=0.0, l1=0.0, label_smoothing=0.0, clip_norm=1e6, ema=0.0)
    plain = replace(plain, batch=OVERFIT_ROWS, class_weights=None)
    batch, whole = _few_distinct(*next(_endless(table, settings)))
    end = time.perf_counter() + PART_SECONDS
    found: dict[str, float | int | bool | None] = {}
    for rate in (1e-2, 3e-2, 2e-3):
        stepper, before = _stepper(replace(architecture, dropout=0.0), plain, table), math.nan
        for step in range(OVERFIT_STEPS):
            stepper.begin_epoch()
            stepper.step(batch, whole, rate)
            after = float(stepper.loss_sum) / len(whole)
            before = after if step == 0 else before
            if after < 0.2 * before or not math.isfinite(after) or time.perf_counter() > end:
                break
        passed = math.isfinite(after) and after < 0.6 * before
        found = {"loss_before": _finite(before), "loss_after": _finite(after), "steps": step + 1, "passed": passed}
        if passed or time.perf_counter() > end:
            break
    return found


def _few_distinct(batch: Batch, whole: Tensor) -> tuple[Batch, Tensor]:
    """At most 16 rows of a batch that differ in their inputs: no network learns two answers to one question."""
    inputs, target = batch
    rows = torch.cat([part.to(torch.float64).flatten(1) for part in inputs.values()], dim=1)
    _, group = torch.unique(rows, dim=0, return_inverse=True)
    first: dict[int, int] = {}
    for position, key in enumerate(group.tolist()):
        first.setdefault(key, position)
    kept = torch.tensor(sorted(first.values())[:OVERFIT_ROWS], device=target.device)
    return ({name: part[kept] for name, part in inputs.items()}, target[kept]), whole[: len(kept)]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _range_test(architecture: Architecture, settings: TrainSettings, table: Table) -> list[tuple[float, float]]:
    """Smoothed training loss while the rate rises from 1/100 to 30 times the settings' rate."""
    stepper = _stepper(architecture, settings, table)
    growth = 3000.0 ** (1.0 / (RANGE_STEPS - 1))
    smooth, found = 0.0, []
    end = time.perf_counter() + PART_SECONDS
    for step, (batch, whole) in enumerate(islice(_endless(table, settings), RANGE_STEPS)):
        rate = settings.rate / 100.0 * growth**step
        stepper.begin_epoch()
        stepper.seed(0, step)
        stepper.step(batch, whole, rate)
        loss = float(stepper.loss_sum) / len(whole)
        if not math.isfinite(loss):
            break
        smooth = 0.8 * smooth + 0.2 * loss
        found.append((rate, smooth / (1.0 - 0.8 ** (step + 1))))
        if found[-1][1] > 4.0 * found[0][1] or time.perf_counter() > end:
            break
    return found


def _time_threads(stepper: Stepper, table: Table) -> dict[int, float]:
    """Median seconds of a step for 1, 2, 4 ... threads, in turn so that a busy neighbour slows all alike."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    choices = [1 << power for power in range(4) if 1 << power <= cores]
    feed, times = _endless(table, stepper.settings), {}
    end = time.perf_counter() + PART_SECONDS
    for threads in choices:  # the first step with a number of threads starts them
        torch.set_num_threads(threads)
        _timed(stepper, feed)
        times[threads] = [_timed(stepper, feed)]
    likely = [threads for threads in choices if times[threads][0] < HOPELESS * times[1][0]]
    for _ in range(TIMED_ROUNDS):
        for threads in likely:
            torch.set_num_threads(threads)
            times[threads] += [_timed(stepper, feed) for _ in range(TIMED_STEPS)]
        if time.perf_counter() > end:
            break
    return {threads: sorted(found)[len(found) // 2] for threads, found in times.items()}


def _timed(stepper: Stepper, feed: Iterator[tuple[Batch, Tensor]]) -> float:
    """Seconds of one optimiser step that hardly moves."""
    batch, whole = next(feed)
    begin = time.perf_counter()
    stepper.step(batch, whole, 1e-6)
    return time.perf_counter() - begin


def _choose(step_seconds: dict[int, float]) -> int:
    chosen = 1
    for threads, seconds in sorted(step_seconds.items()):
        if seconds < WORTH_A_THREAD * step_seconds[chosen]:
            chosen = threads
    return chosen


def _validation_seconds(stepper: Stepper, table: Table) -> float:
    """One validation pass, measured on at most one chunk and scaled."""
    rows = len(table.validation_target)
    part = {name: tensor[:CHUNK] for name, tensor in table.validation.items()}
    small = replace(table, validation=part, validation_target=table.validation_target[:CHUNK])
    begin = time.perf_counter()
    with stepper.averaged():
        stepper.validate(small)
    return (time.perf_counter() - begin) * max(1.0, rows / CHUNK)
