"""Files and figures of a run's folder: links lead only to what may leave, and every refusal is a code."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client, MCPError
from mcp.types import TextResourceContents

from app.settings import load
from mcp_server import figures, run_files
from mcp_server.serving import guarded
from memory.errors import InputError, PrivacyRefused
from phases.privacy.level import LEVELS, Level
from phases.privacy.privacy import Privacy
from phases.privacy.schema import Column, Schema
from phases.workspace import write_json, write_text
from tests.journeys.conftest import House
from tests.mcp_server.conftest import refused, told

CELL = "zq-cell-4711"
OPEN = Schema(columns=(Column(name="age", kind="number"),), features=("age",), target="age")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run's folder with a sealed attempt, its published links, a table, and links that lead astray."""
    run = tmp_path / "run"
    write_text(tmp_path / "secret.json", CELL)
    write_text(run / "data" / "snapshot.json", CELL)
    write_text(run / "attempts/1/scripts/serve.py", "serve = True\n")
    write_text(run / "attempts/1/models/model.onnx", "weights")
    for name in ("scripts", "models", "configs", "reports"):
        (run / name).mkdir()
    (run / "scripts/serve.py").symlink_to("../attempts/1/scripts/serve.py")
    (run / "models/model.onnx").symlink_to("../attempts/1/models/model.onnx")
    (run / "configs/training.json").symlink_to("../data/snapshot.json")
    (run / "configs/architecture.json").symlink_to(tmp_path / "secret.json")
    (run / "configs/monitoring.json").symlink_to("monitoring.json")
    os.mkfifo(run / "Dockerfile")
    return run


def test_our_own_links_into_an_attempt_are_followed_where_they_may_leave(root: Path) -> None:
    assert run_files.read(root, "scripts/serve.py", Privacy("schema").artifact) == b"serve = True\n"
    assert run_files.read(root, "models/model.onnx", Privacy("samples", OPEN).artifact) == b"weights"
    with pytest.raises(PrivacyRefused):
        run_files.read(root, "models/model.onnx", Privacy("aggregates", OPEN).artifact)


@pytest.mark.parametrize("level", ["schema", "aggregates"])
def test_a_link_to_the_table_under_an_allowed_name_is_refused(root: Path, level: Level) -> None:
    with pytest.raises(PrivacyRefused, match="may hold cells"):
        run_files.read(root, "configs/training.json", Privacy(level, OPEN).artifact)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["configs/architecture.json", "configs/monitoring.json", "Dockerfile"])
def test_a_link_out_of_the_folder_a_circle_and_a_pipe_are_no_files(root: Path, level: Level, name: str) -> None:
    with pytest.raises(InputError, match="no file") as error:
        run_files.read(root, name, Privacy(level, OPEN).artifact)
    assert error.value.code == "input.no_such_artifact"


def test_a_folder_that_leads_elsewhere_takes_its_files_with_it(root: Path) -> None:
    (root / "scripts/rows").symlink_to("../data")
    write_text(root / "data" / "rows.py", CELL)
    with pytest.raises(PrivacyRefused):
        run_files.read(root, "scripts/rows/rows.py", Privacy("aggregates", OPEN).artifact)


def test_names_too_long_and_files_too_large_are_said_so(root: Path) -> None:
    with pytest.raises(InputError) as error:
        run_files.read(root, "x" * 5000, Privacy("samples", OPEN).artifact)
    assert error.value.code == "input.no_such_artifact"
    (root / "reports/loss.svg").write_bytes(b"x" * (run_files.MOST_BYTES + 1))
    with pytest.raises(InputError) as error:
        run_files.read(root, "reports/loss.svg", Privacy("schema").artifact)
    assert error.value.code == "input.too_large"


