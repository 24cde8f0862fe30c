"""The allow-lists on made runs: nothing that is not listed leaves, whatever stands in it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_jobs.evaluation.plots.classes import confusion_plot, curve_plot
from memory.errors import InputError, PrivacyRefused
from memory.measurement import Measurement, Provenance
from phases.datasets import CategoryView, ClassView, ColumnView, DatasetProfile, NumbersView
from phases.privacy.catalogue import EVENTS, MEMORY, RUN
from phases.privacy.level import LEVELS, Level
from phases.privacy.privacy import LONGEST_ASSERTED, Privacy
from phases.privacy.schema import Column, Schema
from phases.privacy.words import CELL
from phases.views import CheckView, DeploymentView, ErrorView, PhaseView, QuestionView, RunView

SECRET = "qxsecret"
BELOW: list[Level] = ["schema", "aggregates"]
SCHEMA = Schema(
    columns=(Column(name="age", kind="number", median=41.37), Column(name="who", personal="name"), Column(name="left")),
    features=("age", "who"),
    target="left",
    classes=("yes", "no"),
)
CELLS = st.text(max_size=12).map(lambda text: f"{SECRET}{text}")


def measured(value: float = 0.9) -> Measurement:
    provenance = Provenance(
        run="r-1", job="test", dataset_sha256="ab", code_version="src", device="cpu", seed=0, load=0.1,
        at="2026-11-21T09:45:01+00:00", split="test", rows=9,
    )  # fmt: skip
    return Measurement(value=value, unit="fraction", provenance=provenance)


def a_view(cell: str) -> RunView:
    check = CheckView(name="labels", measured=f"seen {cell!r}", comparison="is", threshold=f"{cell!r}", passed=False,
                      why=f"{cell!r} was read")  # fmt: skip
    question = QuestionView(id="q1", kind="approval", text=f"Is {cell!r} right?", reason=f"{cell!r}", choices=("age",))
    return RunView(
        run_id="r-20261121-094501-k3f9", status="deployed", reason=f"because of {cell!r}", workspace="/w",
        created_at="2026-11-21T09:45:01+00:00", phases=(PhaseView(name="setup", gate=(check,)),), question=question,
        metrics={"accuracy": measured()}, target="left",
        deployment=DeploymentView(name="m", url="http://127.0.0.1:1", example_request={"age": 41, "who": cell}),
        error=ErrorView(code="input.x", message=f"{cell!r} is no number", fix=f"replace {cell!r}"),
    )  # fmt: skip


def anything(cell: str) -> st.SearchStrategy[Any]:
    """Made JSON full of marked cells, under listed and unlisted names."""
    leaf = st.sampled_from([cell, 7, None, True, f"the value {cell!r}"])
    words = st.sampled_from(
        ["examples", "row", "top", "min", "why", "reason", "value", "labels", "gate", "evidence", cell]
    )
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4), max_leaves=12
    )


@pytest.mark.parametrize("level", BELOW)
@given(cell=CELLS)
def test_a_cell_anywhere_in_a_run_does_not_leave_with_its_view(level: Level, cell: str) -> None:
    privacy = Privacy(level, SCHEMA)
    told = privacy.run(a_view(cell))
    assert SECRET not in json.dumps(told)
    assert told["deployment"]["example_request"]["who"] == "text"
    assert SECRET not in privacy.report(a_view(cell), {})


@settings(max_examples=60)
@given(data=st.data(), cell=CELLS)
def test_values_that_no_shape_expects_do_not_leave(data: st.DataObject, cell: str) -> None:
    privacy = Privacy("aggregates", SCHEMA)
    for name in data.draw(st.lists(st.sampled_from(sorted(MEMORY)), min_size=1, max_size=4)):
        value = data.draw(anything(cell))
        kept = json.dumps(privacy.memory(name, {"examples": value, "row": value, "evidence": value, "min": value}))
        assert SECRET not in kept, name
    kind = data.draw(st.sampled_from(sorted(EVENTS)))
    unlisted = {"type": kind, "cell": cell, "row": {"age": cell}, "message": f"read {cell!r}", "reason": f"{cell!r}"}
    assert SECRET not in json.dumps(privacy.event(unlisted))


def test_the_view_lists_every_field_that_a_door_should_tell() -> None:
    told = Privacy("schema", SCHEMA).run(a_view("x"))
    left_out = set(RunView.model_fields) - set(told)
    assert left_out == set(), "a new field of a view needs a shape, or a reason here"
    assert RUN is not None


def test_the_made_up_row_has_medians_from_aggregates_on() -> None:
    assert SCHEMA.example("schema") == {"age": 0, "who": "text"}
    assert SCHEMA.example("aggregates") == {"age": 41, "who": "text"}


def test_personal_data_are_masked_at_samples() -> None:
    told = Privacy("samples", SCHEMA).run(a_view("Qx Smith"))
    assert told["deployment"]["example_request"] == {"age": 41, "who": "<name>"}
    assert "Smith" not in json.dumps(told)


def test_classes_of_a_personal_target_are_masked() -> None:
    schema = SCHEMA.model_copy(update={"target": "who", "classes": ("Ann", "Bob")})
    scores = {
        "per_class": [{"label": "Ann", "rows": 3}],
        "confusion": {"labels": ["Ann", "Bob"], "matrix": [[1, 0], [0, 2]]},
    }
    told = Privacy("samples", schema).memory("validation", scores)
    assert told["per_class"] == [{"label": "<name>", "rows": 3}]
    assert "Ann" not in json.dumps(told) and "Ann" not in Privacy("samples", schema).text("positive is 'Ann'")


def test_points_of_curves_and_residuals_do_not_leave_because_each_is_a_row() -> None:
    scores = {
        "split": "test", "rows": 9, "metric": "rmse", "residuals": {"points": [[71.25, 70.1]], "target": [71.25]},
        "roc": [{"label": "yes", "points": [[0.1, 71.25]]}], "pr": [{"points": [[71.25]]}], "metrics": {},
    }  # fmt: skip
    told = Privacy("aggregates", SCHEMA).memory("validation", scores)
    assert told == {"split": "test", "rows": 9, "metric": "rmse", "metrics": {}}


def test_asserted_values_pass_bounded_and_unknown_names_are_refused_with_the_way_out() -> None:
    privacy = Privacy("schema", SCHEMA)
    assert privacy.memory("asserted/note", {"by hand": [1, "checked"]}) == {"by hand": [1, "checked"]}
    assert len(privacy.memory("neural/asserted/note", "x" * 100_000)) == LONGEST_ASSERTED
    with pytest.raises(PrivacyRefused) as refused:
        privacy.memory("answer", {"x": 1})
    assert refused.value.code == "privacy.refused" and "privacy.level" in str(refused.value.fix)


def test_what_the_caller_said_itself_is_told_back() -> None:
    error = InputError("no dataset 'penguin'; did you mean 'penguins'?", code="input.no_such_dataset", field="name")
    assert Privacy("schema").error(error)["message"] == error.message
    sentence = "'my table.csv' cannot be read: 'qx'"
    assert Privacy("schema").knowing("my table.csv").text(sentence) == "'my table.csv' cannot be read: '<cell>'"


@pytest.mark.parametrize(
    "path",
    ["data/snapshot.json", "models/preprocessing.json", "attempts/1/models/preprocessing.json", "jobs/test/result.json",
     "tests/validation_rows.json", "attempts/1/predictions.npz", "data/encoded/numbers.npy", "reports/results.json",
     "reports/predicted.svg", "reports/residuals.svg", "models/model-metadata.json", "docs/DEPLOYMENT.md",
     "reports/performance-report.md", "models/weights.safetensors", "attempts/1/models/model.onnx"],
)  # fmt: skip
def test_files_with_cells_are_not_on_the_list(path: str) -> None:
    with pytest.raises(PrivacyRefused):
        Privacy("aggregates", SCHEMA).artifact(path)


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "reports/../data/snapshot.json", "reports//loss.svg", "./reports/loss.svg", "", "a\0b",
     "reports/loss.svg/", "reports/./loss.svg", "..", "reports\\..\\x", "reports/loss.svg\n", "REPORTS/loss.svg"],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_refused_at_every_level(path: str) -> None:
    for level in ("schema", "aggregates"):
        with pytest.raises(PrivacyRefused):
            Privacy(level, SCHEMA).artifact(path)


def test_a_profile_has_kinds_at_schema_and_rounded_statistics_at_aggregates() -> None:
    found = DatasetProfile(
        name="t", sha256="ab", rows=100, target="left", task="binary", proposed_target="left", reason="it is last",
        classes=(ClassView(label="yes", rows=60), ClassView(label="no", rows=40)),
        columns=(
            ColumnView(name="age", kind="number", missing_share=0.1, distinct=50, numbers=NumbersView(mean=41.3721)),
            ColumnView(name="town", kind="category", missing_share=0, distinct=3,
                       categories=(CategoryView(value="Qxtown", rows=9),)),
            ColumnView(name="left", kind="category", missing_share=0, distinct=2),
        ),
        warnings=("'age' holds 'qx'",),
    )  # fmt: skip
    low, high = Privacy("schema").profile(found), Privacy("aggregates").profile(found)
    assert "Qxtown" not in json.dumps(low) and "numbers" not in low["columns"][0]
    assert [one["label"] for one in low["classes"]] == ["yes", "no"] and low["rows"] == 100
    assert high["columns"][0]["numbers"]["mean"] == 41 and high["columns"][1]["categories"][0]["value"] == "Qxtown"
    assert low["warnings"] == ["'age' holds '<cell>'"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("figure", ["confusion", "roc", "precision-recall"])
def test_a_figure_on_which_personal_classes_are_named_leaves_at_no_level(level: Level, figure: str) -> None:
    mails = SCHEMA.model_copy(update={"target": "who", "classes": ("ann@example.org", "bo@example.org")})
    for name in (f"reports/{figure}.png", f"reports/{figure}.svg"):
        Privacy(level, SCHEMA).artifact(name)
        with pytest.raises(PrivacyRefused, match="personal data"):
            Privacy(level, mails).artifact(name)
    Privacy(level, mails).artifact("reports/loss.png")
    Privacy(level, mails).artifact("reports/calibration.svg")


@pytest.mark.parametrize("level", LEVELS)
def test_what_a_figure_says_of_personal_classes_is_masked(level: Level) -> None:
    mails = SCHEMA.model_copy(update={"target": "who", "classes": ("ann@example.org", "bo@example.org")})
    confusion = {"labels": list(mails.classes), "matrix": [[3, 4], [1, 5]]}
    curve = {"label": "ann@example.org", "points": [[0, 0], [1, 1]], "rows": 7, "auc": {"value": 0.75}}
    with tempfile.TemporaryDirectory() as folder:
        drawn = [*confusion_plot(Path(folder), confusion), *curve_plot(Path(folder), "roc", [curve, curve])]
    for plot in drawn:
        assert "@example.org" in plot.alt
        told = Privacy(level, mails).text(plot.alt)
        assert "@" not in told and CELL in told
