"""Names and labels of the data that would break a figure or a person's table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from gpu_jobs.data.errors import DataError
from gpu_jobs.evaluation import answers
from gpu_jobs.evaluation.answers import predict_file
from gpu_jobs.evaluation.importance import _STUDENT
from gpu_jobs.tasks import plots, predict

Finished = Callable[[str], Any]
EVIL = "a\x1b[31m\x00\x07<b>&\ufffe\ud800\u202e\u2066 我 $x$"


def hostile(document: Any) -> Any:
    """The results as they were, had the data such labels and columns."""
    text = json.dumps(document)
    for word in ("yes", "strong", "low"):
        text = text.replace(f'"{word}"', json.dumps(EVIL))
    return json.loads(text)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_figures_of_data_with_control_characters_are_well_formed(finished: Finished, task: str) -> None:
    run, results = finished(task)
    job = run.job("plots", results=hostile(results), target=EVIL)
    done = plots.run(job)
    assert done["notes"] == [] and len(done["plots"]) >= 4
    for one in done["plots"]:
        text = (job.root / "reports" / one["file"]).read_text("utf-8")
        ElementTree.fromstring(text)
        assert not set("\x1b\x00\x07\ufffe\u202e\u2066") & set(text)


def test_a_figure_that_cannot_be_drawn_is_a_note_and_the_others_are_drawn(finished: Finished) -> None:
    run, results = finished("binary")
    broken = json.loads(json.dumps(results))
    broken["test"]["confusion"]["matrix"] = [["many", 1], [2, 3]]
    del broken["test"]["roc"][0]["points"]
    done = plots.run(run.job("plots", results=broken))
    assert {one["file"] for one in done["plots"]} == {
        "baselines.svg", "calibration.svg", "precision-recall.svg", "importance.svg",
    }  # fmt: skip
    assert [note["code"] for note in done["notes"]] == ["plot_failed"] * 2
    assert "'confusion'" in done["notes"][0]["message"] and "'roc'" in done["notes"][1]["message"]


def test_a_full_disk_is_no_note(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    run, results = finished("binary")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        plots.run(run.job("plots", results=results))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_columns_of_the_person_are_never_replaced_by_predictions(
    finished: Finished, tmp_path: Path, ending: str
) -> None:
    run, _ = finished("binary")
    own = {"strong": [1.5, 20.0], "prediction": ["mine", "too"], "p(yes)": [7, 8], "model_p(yes)": [9, 9]}
    pl.DataFrame(own).write_csv(tmp_path / "rows.csv")
    out = tmp_path / f"out.{ending}"
    job = run.job("predict", source=str(tmp_path / "rows.csv"), out=str(out))
    result = predict.run(job)
    assert result["columns"] == ["model_prediction", "p(no)", "model_model_p(yes)"] and result["rows"] == 2
    reader: Any = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[ending]
    table = reader(out)
    assert table.columns == [*own, *result["columns"]]
    assert table["prediction"].to_list() == ["mine", "too"]
    assert table["model_prediction"].to_list() == ["no", "yes"]


def test_interval_columns_of_a_regression_are_named_free_too(finished: Finished, tmp_path: Path) -> None:
    run, _ = finished("regression")
    (tmp_path / "rows.csv").write_text("strong,low,high\n1.5,1,2\n9,3,4\n")
    done = predict_file(run.root / "attempts/1/models", tmp_path / "rows.csv", tmp_path / "out.parquet")
    assert done.columns == ("prediction", "model_low", "model_high")
    table = pl.read_parquet(tmp_path / "out.parquet")
    assert ((table["model_low"] < table["prediction"]) & (table["prediction"] < table["model_high"])).all()


def test_a_file_without_any_column_of_the_model_is_refused_with_quoted_names(
    finished: Finished, tmp_path: Path
) -> None:
    run, _ = finished("binary")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(DataError) as error:
        predict_file(run.root / "attempts/1/models", tmp_path / "rows.csv", tmp_path / "out.csv")
    assert "'strong', 'noise'" in (error.value.fix or "")


def test_the_points_of_students_distribution_are_right() -> None:
    from scipy.stats import t

    for freedom, point in _STUDENT.items():
        assert point == pytest.approx(float(t.ppf(0.975, freedom)), abs=5e-5)


def test_a_wrong_cell_of_a_file_is_named_by_row_and_column_and_a_single_row_by_its_column(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = finished("regression")
    models = run.root / "attempts/1/models"
    monkeypatch.setattr(answers, "CHUNK", 2)
    (tmp_path / "rows.csv").write_text("strong\n1.5\n2.5\n3.5\nmany\n5.5\n")
    with pytest.raises(DataError, match=r"row 4: 'strong' is 'many'") as refused:
        predict_file(models, tmp_path / "rows.csv", tmp_path / "out.csv")
    assert refused.value.field == "strong" and not (tmp_path / "out.csv").exists()
    with pytest.raises(DataError, match=r"^'strong' is 'many'"):
        answers.Served(models).rows([{"strong": "many"}])
