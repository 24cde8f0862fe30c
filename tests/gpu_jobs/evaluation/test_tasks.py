"""The export, evaluate, test and plots jobs on real run folders."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn import metrics as sk

from gpu_jobs.evaluation.errors import EvaluationError
from gpu_jobs.evaluation.seen import row_hashes
from gpu_jobs.tasks import evaluate, export, plots, test
from memory.measurement import Measurement

Finished = Callable[[str], Any]
TASKS = ["binary", "multiclass", "regression"]


def measurements(document: Any) -> list[dict[str, Any]]:
    """Every measurement inside a result."""
    if isinstance(document, dict):
        if "provenance" in document:
            return [document]
        document = list(document.values())
    if isinstance(document, list):
        return [found for part in document for found in measurements(part)]
    return []


@pytest.mark.parametrize("task", TASKS)
def test_every_measurement_of_the_jobs_is_one_that_memory_accepts(finished: Finished, task: str) -> None:
    _, results = finished(task)
    found = measurements(results)
    assert len(found) > 40
    for one in found:
        assert Measurement.model_validate(one).provenance.dataset_sha256 == "d" * 64


@pytest.mark.parametrize("task", TASKS)
def test_the_network_beats_the_majority_or_mean_beyond_the_interval(finished: Finished, task: str) -> None:
    _, results = finished(task)
    against = results["test"]["versus"]["mean" if task == "regression" else "majority"]
    assert against["difference"]["interval"][0] > 0
    assert against["standard_error"]["value"] > 0


@pytest.mark.parametrize("task", TASKS)
def test_every_point_lies_in_its_interval(finished: Finished, task: str) -> None:
    _, results = finished(task)
    for split in ("evaluate", "test"):
        document = results[split]
        for metrics in [document["metrics"], *document["baselines"].values()]:
            for name, one in metrics.items():
                if one["interval"]:
                    low, high = one["interval"]
                    assert low - 1e-12 <= one["value"] <= high + 1e-12, (split, name)


@pytest.mark.parametrize("task", TASKS)
def test_the_graph_predicts_the_whole_test_split_as_the_network_does(finished: Finished, task: str) -> None:
    run, results = finished(task)
    parity = results["test"]["onnx_parity"]["max_relative"]
    assert parity["value"] <= 1e-4
    assert parity["provenance"]["rows"] == 120
    kept = np.load(run.root / "attempts/1/predictions.npz")
    np.testing.assert_allclose(kept["onnx"], kept["network"], rtol=1e-4, atol=1e-6)


def test_the_kept_predictions_give_the_reported_test_metrics(finished: Finished) -> None:
    run, results = finished("multiclass")
    kept = np.load(run.root / "attempts/1/predictions.npz")
    splits = json.loads((run.root / "data/splits.json").read_text())
    assert kept["row"].tolist() == splits["test"]
    reported = results["test"]
    for name in ("network", "majority", "linear", "trees"):
        metrics = reported["metrics"] if name == "network" else reported["baselines"][name]
        assert metrics["accuracy"]["value"] == pytest.approx(sk.accuracy_score(kept["y"], kept[name].argmax(1)))
        assert metrics["auc"]["value"] == pytest.approx(sk.roc_auc_score(kept["y"], kept[name], multi_class="ovr"))
    assert reported["test_reads"] == 1


def test_regression_metrics_are_in_the_units_of_the_target(finished: Finished) -> None:
    run, results = finished("regression")
    kept = np.load(run.root / "attempts/1/predictions.npz")
    rmse = results["test"]["metrics"]["rmse"]
    assert rmse["unit"] == "target"
    assert rmse["value"] == pytest.approx(sk.root_mean_squared_error(kept["y"], kept["network"]))
    assert rmse["value"] > 10  # targets are around 1000


def test_the_interval_of_a_regression_covers_about_what_was_asked(finished: Finished) -> None:
    run, results = finished("regression")
    assert results["export"]["interval"]["level"] == 0.9
    assert results["export"]["interval"]["factor"]["unit"] == "ratio", "its logarithm is learned"
    served = json.loads((run.root / "attempts/1/models/preprocessing.json").read_text())
    assert served["interval"]["least"] == 0.0, "no known value of this target is below zero"
    assert 0.75 <= results["test"]["metrics"]["coverage"]["value"] <= 1.0


@pytest.mark.parametrize("task", TASKS)
def test_the_informative_column_is_the_most_important_one(finished: Finished, task: str) -> None:
    _, results = finished(task)
    table = results["evaluate"]["importance"]
    assert table[0]["column"] == "strong"
    assert {one["column"] for one in table} == {"strong", "noise", "colour", "city"}
    assert table[0]["drop"]["provenance"]["split"] == "validation"


def test_losing_the_informative_column_costs_more_than_losing_the_noise(finished: Finished) -> None:
    _, results = finished("binary")
    missing = {one["column"]: one["drop"]["value"] for one in results["test"]["robustness"]["missing"]}
    assert missing["strong"] > 0.1 > abs(missing["noise"])


def test_evaluate_refuses_to_read_the_test_split(make: Callable[..., Any]) -> None:
    with pytest.raises(EvaluationError, match="does not read the split 'test'"):
        evaluate.run(make("binary").job("evaluate", split="test"))


def test_evaluate_never_looks_at_the_test_rows(make: Callable[..., Any]) -> None:
    run = make("binary")
    export.run(run.job("export"))
    before = evaluate.run(run.job("evaluate"))
    splits = json.loads((run.root / "data/splits.json").read_text())
    for name in ("numbers", "target"):
        path = run.root / f"data/encoded/{name}.npy"
        array = np.load(path)
        array[splits["test"]] = 0
        np.save(path, array)
    after = evaluate.run(run.job("evaluate"))
    assert values(before) == values(after)


def values(document: dict[str, Any]) -> list[float]:
    return [one["value"] for one in measurements(document)]


def test_the_same_job_again_gives_the_same_numbers_and_predictions(make: Callable[..., Any]) -> None:
    run = make("multiclass")
    export.run(run.job("export"))
    kept = run.root / "attempts/1/predictions.npz"
    first, bytes_of_first = test.run(run.job("test")), kept.read_bytes
    saved = bytes_of_first()
    assert values(first) == values(test.run(run.job("test")))
    assert kept.read_bytes() == saved


def test_exporting_again_writes_the_same_bytes(make: Callable[..., Any]) -> None:
    run = make("binary")
    first = export.run(run.job("export"))
    assert export.run(run.job("export"))["onnx_sha256"] == first["onnx_sha256"]
    assert sorted(p.name for p in (run.root / "attempts/1/models").iterdir()) == [
        "model.onnx",
        "preprocessing.json",
        "weights.safetensors",
    ]


def test_an_example_shows_the_raw_row_and_the_served_answer(finished: Finished) -> None:
    run, results = finished("multiclass")
    example = results["test"]["examples"][0]
    assert set(example["row"]) == {"strong", "noise", "colour", "city"}
    assert set(example["prediction"]["probabilities"]) == {"low", "mid", "high"}
    assert {one["truth"] for one in results["test"]["examples"]} == {"low", "mid", "high"}
    del run


@pytest.mark.parametrize("task", TASKS)
def test_plots_are_written_with_title_and_description(finished: Finished, task: str) -> None:
    run, results = finished(task)
    history = [{"epoch": e, "train_loss": 1 / e, "validation_loss": 1.1 / e, "rate": 0.1} for e in range(1, 5)]
    (run.root / "attempts/1/history.json").write_text(json.dumps({"epochs": history, "best_epoch": 4}))
    job = run.job("plots", results=results, history="attempts/1/history.json", target="goal")
    made = plots.run(job)["plots"]
    names = {one["file"] for one in made}
    shared = {"loss.svg", "rate.svg", "baselines.svg", "importance.svg"}
    own = {"predicted.svg", "residuals.svg"}
    own = own if task == "regression" else {"confusion.svg", "calibration.svg", "roc.svg", "precision-recall.svg"}
    assert names == shared | own
    if task != "regression":
        said = " ".join(one["alt"] for one in made if one["file"] in {"confusion.svg", "roc.svg"})
        labels = {str(one["truth"]) for one in results["test"]["examples"]}
        assert any(repr(label) in said for label in labels)
        assert not any(re.search(rf"(?<!['\w]){re.escape(label)}(?!['\w])", said) for label in labels), said
    for one in made:
        path: Path = run.root / "reports" / one["file"]
        root = ElementTree.fromstring(path.read_text())
        space = "{http://www.w3.org/2000/svg}"
        assert root.findtext(f"{space}title") == one["title"]
        assert root.findtext(f"{space}desc") == one["alt"]
        picture = (run.root / "reports" / one["picture"]).read_bytes()
        assert picture.startswith(b"\x89PNG\r\n\x1a\n") and len(picture) <= 150_000


def test_a_champion_is_compared_on_rows_that_it_has_not_seen(make: Callable[..., Any]) -> None:
    champion, challenger = make("binary", name="old"), make("binary", name="new", rows=500, seed=5)
    for run in (champion, challenger):
        export.run(run.job("export"))
    given = {"models": str(champion.root / "attempts/1/models"), "run": str(champion.root)}
    found = test.run(challenger.job("test", champion=given))["champion"]
    assert (found["rows"], found["excluded"]) == (100, 0)
    same = test.run(champion.job("test", champion=given))["champion"]
    assert same["rows"] == 120
    assert same["versus"]["difference"]["value"] == 0
    assert found["champion"]["accuracy"]["value"] > 0.7


def test_a_row_that_the_champion_trained_on_is_left_out(make: Callable[..., Any]) -> None:
    run = make("binary")
    export.run(run.job("export"))
    splits = json.loads((run.root / "data/splits.json").read_text())
    moved = {**splits, "test": splits["test"] + splits["train"][:7] + splits["validation"][:5]}
    newer = make("binary", name="newer")
    export.run(newer.job("export"))
    (newer.root / "data/splits.json").write_text(json.dumps(moved))
    given = {"models": str(run.root / "attempts/1/models"), "run": str(run.root)}
    found = test.run(newer.job("test", champion=given))["champion"]
    assert (found["rows"], found["excluded"]) == (120, 12)


def test_row_hashes_compare_values_as_a_person_reads_them() -> None:
    written: dict[str, list[Any]] = {"a": [3, None, "x"], "b": ["1.50", "y", True]}
    read: dict[str, list[Any]] = {"b": [1.5, "y", True], "a": [3.0, None, "x"]}
    assert row_hashes(written, ["a", "b"]) == row_hashes(read, ["b", "a"])
    assert len(set(row_hashes(written, ["a", "b"]))) == 3
