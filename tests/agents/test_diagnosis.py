"""The rule of the diagnosis: each cause is told apart, changes what helps, and stops when the data cannot do it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.decisions import Diagnosis
from agents.decisions.architecture_design import ARCHITECTURE_LIMITS, TRAINING_LIMITS
from agents.reasoners.rules.diagnosis import decide, measure


def failed(name: str, threshold: float, measured: float) -> dict[str, Any]:
    return {"name": name, "measured": measured, "threshold": threshold, "passed": False, "blocking": True}


def test_a_large_gap_is_over_fitting_and_is_regularised(build: Any) -> None:
    found = decide(build.candidate(scores=build.scores(network=0.83, train=0.99, linear=0.85)))
    assert found.kind == "over_fit" and not found.stop
    assert found.change["dropout"] > 0.1 and found.change["weight_decay"] > 0.02
    assert "width" not in found.change


def test_a_network_that_is_perfect_on_its_training_rows_is_not_made_larger(build: Any) -> None:
    scores = build.scores(network=0.985, train=1.0, linear=0.97, trees=0.94, naive=0.44, error=0.014)
    found = decide(build.candidate(scores=scores, checks=[failed("min_accuracy", 0.99, 0.985)]))
    assert found.kind == "over_fit" and "width" not in found.change


def test_over_fitting_again_also_gets_a_smaller_network(build: Any) -> None:
    found = decide(build.candidate(attempt=2, scores=build.scores(network=0.83, train=0.99)))
    assert found.kind == "over_fit" and found.change["width"] == 64


def test_a_poor_training_score_is_under_fitting_and_gets_more_of_everything(build: Any) -> None:
    scores = build.scores(network=0.80, train=0.81, linear=0.85, trees=0.86)
    found = decide(build.candidate(scores=scores, train={"stopped": "schedule"}))
    assert found.kind == "under_fit" and not found.stop
    assert found.change["width"] == 256 and found.change["depth"] == 4 and found.change["epochs"] == 40
    assert found.change["dropout"] < 0.1 and found.change["number_embedding"] == "piecewise"


def test_epochs_grow_only_when_the_schedule_cut_them_and_nobody_fixed_them(build: Any) -> None:
    scores = build.scores(network=0.80, train=0.81, linear=0.85)
    early = decide(build.candidate(scores=scores))
    assert "epochs" not in early.change
    assert "--epochs" not in early.reason
    fixed = decide(build.candidate(scores=scores, train={"stopped": "schedule"}, request={"epochs": 20}))
    assert "after the 20 asked for (--epochs)" in fixed.reason
    assert "epochs" not in fixed.change


def test_divergence_lowers_the_rate_and_lengthens_the_warm_up(build: Any) -> None:
    scores = build.scores(network=0.60, train=0.99)
    found = decide(build.candidate(scores=scores, train={"diverged": 3}))
    assert found.kind == "unstable" and "3 times" in found.reason
    assert found.change["rate"] < 6e-3 / 3 and found.change["warmup"] >= 0.1 and found.change["clip_norm"] == 0.5


def test_a_budget_that_ended_training_too_soon_means_a_smaller_network(build: Any) -> None:
    scores = build.scores(network=0.80, train=0.80, linear=0.85)
    found = decide(build.candidate(scores=scores, train={"stopped": "budget"}))
    assert found.kind == "too_slow" and found.change == {"width": 64, "members": 4}


def test_a_missed_latency_means_a_smaller_network(build: Any) -> None:
    found = decide(build.candidate(checks=[failed("latency_p95_ms", 100.0, 130.0)]))
    assert found.kind == "too_slow" and found.change["width"] == 64


def test_when_no_model_beats_the_naive_guess_it_stops(build: Any) -> None:
    scores = build.scores(network=0.75, train=0.76, linear=0.751, trees=0.752)
    found = decide(build.candidate(scores=scores))
    assert found.kind == "hopeless" and found.stop and not found.change and "columns do not tell" in found.reason


def test_with_few_rows_and_no_signal_more_rows_are_asked_for(build: Any) -> None:
    scores = build.scores(network=0.75, train=0.9, linear=0.751, trees=0.74, error=0.05, rows=120)
    found = decide(build.candidate(scores=scores))
    assert found.kind == "too_little_data" and found.stop and "120 training rows" in found.reason


def test_over_fitting_few_rows_in_spite_of_strong_regularisation_is_too_little_data(build: Any) -> None:
    scores = build.scores(network=0.80, train=0.99, linear=0.85, rows=400)
    strong = {"architecture": {"dropout": 0.5}, "training": {"weight_decay": 0.5}}
    found = decide(build.candidate(attempt=2, scores=scores, **strong))
    assert found.kind == "too_little_data" and found.stop


def test_a_requirement_beyond_every_model_stops_and_says_what_was_reached(build: Any) -> None:
    scores = build.scores(network=0.86, train=0.87, linear=0.85, trees=0.87)
    found = decide(build.candidate(scores=scores, checks=[failed("min_accuracy", 0.97, 0.86)]))
    assert found.kind == "hopeless" and found.stop
    assert "accuracy >= 0.97" in found.reason and "0.87" in found.reason
    assert found.evidence["failed"] == ["min_accuracy"]


def test_a_requirement_within_reach_of_a_baseline_is_tried(build: Any) -> None:
    scores = build.scores(network=0.83, train=0.84, linear=0.80, trees=0.90)
    found = decide(build.candidate(scores=scores, checks=[failed("min_accuracy", 0.91, 0.83)]))
    assert found.kind == "under_fit" and not found.stop


def test_errors_are_compared_the_other_way_round(build: Any) -> None:
    scores = build.scores(network=60.0, train=20.0, linear=56.0, trees=58.0, naive=77.0, metric="rmse", error=1.0)
    skills = measure(scores, "rmse")
    assert skills.linear > skills.trees > skills.network > 0 and skills.train > skills.linear
    found = decide(build.candidate(scores=scores))
    assert found.kind == "over_fit"
    far = decide(build.candidate(scores=scores, checks=[failed("max_rmse", 10.0, 60.0)]))
    assert far.kind == "hopeless" and "rmse <= 10" in far.reason and "56" in far.reason


def test_a_metric_that_is_undefined_for_a_baseline_gives_way_to_accuracy(build: Any) -> None:
    scores = build.scores(network=0.83, train=0.99, linear=0.85)
    scores["metric"] = "auc"
    assert decide(build.candidate(scores=scores)).kind == "over_fit"


@pytest.mark.parametrize("attempt", [1, 2, 3, 4])
def test_there_are_at_most_two_further_attempts(build: Any, attempt: int) -> None:
    found = decide(build.candidate(attempt=attempt, scores=build.scores(network=0.83, train=0.99)))
    assert found.stop is (attempt >= 3) and bool(found.change) is (attempt < 3)


def test_it_stops_when_every_change_is_already_made(build: Any) -> None:
    limits = {"architecture": {"dropout": 0.6}, "training": {"weight_decay": 1.0}}
    found = decide(build.candidate(scores=build.scores(network=0.83, train=0.99), **limits))
    assert found.stop and "nothing is left to change" in found.reason


share = st.floats(0.01, 0.999)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_candidate_gets_a_diagnosis_that_stops_or_changes_something_within_the_limits(
    build: Any, data: st.DataObject
) -> None:
    names = ("network", "train", "linear", "trees", "naive", "error")
    scores = build.scores(**{name: data.draw(share) for name in names}, rows=data.draw(st.integers(1, 10**6)))
    context = build.candidate(
        attempt=data.draw(st.integers(1, 3)),
        scores=scores,
        train={
            "diverged": data.draw(st.integers(0, 3)),
            "stopped": data.draw(st.sampled_from(["early", "schedule", "budget", "control"])),
        },
        architecture={
            "width": data.draw(st.integers(8, 2048)),
            "depth": data.draw(st.integers(1, 8)),
            "dropout": data.draw(st.floats(0, 0.7)),
            "members": data.draw(st.integers(1, 32)),
        },
        training={
            "epochs": data.draw(st.integers(1, 1000)),
            "rate": data.draw(st.floats(1e-6, 1)),
            "warmup": data.draw(st.floats(0, 0.5)),
            "weight_decay": data.draw(st.floats(0, 1)),
        },
        checks=[failed("min_accuracy", data.draw(share), 0.5)],
    )
    found = decide(context)
    assert found.stop != bool(found.change)
    had = {**context["architecture"], **context["training"]}
    for name, value in found.change.items():
        low, high = {**ARCHITECTURE_LIMITS, **TRAINING_LIMITS}.get(name, (None, None))
        assert value != had[name] and (low is None or high is None or low <= value <= high)
    assert Diagnosis.model_validate(found.model_dump(mode="json")) == found
