"""The metric catalogue: its names, its agreement with the evaluation code, options and requirements."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import metrics
from memory.errors import UsageError

DESIGN = (
    "accuracy balanced_accuracy f1 macro_f1 precision recall auc log_loss ece rmse mae r2 mase coverage bits_per_byte "
    "gap latency_p50_ms latency_p95_ms latency_p99_ms throughput_rps memory_mb model_bytes cpu_percent gpu_percent"
)


def test_the_catalogue_has_exactly_the_names_of_the_design() -> None:
    assert [metric.name for metric in metrics.METRICS] == DESIGN.split()


@pytest.mark.parametrize("task", metrics.TASKS)
def test_catalogue_and_evaluation_code_agree_on_names_direction_and_unit(task: str) -> None:
    from gpu_jobs.evaluation.metrics import higher_is_better, metric_names, unit

    measured = metric_names(task)
    for name in measured:
        metric = metrics.BY_NAME[name]
        assert task in metric.tasks or (name == "f1" and task == "multiclass")
        assert (metric.higher_is_better, metric.unit) == (higher_is_better(name), unit(name))
    steering = {m.name for m in metrics.METRICS if m.chooses and task in m.tasks}
    assert steering <= set(measured)


def test_importing_the_catalogue_loads_nothing_heavy() -> None:
    heavy = "('torch', 'polars', 'numpy', 'sklearn', 'pydantic', 'langgraph')"
    code = f"import sys, agents.metrics; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_options_ask_for_at_least_where_more_is_better_and_at_most_where_less_is() -> None:
    flags = {option.flag for option in metrics.options()}
    assert {
        "--min-accuracy",
        "--min-r2",
        "--max-rmse",
        "--max-gap",
        "--max-latency-ms",
        "--min-throughput-rps",
    } <= flags
    assert not {"--max-accuracy", "--min-rmse", "--max-bits-per-byte", "--max-cpu-percent"} & flags
    assert len(flags) == len(metrics.options())


def test_max_latency_ms_means_the_95th_percentile() -> None:
    stated = metrics.requirement("max_latency_ms", 20)
    assert (stated.metric, stated.comparison, stated.threshold) == ("latency_p95_ms", "<=", 20.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_accuracy", 0),
        ("min_accuracy", 1.01),
        ("min_accuracy", -0.5),
        ("min_accuracy", float("nan")),
        ("min_accuracy", "high"),
        ("min_accuracy", True),
        ("min_accuracy", None),
        ("min_r2", 1.5),
        ("max_rmse", 0),
        ("max_latency_ms", -3),
        ("max_latency_ms", float("inf")),
        ("max_gap", 5),
    ],
)
def test_a_threshold_out_of_range_is_refused_with_the_range(key: str, value: object) -> None:
    with pytest.raises(UsageError, match="must be") as caught:
        metrics.requirement(key, value)
    assert caught.value.code == "usage.threshold" and caught.value.field == key


@pytest.mark.parametrize(
    ("key", "value"), [("min_accuracy", 1), ("min_r2", -0.5), ("max_gap", 0.05), ("min_auc", "0.8")]
)
def test_thresholds_at_and_inside_the_range_are_taken(key: str, value: object) -> None:
    assert metrics.requirement(key, value).threshold == float(str(value))


def test_a_requirement_on_a_metric_of_another_task_is_refused_with_those_that_fit() -> None:
    with pytest.raises(UsageError, match="regression") as caught:
        metrics.requirement("min_accuracy", 0.9, task="regression")
    assert "--max-rmse" in (caught.value.fix or "") and "--min-accuracy" not in (caught.value.fix or "")


def test_an_unknown_requirement_is_answered_with_the_nearest_option() -> None:
    with pytest.raises(UsageError, match="did you mean 'min_accuracy'"):
        metrics.requirement("min_acuracy", 0.9)


@given(st.sampled_from(metrics.options()), st.floats())
def test_any_number_is_either_a_finite_threshold_in_range_or_refused(
    option: metrics.RequirementOption, value: float
) -> None:
    try:
        stated = metrics.requirement(option.key, value)
    except UsageError as error:
        assert error.code == "usage.threshold"
        return
    assert option.metric.low < stated.threshold <= option.metric.high and stated.threshold == value
