"""A command line on services in memory: in this process, or as a process of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app import wiring
from app.cli import main
from app.services import Services
from tests.app import fake_services
from tests.app.fake_services import FakeRuns, services


@dataclass
class Told:
    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Call = Callable[..., Told]


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder, a configuration folder and a workspace of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEUROLOOM_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(fake_services, "OUTCOMES", dict(fake_services.OUTCOMES))
    for name in ("DEBUG", "NEUROLOOM_REDIS_URL", "NEUROLOOM_LOG_LEVEL", "NEUROLOOM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "penguins.csv").write_text("species,island\nAdelie,Dream\n", encoding="utf-8")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    found = FakeRuns()

    @asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Services]:
        yield services(found)

    monkeypatch.setattr(wiring, "open_services", opened)
    return found


@pytest.fixture
def call(runs: FakeRuns, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*args: str, scenario: str = "deployed") -> Told:
        runs.scenario = scenario
        code = main(list(args))
        captured = capsys.readouterr()
        return Told(code, captured.out, captured.err)

    return run
