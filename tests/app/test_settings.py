"""Settings: flag > environment > file > default, each with its source; slips are refused with the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import SECTIONS, load, names
from memory.errors import UsageError
from tests.app.conftest import Call


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_layer_beats_the_one_below_and_is_named_as_the_source(tmp_path: Path) -> None:
    path = written(tmp_path, "[run]\nseed = 1\nepochs = 5\nworkers = 2\n")
    environ = {"NEUROLOOM_RUN_SEED": "2", "NEUROLOOM_RUN_EPOCHS": "6"}
    found = load(config=path, environ=environ, flags={"run.seed": 3, "run.epochs": None})
    assert (found.run.seed, found.run.epochs, found.run.workers, found.run.gpus) == (3, 6, 2, 0)
    sources = [found.sources[f"run.{name}"] for name in ("seed", "epochs", "workers", "gpus")]
    assert sources == ["flag --seed", "environment NEUROLOOM_RUN_EPOCHS", f"file {path}", "default"]


def test_the_usual_file_is_found_in_the_xdg_folder(tmp_path: Path) -> None:
    folder = tmp_path / "neuroloom"
    folder.mkdir()
    written(folder, 'log_level = "debug"\n')
    found = load(environ={"XDG_CONFIG_HOME": str(tmp_path)})
    assert found.debug
    assert load(environ={"XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}).debug is False


def test_the_state_folder_follows_home_then_xdg(tmp_path: Path) -> None:
    assert load(environ={"XDG_STATE_HOME": "/x"}).home == Path("/x/neuroloom")
    found = load(environ={"XDG_STATE_HOME": "/x", "NEUROLOOM_HOME": str(tmp_path)})
    assert found.home == found.runner.home == found.runner.memory.home == tmp_path


@pytest.mark.parametrize(
    ("text", "near"),
    [("[run]\nsede = 1\n", "run.seed"), ("[memroy]\nurl = 'x'\n", "memory"), ("log_levl = 'debug'\n", "log_level")],
)
def test_an_unknown_name_in_the_file_is_refused_with_the_nearest(tmp_path: Path, text: str, near: str) -> None:
    with pytest.raises(UsageError, match=near) as refused:
        load(config=written(tmp_path, text), environ={})
    assert refused.value.code == "usage.unknown_setting"


def test_a_misspelt_variable_is_refused_and_foreign_ones_are_left_alone() -> None:
    with pytest.raises(UsageError, match="NEUROLOOM_REDIS_URL"):
        load(environ={"NEUROLOOM_REDIS_ULR": "redis://x"})
    load(environ={"NEUROLOOM_JOB": "r-1/train", "DEBUG": "express:*", "NEUROLOOM_RUN_SEED": ""})


@pytest.mark.parametrize(
    "text", ["not toml", "[run]\nseed = 'many'\n", "[run]\nseed = -1\n", "[run]\ngates = 'none'\n"]
)
def test_a_wrong_value_or_file_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        load(config=path, environ={})
    assert str(path) in str(refused.value)


def test_lists_come_from_one_variable_separated_by_commas() -> None:
    assert load(environ={"NEUROLOOM_POLICY_DOORS": "cli, mcp"}).runner.policy.doors == ("cli", "mcp")


def test_config_lists_every_setting_with_value_source_and_variable(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROLOOM_REDIS_URL", "redis://me:hunter2@host:1/0")
    told = call("config", "--json")
    assert "hunter2" not in told.out + call("config").out
    rows = {row["name"]: row for row in told.document()["settings"]}
    assert rows["memory.url"]["value"] == "redis://me:********@host:1/0"
    assert rows["memory.url"]["source"] == "environment NEUROLOOM_REDIS_URL"
    fields = {
        f"{section}.{key}" for section in ("app", "memory", "run", "policy") for key in SECTIONS[section].model_fields
    }
    assert fields <= set(rows)
    assert set(rows) == set(names())
    assert all(set(row) == {"name", "value", "source", "variable"} for row in rows.values())
