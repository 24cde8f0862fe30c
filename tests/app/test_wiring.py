"""The real services behind the command line: a Redis that is away, an empty workspace, and the end of everything."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import wiring
from app.cli import main
from app.settings import load
from memory.embedded import EmbeddedRedis
from memory.errors import RedisAway
from phases.lock import only_one
from phases.settings import RunnerSettings
from tests.ports import free_port

GIVES_UP_SECONDS = 15.0  # within one on a quiet machine; it must not wait for Redis to come back


@pytest.fixture
def _redis_ends(tmp_path: Path) -> Iterator[None]:
    yield
    EmbeddedRedis(tmp_path / "state").stop()


async def test_a_configured_redis_that_is_away_is_said_at_once() -> None:
    settings = load(environ={"NEUROLOOM_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"})
    began = time.monotonic()
    with pytest.raises(RedisAway):
        async with wiring.open_services(settings):
            raise AssertionError("it opened")
    assert time.monotonic() - began <= GIVES_UP_SECONDS


def test_a_redis_that_is_away_exits_3_with_one_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEUROLOOM_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert main(["runs", "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "memory.away"
    assert document["error"]["fix"]


@pytest.mark.usefixtures("_redis_ends")
@pytest.mark.needs("redis-server")
def test_an_empty_workspace_has_no_runs_and_takes_asserted_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}
    assert main(["show", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "input.no_such_run"
    assert main(["memory", "set", "neural/training-metrics", '{"accuracy": 0.99}', "--json"]) == 0
    assert "/asserted/" in json.loads(capsys.readouterr().out)["key"]


@pytest.mark.usefixtures("_redis_ends")
@pytest.mark.needs("redis-server")
def test_down_stops_the_embedded_redis_and_twice_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["runs"])
    capsys.readouterr()
    stopped = []
    for _ in range(2):
        assert main(["down", "--json"]) == 0
        rows = {row["what"]: row["stopped"] for row in json.loads(capsys.readouterr().out)["down"]}
        stopped.append((rows["runner"], rows["redis"]))
    assert stopped == [(False, True), (False, False)]
    assert not EmbeddedRedis(tmp_path / "state").alive()


def test_a_door_says_in_what_a_living_runner_differs_and_not_what_belongs_to_a_run(tmp_path: Path) -> None:
    living = load(environ={"NEUROLOOM_HOME": str(tmp_path), "NEUROLOOM_RUNNER_IDLE_SECONDS": "60"})
    wiring.write_private(wiring.runner_settings_file(living), living.runner.model_dump_json())
    other = {"NEUROLOOM_POLICY_ASK_BEFORE_DEPLOY": "true", "NEUROLOOM_RUNNER_JOB_HOURS": "1"}
    with only_one(tmp_path / "runner.lock"):
        assert wiring.ensure_runner(living) == []
        assert wiring.ensure_runner(load(environ={"NEUROLOOM_HOME": str(tmp_path), **other})) == ["idle_seconds"]


@pytest.mark.usefixtures("_redis_ends")
@pytest.mark.needs("redis-server")
@pytest.mark.parametrize(("level", "told"), [("info", True), ("warning", False)])
def test_the_runners_log_follows_the_log_level(tmp_path: Path, level: str, told: bool) -> None:
    wanted = {"NEUROLOOM_LOG_LEVEL": level, "NEUROLOOM_RUNNER_IDLE_SECONDS": "0.1"}
    settings = load(environ={"NEUROLOOM_HOME": str(tmp_path / "state"), **wanted})
    path = wiring.runner_settings_file(settings)
    wiring.write_private(path, settings.runner.model_dump_json())
    done = subprocess.run([sys.executable, "-P", "-m", wiring.RUNNER_MODULE, path], capture_output=True, text=True)
    assert done.returncode == 0 and ("runs at once" in done.stderr) is told, done.stderr


def test_the_runner_reads_back_the_settings_it_was_given_from_a_private_file(tmp_path: Path) -> None:
    settings = load(environ={"NEUROLOOM_HOME": str(tmp_path), "NEUROLOOM_RUNNER_RUNS_AT_ONCE": "3"})
    path = wiring.runner_settings_file(settings)
    wiring.write_private(path, settings.runner.model_dump_json())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert RunnerSettings.model_validate_json(path.read_text()) == settings.runner
    assert settings.runner.runs_at_once == 3
