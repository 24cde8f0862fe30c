"""Shared test set-up: system tools a test needs, and the list of tests that were not run for want of one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.backends.walls import why_not
from gpu_jobs.host import processes
from tests.environment import a_plain_environment
from tests.leftovers import SESSION_MARK, end_all, newest_process, of_session

REQUIRE_ALL = os.environ.get("REQUIRE") == "all"
NOT_RUN = pytest.StashKey[list[str]]()


@cache
def _available(tool: str) -> bool:
    if tool == "cuda":
        return importlib.util.find_spec("torch") is not None and Path("/dev/nvidia0").exists()
    if tool == "docker":  # the command alone builds nothing
        return shutil.which(tool) is not None and subprocess.run([tool, "info"], capture_output=True).returncode == 0
    if tool == "bwrap":  # the program alone is not enough: user namespaces may be forbidden
        return why_not() is None
    if tool == "package index":
        return _index_answers()
    if tool == "tmpfs":  # may we mount one? Tried where nobody else sees it
        trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return shutil.which("unshare") is not None and not subprocess.run(trial, capture_output=True).returncode
    if tool == "sshd":  # a server's program, which not everybody has on the path
        return shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is not None
    return shutil.which(tool) is not None


def _index_answers() -> bool:
    """Whether pip finds a package where it is set up to look."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
    return subprocess.run([*command, "--retries", "0", "--timeout", "15", "idna"], capture_output=True).returncode == 0


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = []
    a_plain_environment()
    if not hasattr(config, "workerinput"):  # what the tests start carries it on, in every test process
        os.environ[SESSION_MARK] = uuid.uuid4().hex


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests whose system tool is absent; with REQUIRE=all they stay, and fail in `_needed_tools`."""
    kept = []
    for item in items:
        absent = [tool for mark in item.iter_markers("needs") for tool in mark.args if not _available(tool)]
        if item.get_closest_marker("gpu") and not _available("cuda"):
            config.stash[NOT_RUN].append(f"{item.nodeid}: needs a GPU")
        elif absent and not REQUIRE_ALL:
            config.stash[NOT_RUN].append(f"{item.nodeid}: needs {', '.join(absent)}")
        else:
            kept.append(item)
    items[:] = sorted(kept, key=lambda item: item.get_closest_marker("slow") is not None)  # the heavy ones last


@pytest.fixture(autouse=True)
def _needed_tools(request: pytest.FixtureRequest) -> Iterator[None]:
    absent = [t for mark in request.node.iter_markers("needs") for t in mark.args if not _available(t)]
    if absent:
        pytest.fail(f"REQUIRE=all and these tools are absent: {', '.join(absent)}")
    yield


@pytest.fixture(autouse=True)
def _nothing_lives_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends, after everything else of a test, the processes that live in its temporary folder."""
    before = newest_process()
    yield
    folder = getattr(request.node, "funcargs", {}).get("tmp_path")
    if folder is not None and newest_process() != before:
        end_all(folder)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With several test processes: each tells the one that prints what it did not run."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = session.config.stash[NOT_RUN]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of several test processes has ended: take its list (all collect the same)."""
    told = getattr(node, "workeroutput", {}).get("not_run", [])
    known = node.config.stash[NOT_RUN]
    known.extend(one for one in told if one not in known)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[NOT_RUN]:
        terminalreporter.section("not run: a tool is absent")
        for line in config.stash[NOT_RUN]:
            terminalreporter.write_line(line)
    if hasattr(config, "workerinput"):
        return  # its sisters are still at work
    if left := of_session(os.environ[SESSION_MARK]):
        terminalreporter.section("left behind: these processes outlived their tests and were ended now")
        for pid, line in left.items():
            terminalreporter.write_line(f"{pid} {line}")
        processes.kill_all(list(left))
