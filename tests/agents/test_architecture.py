"""The rule of the network's design, and how measuring, recipes and diagnoses change it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.decisions.architecture_design import ARCHITECTURE_LIMITS, TRAINING_LIMITS
from agents.reasoners.rules import architecture
from agents.reasoners.rules.architecture import decide, with_measured
from gpu_jobs.models.architecture import Architecture
from gpu_jobs.training.settings import TrainSettings


def test_small_tables_get_strong_regularisation_and_no_codes_of_numbers(build: Any) -> None:
    small, large = decide(build.design_context(rows=220)), decide(build.design_context(rows=31_000))
    assert small.architecture["number_embedding"] == "none" and large.architecture["number_embedding"] == "piecewise"
    assert small.architecture["dropout"] > large.architecture["dropout"]
    assert small.training["weight_decay"] > large.training["weight_decay"]
    assert small.architecture["depth"] < large.architecture["depth"]


def test_more_rows_mean_larger_batches_and_fewer_epochs(build: Any) -> None:
    designs = [decide(build.design_context(rows=rows)) for rows in (200, 1500, 30_000, 200_000, 1_000_000)]
    batches = [design.training["batch"] for design in designs]
    assert batches == sorted(batches) and batches[0] < batches[1] < batches[2] < batches[-1]
    epochs = [design.training["epochs"] for design in designs[2:]]
    assert epochs == sorted(epochs, reverse=True)


@pytest.mark.parametrize(("task", "outputs"), [("binary", 2), ("multiclass", 3), ("regression", 1)])
def test_inputs_and_outputs_are_those_of_the_encoded_data(build: Any, task: str, outputs: int) -> None:
    found = decide(build.design_context(task=task)).architecture
    assert (found["outputs"], found["task"]) == (outputs, task)
    assert found["inputs"] == {"numbers": 6, "categories": [9, 16]}


def test_many_inputs_are_not_coded_one_by_one_and_meet_a_wider_network(build: Any) -> None:
    context = build.design_context()
    context["prepare"]["inputs"] = {"numbers": 900, "categories": []}
    wide = decide(context).architecture
    assert wide["number_embedding"] == "none" and wide["width"] == 256


def test_embeddings_grow_with_the_levels_within_bounds(build: Any) -> None:
    sizes = []
    for levels in (2, 50, 1000, 100_000):
        context = build.design_context()
        context["prepare"]["inputs"] = {"numbers": 1, "categories": [levels]}
        sizes.append(decide(context).architecture["embedding_size"])
    assert sizes == sorted(sizes) and sizes[0] == 4 and sizes[-1] == 32


def test_a_run_judged_by_probabilities_is_not_smoothed(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architecture, "recommended_training", lambda *_: {"label_smoothing": 0.05})
    context = build.design_context(rows=300)
    assert decide(context).training["label_smoothing"] == 0.05
    context["dataset"]["metric"] = "log_loss"
    assert decide(context).training["label_smoothing"] == 0


def test_a_run_judged_by_mae_resists_outliers(build: Any) -> None:
    flats = build.design_context(task="regression")
    assert decide(flats).training["loss"] == "auto"
    flats["dataset"]["metric"] = "mae"
    assert decide(flats).training["loss"] == "huber"


@pytest.mark.parametrize(("metric", "ratio"), [("balanced_accuracy", 9.0), ("macro_f1", 3.0)])
def test_class_weights_follow_the_metric_in_the_order_of_the_labels(build: Any, metric: str, ratio: float) -> None:
    context = build.design_context(class_weights=True)
    context["dataset"]["metric"] = metric
    context["prepare"]["classes"] = [["yes", 100, 25, 30], ["no", 900, 225, 300]]
    no, yes = decide(context).training["class_weights"]
    assert yes / no == pytest.approx(ratio, rel=1e-4)
    assert (900 * no + 100 * yes) / 1000 == pytest.approx(1.0, rel=1e-4)


def test_no_class_weighs_more_than_twenty_times_another(build: Any) -> None:
    context = build.design_context(class_weights=True)
    context["dataset"]["metric"] = "balanced_accuracy"
    context["prepare"]["classes"] = [["yes", 2, 1, 1], ["no", 9998, 9, 9]]
    no, yes = decide(context).training["class_weights"]
    assert yes / no == pytest.approx(20.0, rel=1e-4)


def test_without_the_plans_wish_no_class_weighs_more(build: Any) -> None:
    context = build.design_context()
    context["prepare"]["classes"] = [["yes", 1, 1, 1], ["no", 9999, 9, 9]]
    assert decide(context).training["class_weights"] is None


def test_flags_and_cluster_reach_the_training_settings(build: Any) -> None:
    context = build.design_context(
        request={"seed": 41, "epochs": 7, "budget_seconds": 600.0}, cluster={"workers": 2, "device": "cuda"}
    )
    training = decide(context).training
    assert (training["seed"], training["epochs"], training["workers"]) == (41, 7, 2)
    assert training["device"] == "cuda" and training["mixed_precision"] is True
    assert 600 <= training["budget_seconds"] <= 800
    plain = decide(build.design_context()).training
    assert plain["device"] == "cpu" and plain["mixed_precision"] is False and plain["budget_seconds"] is None


def test_measured_choices_replace_the_designed_ones_within_bounds(build: Any) -> None:
    training = decide(build.design_context()).training
    merged = with_measured(training, {"rate": training["rate"] * 1.5, "threads": 2, "epochs_for_budget": 4})
    assert (merged["rate"], merged["threads"], merged["epochs"]) == (training["rate"] * 1.5, 2, 4)
    untouched = {"rate", "threads", "epochs"}
    assert {k: v for k, v in merged.items() if k not in untouched} == {
        k: v for k, v in training.items() if k not in untouched
    }
    assert with_measured(training, {"rate": None, "threads": None, "epochs_for_budget": None}) == training
    assert with_measured(training, {"epochs_for_budget": 900})["epochs"] == training["epochs"]
    wild = with_measured(training, {"rate": 1.0})["rate"], with_measured(training, {"rate": 1e-6})["rate"]
    assert wild == (2 * training["rate"], training["rate"] / 4)


def test_a_rate_that_a_diagnosis_lowered_is_not_raised_again_by_the_range_test(build: Any) -> None:
    from agents.reasoners.rules.diagnosis import decide as diagnose

    first = decide(build.design_context())
    candidate = build.candidate(train={"diverged": 2, "converged": False})
    candidate["architecture"], candidate["training"] = first.architecture, first.training
    diagnosis = diagnose(candidate)
    previous = {"architecture": first.architecture, "training": first.training}
    second = decide(build.design_context(diagnosis=diagnosis.model_dump(mode="json"), previous=previous))
    measured_as_before = with_measured(second.training, {"rate": first.training["rate"]})
    assert measured_as_before["rate"] <= first.training["rate"] / 3 + 1e-12


def test_a_diagnosis_changes_the_previous_design_and_nothing_else(build: Any) -> None:
    first = decide(build.design_context())
    previous = {"architecture": {**first.architecture, "width": 64}, "training": {**first.training, "rate": 1e-3}}
    diagnosis = {"kind": "over_fit", "change": {"dropout": 0.4, "weight_decay": 0.06}, "stop": False}
    second = decide(build.design_context(diagnosis=diagnosis, previous=previous))
    assert second.architecture == {**previous["architecture"], "dropout": 0.4}
    assert second.training == {**previous["training"], "weight_decay": 0.06}
    assert "over_fit" in second.reason


def test_a_recipe_is_taken_over_with_the_sizes_of_the_new_data(build: Any) -> None:
    earlier = decide(build.design_context(rows=500, request={"seed": 9}))
    recipe = {"architecture": {**earlier.architecture, "width": 72}, "training": {**earlier.training, "rate": 0.0123}}
    context = build.design_context(rows=40_000, recipe=recipe)
    context["prepare"]["inputs"] = {"numbers": 3, "categories": [5]}
    found = decide(context)
    assert found.architecture["width"] == 72 and found.training["rate"] == 0.0123
    assert found.architecture["inputs"] == {"numbers": 3, "categories": [5]} and found.training["seed"] == 0
    assert any("sizes" in note for note in found.notes)


def test_a_recipe_of_another_task_is_not_used_and_the_reason_is_told(build: Any) -> None:
    earlier = decide(build.design_context(task="regression"))
    recipe = {"architecture": {**earlier.architecture, "width": 72}, "training": earlier.training}
    found = decide(build.design_context(recipe=recipe))
    assert found.architecture["width"] != 72 and "regression" in found.notes[0]


def test_deciding_a_design_loads_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, agents.reasoners.rules, agents.brief\n"
        "print([m for m in ('torch','numpy','polars','sklearn','langgraph','redis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_design_and_what_is_measured_on_it_stays_within_the_limits(build: Any, data: st.DataObject) -> None:
    task = data.draw(st.sampled_from(["binary", "multiclass", "regression"]))
    context = build.design_context(rows=data.draw(st.integers(2, 10**8)), task=task)
    categories = data.draw(st.lists(st.integers(1, 10**6), max_size=5))
    numbers = data.draw(st.integers(0 if categories else 1, 5000))
    context["prepare"]["inputs"] = {"numbers": numbers, "categories": categories}
    context["request"] = {
        "seed": data.draw(st.integers(0, 2**32 - 1)),
        "epochs": data.draw(st.none() | st.integers(1, 10**6)),
        "budget_seconds": data.draw(st.none() | st.floats(0.01, 1e9)),
    }
    context["class_weights"] = task != "regression" and data.draw(st.booleans())
    design = decide(context)
    preflight = {
        "rate": data.draw(st.floats(1e-12, 1e6)),
        "threads": data.draw(st.integers(1, 10_000)),
        "epochs_for_budget": data.draw(st.none() | st.integers(0, 10**9)),
    }
    training = with_measured(design.training, preflight)
    for values, limits in ((design.architecture, ARCHITECTURE_LIMITS), (training, TRAINING_LIMITS)):
        for name, (low, high) in limits.items():
            assert values[name] is None or low <= values[name] <= high
    assert Architecture.from_dict(design.architecture).as_dict() == design.architecture
    assert TrainSettings.from_dict(training).as_dict() == training
