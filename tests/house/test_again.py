"""A test that fails among the others and passes alone is told, not hidden; everything else fails as before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ONCE = """
from pathlib import Path

def test_that_fails_only_the_first_time():
    first = not Path("seen").exists()
    Path("seen").touch()
    assert not first

def test_that_passes():
    assert not Path("passed").exists(), "it was run again"
    Path("passed").touch()
"""
ALWAYS = "def test_that_always_fails():\n    assert 1 == 2\n"
BARE = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}


def again(folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-P", "-m", "tests.again"]
    return subprocess.run(words, cwd=folder, env=BARE, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def first_run(folder: Path, *words: str, **files: str) -> int:
    """Run tests as `make check` does: the exit code is kept beside pytest's list."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *words], cwd=folder, env=BARE, capture_output=True, text=True
    )
    (folder / ".pytest_cache" / "exit").write_text(f"{ran.returncode}\n")
    return ran.returncode


def test_a_test_that_passes_only_alone_is_run_alone_and_named(project: Path) -> None:
    assert first_run(project, "-n", "2", test_once=ONCE) == 1
    ran = again(project)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "PASSED ONLY ALONE: 1 test failed" in ran.stdout
    kept = (project / ".pytest_cache" / "passed-alone").read_text()
    assert kept in ran.stdout and "test_once.py::test_that_fails_only_the_first_time" in kept
    assert "1 passed" in ran.stdout


def test_a_test_that_fails_again_fails(project: Path) -> None:
    assert first_run(project, test_once=ONCE, test_always=ALWAYS) == 1
    ran = again(project)
    assert ran.returncode == 1
    assert "PASSED ONLY ALONE" not in ran.stdout
    assert not (project / ".pytest_cache" / "passed-alone").exists()


def test_more_than_eight_failed_tests_are_not_run_again(project: Path) -> None:
    many = ONCE + "\n".join(f"def test_{n}():\n    assert Path('fixed').exists()\n" for n in range(8))
    assert first_run(project, test_many=many) == 1
    (project / "fixed").touch()
    ran = again(project)
    assert ran.returncode == 1 and "9 tests failed, more than the 8" in ran.stdout


@pytest.mark.parametrize("left", [None, "2", "3", "4", "5"])
def test_what_is_not_a_failed_test_is_not_run_again(project: Path, left: str | None) -> None:
    cache = project / ".pytest_cache"
    (cache / "v" / "cache").mkdir(parents=True)
    (cache / "v" / "cache" / "lastfailed").write_text('{"test_once.py::test_that_passes": true}')
    (project / "test_once.py").write_text(ONCE)
    if left is not None:  # none: lint, types or layers failed before the tests
        (cache / "exit").write_text(left)
    ran = again(project)
    assert ran.returncode == 1 and "nothing is tried again" in ran.stdout
    assert not (project / "passed").exists()
