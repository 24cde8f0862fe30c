"""`neuroloom run`: what it asks for, how it ends, what it prints."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from phases.views import DOCUMENT_KEYS
from tests.app import fake_services
from tests.app.conftest import Call
from tests.app.fake_services import ROW, RUN, FakeRuns, a_run

CODES = [("deployed", 0), ("finished", 0), ("rejected", 2), ("failed", 3), ("bad input", 4), ("approval", 5)]


def started(runs: FakeRuns) -> dict[str, Any]:
    return next(what[0] for name, what in runs.calls if name == "start")


@pytest.mark.parametrize(("scenario", "code"), CODES)
def test_the_exit_code_tells_how_the_run_ended(call: Call, scenario: str, code: int) -> None:
    assert call("run", "penguins.csv", "--target", "species", scenario=scenario).code == code


@pytest.mark.parametrize(("scenario", "code"), CODES)
def test_json_prints_exactly_one_document_with_the_agreed_keys(call: Call, scenario: str, code: int) -> None:
    told = call("run", "penguins.csv", "--json", scenario=scenario)
    document = told.document()
    assert told.code == code
    assert tuple(document) == DOCUMENT_KEYS
    assert document["run_id"] == RUN
    assert (document["error"] is None) == (code == 0)


def test_the_document_has_the_agreed_shape_inside(call: Call) -> None:
    document = call("run", "penguins.csv", "--json").document()
    validate = document["phases"][3]
    assert set(validate) == {"name", "status", "seconds", "gate"}
    assert validate["gate"][0] == {
        "name": "accuracy", "measured": 0.91, "comparison": ">=", "threshold": 0.9, "passed": True, "blocking": True,
    }  # fmt: skip
    assert {"value", "unit", "provenance"} <= set(document["metrics"]["accuracy"])
    assert set(document["deployment"]) == {"name", "url", "pid", "example_request"}
    assert set(document["model"]) == {"name", "version", "path", "sha256"}


def test_every_flag_reaches_the_request(call: Call, runs: FakeRuns, tmp_path: Path) -> None:
    for name in ("v.csv", "t.csv"):
        (tmp_path / name).write_text("a\n1\n")
    call(
        "run", "penguins.csv", "--target", "species", "--goal", "which species", "--name", "birds",
        "--task", "multiclass",
        "--metric", "macro_f1", "--positive", "Adelie", "--drop", "a,b c", "--group", "island", "--time", "year",
        "--validation", "v.csv", "--test", "t.csv", "--missing", "?,NA", "--min-accuracy", "0.9",
        "--max-latency-ms", "20",
        "--gates", "reference", "--budget", "1h30m", "--epochs", "7", "--seed", "3", "--workers", "2", "--gpus", "0",
        "--from", "r-2026", "--no-deploy", "--yes", "--detach",
    )  # fmt: skip
    request = started(runs)
    assert request["data"] == str(tmp_path / "penguins.csv")
    assert request["validation"] == str(tmp_path / "v.csv")
    assert (request["drop"], request["missing"]) == (["a", "b c"], ["?", "NA"])
    assert request["requirements"] == [
        {"metric": "accuracy", "comparison": ">=", "value": 0.9},
        {"metric": "latency_p95_ms", "comparison": "<=", "value": 20.0},
    ]
    assert (request["budget_seconds"], request["epochs"], request["seed"], request["workers"]) == (5400.0, 7, 3, 2)
    assert (request["gates"], request["from_run"], request["deploy"], request["yes"]) == (
        "reference",
        "r-2026",
        False,
        True,
    )
    assert (request["workspace"], request["wait_for_target"]) == (str(tmp_path), True)
    assert request["code_version"].startswith("src-")


def test_detach_queues_and_returns_at_once(call: Call) -> None:
    told = call("run", "penguins.csv", "--detach", scenario="endless")
    assert told.code == 0
    assert f"neuroloom watch {RUN}" in told.out


def test_in_a_pipe_a_missing_target_cancels_and_names_the_proposal(call: Call, runs: FakeRuns) -> None:
    told = call("run", "penguins.csv", scenario="target")
    assert told.code == 4
    assert "proposed: 'species' (it is the last column" in told.err
    assert ("cancel", (RUN, False)) in runs.calls


def test_a_missing_target_is_one_json_document_too(call: Call) -> None:
    told = call("run", "penguins.csv", "--json", scenario="target")
    document = told.document()
    assert (told.code, document["run_id"], document["status"]) == (4, RUN, "cancelled")
    assert (document["error"]["code"], document["error"]["field"]) == ("input.no_target", "target")


def test_a_run_that_waits_for_approval_tells_how_to_answer(call: Call) -> None:
    told = call("run", "penguins.csv", scenario="approval")
    assert f"neuroloom approve {RUN}" in told.out
    assert "--reject" in told.out


def test_a_run_that_waits_says_in_its_document_what_for_and_what_answers(call: Call) -> None:
    asked = call("watch", "--json", scenario="target")
    error = asked.document()["error"]
    assert asked.code == 5 and (error["code"], error["field"]) == ("run.waiting_target", "target")
    assert (
        "Which column" in error["message"] and "'species'" in error["message"] and "three classes" in error["message"]
    )
    assert error["fix"] == f"neuroloom approve {RUN}"
    assert call("show", "--json", scenario="approval").document()["error"]["code"] == "run.waiting_deploy"


def test_a_deployment_that_a_person_refused_says_why_in_words_and_in_the_document(call: Call) -> None:
    refused = a_run("finished", reason="the deployment was refused: not on a Friday")
    fake_services.OUTCOMES["finished"] = refused
    assert "not on a Friday" in call("show", scenario="finished").out
    error = call("show", "--json", scenario="finished").document()["error"]
    assert "not on a Friday" in error["message"] and error["fix"] == f"neuroloom deploy {RUN}"


def test_a_pipe_gets_plain_lines_without_control_characters(call: Call) -> None:
    told = call("run", "penguins.csv")
    assert "configure: passed in 1.5 s" in told.out
    assert "ml-developer · TaskPlan: species has three classes" in told.out
    assert "epoch 5/5  train loss 0.2  validation loss 0.22  accuracy 0.75" in told.out
    assert "stopped early at epoch 5; best was 4" in told.out
    assert "\x1b" not in told.out


def test_the_end_shows_gates_baselines_columns_and_places(call: Call) -> None:
    out = call("run", "penguins.csv").out
    assert "accuracy  0.91" in out
    assert "not reached (not blocking)" in out
    assert "Gradient-boosted trees do better here: accuracy 0.95 against 0.91 of the network." in out
    assert "0.91 (0.88–0.94)" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("column ") and line[7].isdigit()] == list(
        "76543"
    )
    assert "report: /somewhere/report.html" in out


def test_the_curl_command_is_quoted_for_the_shell_and_carries_the_row(call: Call) -> None:
    line = next(line for line in call("run", "penguins.csv").out.splitlines() if line.startswith("curl"))
    words = shlex.split(line)
    assert words[2] == "http://127.0.0.1:8123/predict"
    assert json.loads(words[words.index("-d") + 1]) == ROW


def test_a_redis_that_goes_away_is_waited_for_and_said(call: Call) -> None:
    told = call("run", "penguins.csv", scenario="away")
    assert told.code == 0
    assert "Redis is away" in told.out
    assert "Redis is back" in told.out


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--min-accuracy", "1.5"], "usage.threshold", "out of range"),
        (["--min-accuracy", "many"], "usage.value", "many"),
        (["--max-accuracy", "0.5"], "usage.no_such_option", "--max-accuracy"),
        (["--task", "poetry"], "usage.value", "poetry"),
        (["--metric", "acuracy"], "usage.value", "acuracy"),
        (["--gates", "none"], "usage.value", "none"),
        (["--backend", "moon"], "usage.value", "moon"),
        (["--budget", "soon"], "usage.value", "soon"),
        (["--epochs", "0"], "usage.value", "0"),
        (["--seed", "-1"], "usage.value", "-1"),
        (["--name", "Not A Name"], "usage.value", "Not A Name"),
        (["--target", "a", "--drop", "a"], "usage.contradiction", "'a'"),
        (["--features", "a", "--drop", "a"], "usage.contradiction", "'a'"),
        (["--metric", "rmse", "--task", "binary"], "usage.metric_task", "rmse"),
        (["--min-r2", "0.5", "--task", "binary"], "usage.metric_task", "r2"),
        (["--config", "absent.toml"], "usage.config_file", "absent.toml"),
    ],
)
def test_a_wrong_flag_value_is_refused_before_anything_starts(
    call: Call, runs: FakeRuns, args: list[str], code: str, words: str
) -> None:
    told = call("run", "penguins.csv", *args, "--json")
    document = told.document()
    assert told.code == 4
    assert document["error"]["code"] == code
    assert words in document["error"]["message"]
    assert document["error"]["fix"]
    assert tuple(document) == DOCUMENT_KEYS
    assert not runs.calls


@pytest.mark.parametrize(("path", "code"), [("pengiuns.csv", "input.missing_file"), (".", "input.directory")])
def test_a_path_that_is_no_table_is_refused_with_the_nearest_name(call: Call, path: str, code: str) -> None:
    error = call("run", path, "--json").document()["error"]
    assert error["code"] == code
    assert code == "input.directory" or "'penguins.csv'" in error["message"]


def test_an_error_says_what_and_then_what_to_do(call: Call) -> None:
    told = call("run", "pengiuns.csv")
    assert told.out == ""
    assert told.err.startswith("error: no file ")
    assert "\nhint: " in told.err


def test_a_crash_is_one_message_and_a_traceback_only_on_request(
    call: Call, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(runs, "start", broken)
    quiet = call("run", "penguins.csv")
    assert quiet.code == 3
    assert "internal error: ZeroDivisionError: a defect" in quiet.err
    assert "Traceback" not in quiet.err
    assert "Traceback" in call("run", "penguins.csv", "--debug").err
    monkeypatch.setenv("DEBUG", "true")
    assert "Traceback" in call("run", "penguins.csv").err
    monkeypatch.delenv("DEBUG")
    monkeypatch.setenv("NEUROLOOM_LOG_LEVEL", "debug")
    assert "Traceback" in call("run", "penguins.csv").err


@pytest.mark.parametrize("flag", ["budget", "epochs", "config"])
def test_an_error_names_the_flag_as_it_was_typed(call: Call, flag: str) -> None:
    error = call("run", "penguins.csv", f"--{flag}", "soon", "--json").document()["error"]
    assert error["field"] == flag and "\\n" not in error["fix"]


def test_the_name_of_a_dataset_stands_for_its_file(call: Call, runs: FakeRuns) -> None:
    assert call("dataset", "add", "penguins.csv", "--json").code == 0
    assert call("run", "penguins", "--target", "species", "--detach").code == 0
    started = next(given for name, given in runs.calls if name == "start")
    assert "/neural/datasets/penguins/" in str(started)
