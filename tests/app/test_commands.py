"""Every other command: what it asks of the services, what it prints, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from app import wiring
from app.cli.root import COMMANDS, cli
from app.settings import Settings
from tests.app.conftest import Call
from tests.app.fake_services import ROW, RUN, FakeRuns

READS: list[list[str]] = [
    ["runs"], ["show"], ["show", "r-2026"], ["watch"], ["logs"], ["report"], ["deployments"], ["memory", "list"],
    ["memory", "get", "neural/architecture"], ["config"], ["auth", "status"], ["mcp-token", "list"],
    ["audit", "verify"],
    ["memory", "get", "neural/architecture"], ["config"], ["auth", "status"],
    ["dataset", "list"],
]  # fmt: skip


def leaves(group: click.Group = cli, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += leaves(command, (*path, name))
        else:
            found.append(((*path, name), command))
    return found


def test_every_command_of_the_issue_is_there() -> None:
    wanted = {
        "run", "runs", "show", "watch", "logs", "approve", "resume", "cancel", "rm", "report", "predict", "deploy",
        "rollback", "deployments", "undeploy", "retrain", "memory", "auth", "doctor", "down", "config", "completion",
        "mcp", "mcp-token", "steer", "audit", "dataset", "compare", "models", "hook", "hooks", "install",
    }  # fmt: skip
    assert {row.name for row in COMMANDS} == wanted


@pytest.mark.parametrize(
    ("path", "command"), leaves(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_has_help_with_an_example(path: tuple[str, ...], command: click.Command) -> None:
    text = command.get_help(click.Context(command, info_name=" ".join(path)))
    assert "Example:" in text
    assert f"neuroloom {' '.join(path)}" in text
    assert command.short_help


def test_the_table_of_help_says_what_the_commands_say() -> None:
    for row in COMMANDS:
        command = cli.get_command(click.Context(cli), row.name)
        assert command is not None
        assert command.short_help == row.help


@pytest.mark.parametrize("args", READS, ids=" ".join)
def test_reads_end_well_in_words_and_as_one_document(call: Call, args: list[str]) -> None:
    words = call(*args)
    assert (words.code, words.err) == (0, "")
    assert words.out.strip()
    told = call(*args, "--json")
    assert told.code == 0
    assert isinstance(json.loads(told.out), dict)


def test_without_arguments_the_help_is_shown(call: Call) -> None:
    told = call()
    assert told.code == 0
    assert "Usage: neuroloom" in told.out


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["shwo"], "usage.invalid", "'show'"),
        (["show", "--colour"], "usage.no_such_option", "--colour"),
        (["memory", "get"], "usage.missing", "KEY"),
        (["completion", "tcsh"], "usage.value", "tcsh"),
        (["show", "r-1999"], "input.no_such_run", "r-1999"),
        (["memory", "get", "nothing"], "input.no_such_key", "nothing"),
        (["rollback", "pengiuns"], "input.no_such_deployment", "pengiuns"),
        (["approve"], "usage.no_question", "asks nothing"),
        (["deploy", RUN, "--override"], "usage.missing", "--why"),
        (["deploy", RUN, "--why", "x"], "usage.contradiction", "--override"),
        (["rm", RUN], "usage.unconfirmed", RUN),
        (["steer", RUN], "usage.missing", "nothing is ordered"),
        (["steer", RUN, "--rate", "200"], "usage.steer", "200"),
        (["steer", RUN, "--metric", "acuracy"], "usage.unknown_metric", "'accuracy'"),
        (["predict", RUN], "usage.contradiction", "--row"),
        (["predict", RUN, "--row", "{"], "input.row", "JSON"),
        (["predict", RUN, "--row", "[1]"], "input.row", "object"),
        (["predict", RUN, "absent.csv", "--out", "o.csv"], "input.missing_file", "absent.csv"),
        (["predict", RUN, "penguins.csv", "--out", "penguins.csv"], "input.exists", "penguins.csv"),
    ],
)
def test_usage_errors_are_one_document_and_exit_4(call: Call, args: list[str], code: str, words: str) -> None:
    told = call(*args, "--json")
    assert told.code == 4
    error = told.document()["error"]
    assert error["code"] == code
    assert words in error["message"]
    plain = call(*args)
    assert (plain.code, plain.out) == (4, "")
    assert plain.err.startswith("error: ")
    assert "Traceback" not in plain.err


def test_report_says_where_it_is_and_its_document_also_where_the_figures_are(call: Call) -> None:
    assert call("report").out == "/somewhere/report.html\n"
    assert call("report", "--json").document()["figures"][0]["png"] == "/r/loss.png"


def test_show_has_phases_decisions_and_every_gate(call: Call) -> None:
    out = call("show").out
    assert "configure  passed  1.0 s" in out
    assert "ml-developer · TaskPlan: species has three classes" in out
    assert "accuracy" in out


@pytest.mark.parametrize(
    ("scenario", "code"), [("deployed", 0), ("rejected", 2), ("failed", 3), ("approval", 5), ("target", 5)]
)
def test_watch_ends_with_the_runs_own_code_and_cancels_nothing(
    call: Call, runs: FakeRuns, scenario: str, code: int
) -> None:
    assert call("watch", scenario=scenario).code == code
    assert not [name for name, _ in runs.calls if name == "cancel"]


@pytest.mark.parametrize(
    ("args", "scenario", "answer"),
    [
        (["approve"], "approval", {"approve": True, "why": None}),
        (["approve", "latest", "--reject", "--why", "no"], "approval", {"approve": False, "why": "no"}),
        (["approve"], "target", {"target": "species"}),
        (["approve", "latest", "--target", "island"], "target", {"target": "island"}),
        (["approve"], "budget", {"approve": True, "why": None}),
        (["approve", "latest", "--choose", "continue"], "budget", {"choice": "continue"}),
    ],
)
def test_approve_answers_the_question_by_its_id(
    call: Call, runs: FakeRuns, args: list[str], scenario: str, answer: dict[str, Any]
) -> None:
    assert call(*args, scenario=scenario).code == 0
    question = {"approval": "q2", "target": "q1", "budget": "q3"}[scenario]
    assert ("answer", (RUN, question, answer, "cli")) in runs.calls


def test_what_a_budget_question_offers_is_shown_as_commands(call: Call) -> None:
    out = call("show", scenario="budget").out
    assert all(f"neuroloom approve {RUN} --choose {choice}" in out for choice in ("cut", "continue", "cancel"))
    told = call("approve", "latest", "--choose", "cut", scenario="approval")
    assert told.code == 4 and "does not ask for a choice" in told.err


def test_resume_follows_the_run_and_ends_with_its_code(call: Call, runs: FakeRuns) -> None:
    assert call("resume", scenario="rejected").code == 2
    assert ("resume", ("latest",)) in runs.calls


def test_cancel_waits_for_the_end(call: Call, runs: FakeRuns) -> None:
    told = call("cancel", scenario="endless")
    assert (told.code, told.out.strip()) == (0, f"{RUN} cancelled")
    assert ("cancel", ("latest", False)) in runs.calls


def test_steer_hands_over_what_was_said_and_nothing_else(call: Call, runs: FakeRuns) -> None:
    told = call("steer", "latest", "--rate", "0.5", "--metric", "f1", "--note", "slower")
    assert told.out == "learning rate × 0.5, best epoch chosen by f1\n"
    assert ("steer", ("latest", {"rate": 0.5, "metric": "f1"}, "slower", "cli")) in runs.calls


def test_compare_shows_runs_side_by_side_what_differs_and_the_best_or_why_not(call: Call) -> None:
    told = call("compare", "latest", "r-other").out
    assert f"{RUN}  finished  species  accuracy  0.91 (0.88–0.94)  0.91" in told
    assert "training.rate  0.001" in told and "a, b" in told and told.endswith(f"{RUN} is best by accuracy\n")
    told = call("compare", "latest", "r-other", "r-third").out
    assert "the numbers cannot be compared:\n  not the same seed (0: " in told and "is best" not in told
    assert call("compare", "latest", "r-other", "--json").document()["best"]["run_id"] == RUN


def test_rm_needs_a_yes_and_names_the_whole_id(call: Call, runs: FakeRuns) -> None:
    assert call("rm", "r-2026", "--yes").code == 0
    assert ("remove", (RUN,)) in runs.calls


def test_models_and_runs_are_listed_page_by_page(call: Call, runs: FakeRuns) -> None:
    lines = call("models", "--limit", "2").out.splitlines()
    assert lines[2].split() == ["penguins", "1.0.0", RUN, "deployed", "accuracy", "0.91", "(0.88–0.94)", "20,480",
                                "penguins"]  # fmt: skip
    assert lines[3].split()[-1] == "gone"
    assert len(call("models", "--offset", "1", "--json").document()["models"]) == 1
    assert "no models in this folder" in call("models", "--offset", "2").out
    call("runs", "--limit", "5", "--offset", "10", "--status", "waiting")
    assert ("list", (5, 10, "waiting")) in runs.calls


def test_predict_sends_the_row_as_given(call: Call, runs: FakeRuns) -> None:
    told = call("predict", "penguins", "--row", json.dumps(ROW))
    assert told.out == "Adelie  (Adelie 90.0%, Gentoo 10.0%)\n"
    assert ("predict", ("penguins", [ROW])) in runs.calls
    assert set(call("predict", "penguins", "--row", "{}", "--json").document()) == {
        "predictions",
        "model",
        "latency_ms",
    }


def test_predict_writes_a_file_through_the_service(call: Call, runs: FakeRuns, tmp_path: Path) -> None:
    told = call("predict", RUN, "penguins.csv", "--out", "out.csv")
    assert told.code == 0 and told.out.endswith("out.csv; columns added: 'model_prediction', 'p(Adelie)'\n")
    assert ("predict_file", (RUN, tmp_path / "penguins.csv", tmp_path / "out.csv")) in runs.calls


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_predicted(call: Call, runs: FakeRuns) -> None:
    told = call("predict", RUN, "penguins.csv", "--out", "nowhere/o.csv", "--json")
    error = told.document()["error"]
    assert told.code == 4 and (error["code"], error["field"]) == ("input.out", "out")
    assert "nowhere" in error["message"] and not runs.calls


def test_deploying_a_rejected_run_needs_an_override_with_a_reason(call: Call, runs: FakeRuns) -> None:
    assert call("deploy", "latest", scenario="rejected").code == 2
    told = call("deploy", "latest", "--override", "--why", "a demo", scenario="rejected")
    assert told.code == 0
    assert ("deploy", (RUN, None, True, "a demo")) in runs.calls
    assert "curl -s http://127.0.0.1:8123/predict" in told.out


def test_retrain_follows_the_new_run(call: Call, runs: FakeRuns, tmp_path: Path) -> None:
    assert call("retrain", "penguins", "penguins.csv", "--yes").code == 0
    assert ("retrain", ("penguins", str(tmp_path / "penguins.csv"), str(tmp_path), {"yes": True}, "cli")) in runs.calls


def test_memory_values_are_json_and_else_text(call: Call, runs: FakeRuns) -> None:
    assert call("memory", "get", "neural/architecture", "--envelope").document() == {
        "value": {"width": 64},
        "version": 1,
    }
    call("memory", "set", "neural/note", '{"a": 1}')
    call("memory", "set", "note", "just words")
    kept = [what for name, what in runs.calls if name == "set"]
    assert kept == [("note", {"a": 1}, None, "cli"), ("note", "just words", None, "cli")]


def test_logs_of_a_deployment_are_found_by_its_name(call: Call) -> None:
    assert "GET /health 200" in call("logs", "penguins").out
    assert "read 344 rows" in call("logs", RUN).out


def test_down_stops_the_three_parts_and_says_so(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stopped(_settings: Settings) -> list[dict[str, Any]]:
        return [{"what": what, "stopped": True, "detail": "ok"} for what in ("runner", "deployments", "redis")]

    monkeypatch.setattr(wiring, "shut_down", stopped)
    assert [line.split(":")[0] for line in call("down").out.splitlines()] == ["runner", "deployments", "redis"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(call: Call, shell: str) -> None:
    assert "_NEUROLOOM_COMPLETE" in call("completion", shell).out


def test_a_shell_completes_commands_and_options() -> None:
    program = Path(sys.executable).with_name("neuroloom")
    environment = {"_NEUROLOOM_COMPLETE": "bash_complete", "COMP_WORDS": "neuroloom dep", "COMP_CWORD": "1"}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.stdout.split() == ["plain,deploy", "plain,deployments"]


@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [(["run", "penguins.csv", "--from"], "la", "latest"), (["memory", "get"], "arch", "architecture")],
)
def test_a_shell_completes_what_is_in_memory(runs: FakeRuns, words: list[str], begun: str, offered: str) -> None:
    assert runs.scenario == "deployed"
    found = ShellComplete(cli, {}, "neuroloom", "_NEUROLOOM_COMPLETE").get_completions(words, begun)
    assert [one.value for one in found] == [offered]
