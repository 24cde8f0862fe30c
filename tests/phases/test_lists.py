"""Lists of runs and of model versions, page by page, and of the figures of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memory.errors import UsageError
from memory.store import Memory
from phases.request import RunRequest
from phases.services import runs as module
from phases.services.deployments import Deployments
from phases.services.figures import Figures
from phases.services.models import Models
from phases.services.runs import Runs
from phases.supervisor import records
from phases.workspace import write_json
from tests.phases.supervisor.conftest import wish


@pytest.fixture
async def five(runs: Runs, memory: Memory, request_of: RunRequest) -> list[str]:
    """Five runs, newest first, of which the second and the fifth have failed."""
    made = [(await runs.start(request_of)).run_id for _ in range(5)]
    newest_first = [view.run_id for view in await runs.list()]
    assert sorted(newest_first) == sorted(made)
    for run in (newest_first[1], newest_first[4]):
        state = await memory.get(run, "state")
        assert state is not None
        await memory.put(run, "state", {**state.value, "state": "failed"}, by="test")
    return newest_first


async def ids(runs: Runs, *page: Any) -> list[str]:
    return [view.run_id for view in await runs.list(*page)]


async def test_runs_are_listed_page_by_page(runs: Runs, five: list[str]) -> None:
    assert [await ids(runs, 2, offset) for offset in (0, 2, 4, 6)] == [five[:2], five[2:4], five[4:], []]


@pytest.mark.parametrize("page", [100, 2, 1])
async def test_runs_of_one_status_are_listed_over_the_pages_of_memory(
    runs: Runs, five: list[str], monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(module, "PAGE", page)
    assert await ids(runs, 20, 0, "failed") == [five[1], five[4]]
    assert await ids(runs, 1, 1, "queued") == [five[2]]
    assert await ids(runs, 20, 2, "failed") == []


async def test_a_status_that_no_run_can_have_is_refused_with_those_there_are(runs: Runs) -> None:
    with pytest.raises(UsageError, match="did you mean 'failed'") as refused:
        await runs.list(20, 0, "faild")
    assert refused.value.fix is not None and "waiting" in refused.value.fix


async def test_model_versions_are_listed_with_what_serves_them(
    runs: Runs, five: list[str], memory: Memory, service_of: Deployments, home: Path, tmp_path: Path
) -> None:
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(b"x" * 100)
    for number, run in enumerate((five[0], five[2], five[3])):
        path = onnx if number else tmp_path / "gone.onnx"
        model = {"name": "leavers", "version": f"1.{number}.0", "path": str(path), "sha256": "ab" * 32}
        await memory.put(run, "model-view", model, by="test")
    current = wish(home, "leavers").model_copy(update={"run_id": five[2]})
    records.save(home, records.Record(name="leavers", port=8100, current=current))
    models = Models(memory, runs, service_of, runs.settings)
    rows = list(await models.list())
    assert [(row["run_id"], row["version"]) for row in rows] == [
        (five[0], "1.0.0"),
        (five[2], "1.1.0"),
        (five[3], "1.2.0"),
    ]
    assert [row["bytes"] for row in rows] == [None, 100, 100]
    assert [row["deployments"] for row in rows] == [[], ["leavers"], []]
    assert list(await models.list(1, 1)) == rows[1:2] and list(await models.list(5, 3)) == []


async def test_figures_are_listed_with_the_files_that_are_there(runs: Runs, request_of: RunRequest) -> None:
    view = await runs.start(request_of)
    figures, root = Figures(runs), Path(view.workspace)
    assert list(await figures.list(view.run_id)) == []
    drawn = {"file": "loss.svg", "picture": "loss.png", "title": "Loss per epoch", "alt": "It falls."}
    odd = {"file": "../../secret.svg", "title": "Odd", "alt": ""}
    write_json(root / "jobs" / "plots" / "result.json", {"plots": [drawn, odd], "notes": []})
    (root / "reports").mkdir()
    for name in ("loss.svg", "loss.png"):
        (root / "reports" / name).touch()
    (root / "secret.svg").touch()
    first, second = await figures.list(view.run_id)
    assert first == {"name": "loss", "title": "Loss per epoch", "alt": "It falls.",
                     "svg": str(root / "reports/loss.svg"), "png": str(root / "reports/loss.png")}  # fmt: skip
    assert (second["svg"], second["png"]) == (None, None)
