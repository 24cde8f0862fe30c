"""A warmed process that forks train jobs, and train jobs in folders of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gpu_jobs.training.tables import make_architecture, make_settings, write_prepared


class Nursery:
    """Forks train jobs from a warmed process; see nursery.py."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("nursery.py")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._ended: dict[int, int] = {}
        assert self._read() == {"warm": True}

    def _read(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line: dict[str, int] = json.loads(self._process.stdout.readline())
        return line

    def start(self, root: Path, spec: dict[str, Any]) -> int:
        """Fork one job; its pid."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"root": str(root), "spec": spec}) + "\n")
        while "pid" not in (line := self._read()):
            self._ended[line["ended"]] = line["status"]
        return line["pid"]

    def wait(self, pid: int) -> int:
        """Exit code of a job, negative when a signal ended it."""
        while pid not in self._ended:
            line = self._read()
            self._ended[line["ended"]] = line["status"]
        return os.waitstatus_to_exitcode(self._ended[pid])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """One warmed process for all tests."""
    opened = Nursery()
    yield opened
    opened.close()


class Jobs:
    """Train jobs in one folder.

    Attributes:
        root: the sandbox root.
        events: what job `train-1` has said.
    """

    def __init__(self, nursery: Nursery, root: Path, spec: dict[str, Any]) -> None:
        self._nursery = nursery
        self.root = root
        self.spec = spec
        self.result: dict[str, Any] = {}

    def start(self) -> int:
        """Start it (again); its pid."""
        return self._nursery.start(self.root, self.spec)

    def wait(self, pid: int) -> int:
        """Its exit code."""
        return self._nursery.wait(pid)

    def finish(self) -> dict[str, Any]:
        """Start it, wait, and read its result."""
        log = self.root / "jobs" / "train-1" / "log"
        assert self.wait(self.start()) == 0, log.read_text() if log.exists() else ""
        result: dict[str, Any] = json.loads((self.root / "jobs" / "train-1" / "result.json").read_text())
        return result

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every whole event line so far."""
        path = self.root / "jobs" / "train-1" / "events.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def said(self, kind: str) -> list[dict[str, Any]]:
        """Events of one type."""
        return [event for event in self.events if event["type"] == kind]

    def interrupt(self, after_epoch: int, how: signal.Signals) -> int:
        """Start it, send the signal once that epoch is reported, and return the exit code."""
        pid = self.start()
        while not any(event["epoch"] >= after_epoch for event in self.said("epoch")):
            os.sched_yield()
        os.kill(pid, how)
        return self.wait(pid)

    def losses(self) -> list[tuple[float, float]]:
        """(training, validation) loss of every epoch in history.json."""
        history = json.loads((self.root / "attempts" / "1" / "history.json").read_text())
        return [(row["train_loss"], row["validation_loss"]) for row in history["epochs"]]


def make_jobs(nursery: Nursery, root: Path, **asked: Any) -> Jobs:
    """A train job in `root`, which must not exist yet."""
    training = dict(asked)
    classes = training.pop("classes", 2)
    architecture = make_architecture(classes, **training.pop("architecture", {}))
    write_prepared(root, 800, classes)
    settings = make_settings(**training)
    spec = {
        "id": "train-1", "kind": "train", "run": "r-1", "dataset_sha256": "abc", "code_version": "test",
        "args": {
            "architecture": architecture.as_dict(),
            "training": settings.as_dict(),
            "attempt_folder": "attempts/1",
        },
    }  # fmt: skip
    return Jobs(nursery, root, spec)


@pytest.fixture
def jobs(nursery: Nursery, tmp_path: Path) -> Callable[..., Jobs]:
    """A maker of train jobs, each in a folder of its own: (name, classes=2, architecture={}, **training)."""
    return lambda name, **asked: make_jobs(nursery, tmp_path / name, **asked)


@pytest.fixture(scope="session")
def undisturbed(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Jobs]:
    """A maker of such jobs that are run from start to end, with their `result`; one for the same asks."""
    done: dict[str, Jobs] = {}

    def find(**asked: Any) -> Jobs:
        key = json.dumps(asked, sort_keys=True)
        if key not in done:
            job = make_jobs(nursery, tmp_path_factory.mktemp("undisturbed") / "job", **asked)
            job.result = job.finish()
            done[key] = job
        return done[key]

    return find
