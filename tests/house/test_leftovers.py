"""No process outlives its test: it is found by the folder it lives in, however it was detached, and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.leftovers import SESSION_MARK, end_all, living_in, of_session

DETACHED = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"


def detached(folder: Path, *words: str, **environment: str) -> None:
    """A sleeper that is nobody's child and knows the folder only by its command, environment or working folder."""
    sleeper = ["sh", "-c", "sleep 300; true", "sleeper", *words]
    middleman = [sys.executable, "-I", "-S", "-c", DETACHED, *sleeper]
    subprocess.run(middleman, check=True, cwd=folder, env={**os.environ, **environment})


@pytest.mark.parametrize("by", ["command", "environment", "working folder"])
def test_a_detached_process_and_its_children_are_ended_by_the_folder_that_they_live_in(tmp_path: Path, by: str) -> None:
    mine, other = tmp_path / "house", tmp_path / "house2"
    mine.mkdir()
    other.mkdir()
    detached(other)
    if by == "command":
        detached(Path("/"), f"--home={mine}/state")
    elif by == "environment":
        detached(Path("/"), NEUROLOOM_HOME=str(mine))
    else:
        detached(mine)
    neighbours = living_in(other)
    assert neighbours and living_in(mine)
    assert end_all(mine) >= 1
    assert living_in(mine) == []
    assert set(neighbours) <= set(living_in(other)), "a folder whose name only begins the same was hit"
    assert end_all(other) >= 1


def test_what_outlives_the_session_is_told_with_the_test_that_started_it(tmp_path: Path) -> None:
    detached(tmp_path, **{SESSION_MARK: "this-one-alone"})
    told = of_session("this-one-alone")
    assert told and all("test_what_outlives_the_session" in line for line in told.values())
    end_all(tmp_path)
    assert of_session("this-one-alone") == {}
