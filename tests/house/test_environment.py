"""The tests find the same world under nohup, in the background and from `make PYTHON=...` as on a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SHOWN = (
    "import json, os, signal; ignored = [s.name for s in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)"
    " if signal.getsignal(s) == signal.SIG_IGN]; print(json.dumps([ignored, dict(os.environ)]))"
)
STARTED = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOWN!r}], check=True)"


def found(first: str, **environment: str) -> tuple[list[str], dict[str, str]]:
    """Ignored signals and variables of what is started by a process that was itself started as nohup and `&` do."""
    words = ["sh", "-c", "trap '' HUP INT QUIT; exec \"$@\"", "sh", sys.executable, "-c", first + STARTED]
    said = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True, check=True).stdout
    ignored, variables = json.loads(said)
    return ignored, variables


def test_signals_that_were_ignored_reach_what_the_tests_start() -> None:
    assert found("")[0] == ["SIGHUP", "SIGINT", "SIGQUIT"]
    assert found("from tests.environment import a_plain_environment as plain; plain(); ")[0] == []


def test_variables_that_what_is_tested_obeys_are_forgotten_and_the_state_folder_is_kept() -> None:
    given = {"PYTHON": "python9", "PORT": "1", "NEUROLOOM_REDIS_URL": "redis://nowhere", "NEUROLOOM_HOME": "/kept"}
    _, variables = found("from tests.environment import a_plain_environment as plain; plain(); ", **given)
    assert variables["NEUROLOOM_HOME"] == "/kept"
    assert variables.keys() & {"PYTHON", "PORT", "NEUROLOOM_REDIS_URL"} == set()