@pytest.fixture(scope="module")
def drawn(house: House, churn: Path) -> Iterator[Path]:
    """The folder of a run that was cancelled at once, with figures as its job leaves them; two of them lead astray."""
    made = house.document("run", churn, "--target", "churned", "--detach", "--no-deploy")
    house.say("cancel", made["run_id"])
    folder = house.workspace / "neural" / str(made["run_id"])
    names = ("loss", "rate", "baselines", "latency")
    rows = [
        {"file": f"{name}.svg", "picture": f"{name}.png", "title": name, "alt": f"{CELL!r} falls"} for name in names
    ]
    write_json(folder / "jobs/plots/result.json", {"plots": rows})
    (folder / "reports").mkdir(exist_ok=True)
    write_text(folder / "data/picture.png", CELL)
    (folder / "reports/loss.png").write_bytes(figures.PNG + b"rest")
    (folder / "reports/rate.png").write_text(CELL)
    (folder / "reports/baselines.png").symlink_to("../data/picture.png")
    (folder / "reports/latency.png").symlink_to("/etc/hostname")
    (folder / "reports/roc.svg").mkdir()
    yield folder


@asynccontextmanager
async def opened(house: House, level: Level) -> AsyncIterator[Client]:
    """A client of a server in this process."""
    settings = load(environ={**house.environment, "NEUROLOOM_PRIVACY_LEVEL": level})
    async with Client(guarded(settings)) as client:
        yield client


async def test_only_figures_that_are_pictures_of_the_run_are_shown(
    house: House, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house.workspace)
    async with opened(house, "aggregates") as client:
        report = await client.call_tool("report_get", {"run": drawn.name, "figure": "loss"})
        assert told(report)["figures"] == ["loss", "rate"]
        assert CELL not in report.model_dump_json()
        no_png = await client.call_tool("report_get", {"run": drawn.name, "figure": "rate"})
        assert refused(no_png)["code"] == "input.no_such_figure"
        assert CELL not in no_png.model_dump_json()
        for name in ("baselines", "latency", "rate"):
            with pytest.raises(MCPError, match="no_such_figure") as error:
                await client.read_resource(f"neural://runs/{drawn.name}/figures/{name}")
            assert error.value.code == -32602


@pytest.mark.parametrize("level", LEVELS)
async def test_every_refusal_of_an_address_is_a_code(
    house: House, drawn: Path, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house.workspace)
    run = f"neural://runs/{drawn.name}"
    wanted = {
        f"{run}/artifacts/data/snapshot.parquet": "privacy.refused",
        f"{run}/artifacts/reports/latency.png": "input.no_such_artifact",
        f"{run}/artifacts/reports/roc.svg": "input.no_such_artifact",
        f"{run}/artifacts/{'x' * 5000}": "privacy.refused",
        "neural://runs/r-20200101-000000-abcd/report": "input.no_such_run",
        f"neural://datasets/{'x' * 5000}": "input.",
        "neural://memory/no_such": "input.no_such_key",
    }
    async with opened(house, level) as client:
        for uri, code in wanted.items():
            with pytest.raises(MCPError, match=code) as error:
                await client.read_resource(uri)
            assert error.value.code == -32602, uri


async def test_an_unforeseen_failure_is_a_code_without_its_words(
    house: House, drawn: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(house.workspace)
    result = drawn / "jobs/plots/result.json"
    kept = result.read_text()
    result.write_text(f'{{"plots": [{{"file": "{CELL}"}}]}}')  # the key that is missing is named in the error
    try:
        with caplog.at_level(logging.ERROR):
            async with opened(house, "aggregates") as client:
                with pytest.raises(MCPError, match="internal: Neuroloom itself failed") as error:
                    await client.read_resource(f"neural://runs/{drawn.name}/figures/loss")
                read = await client.read_resource(f"neural://runs/{drawn.name}")
    finally:
        result.write_text(kept)
    assert isinstance(read.contents[0], TextResourceContents)
    assert "'title'" not in str(error.value) + caplog.text
    assert "figures.py" in caplog.text
