"""Whole conversations about a marked table: no byte that the server sends holds a cell that the level keeps back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conformance.lines import Lines, speaking
from tests.journeys.conftest import NEUROLOOM, House, a_house
from tests.mcp_server.marked import CLASSES, Marked, broken, opened, written

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ENDED = {"deployed", "finished", "rejected", "failed", "cancelled"}
BROKEN = ("ragged", "mixed", "bytes")
ROW = {"member": "x", "mail": "a@b.c", "amount": 1.5, "weight": 2.5, "town": "nowhere", "remark": "none"}
TOKEN = {"_meta": {"progressToken": "p"}}
Cells = tuple[Marked, set[str]]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as found:
        yield found


@pytest.fixture(scope="module")
def cells(house: House) -> Cells:
    return written(house.workspace), broken(house.workspace)


@contextmanager
def talking_at(house: House, level: str) -> Iterator[Lines]:
    """A client of a server at this level of privacy."""
    environment = {**house.environment, "NEUROLOOM_PRIVACY_LEVEL": level}
    with speaking([str(NEUROLOOM), "mcp"], house.workspace, environment) as client:
        client.greet()
        yield client


def leaked(client: Lines, cells: Cells, *, categories: bool) -> list[str]:
    """The cells among everything that the server said to this client."""
    said = opened(bytes(client.bytes))
    return [*cells[0].found_in(said, categories=categories), *sorted(one for one in cells[1] if one.encode() in said)]


def tool(client: Lines, name: str, /, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a call, gone well or not."""
    return dict(client.call(name, TOKEN, **arguments)["structuredContent"])


def followed(client: Lines, **arguments: Any) -> dict[str, Any]:
    """Start a run, answer its question, and wait for its end."""
    found = tool(client, "run_start", deploy=False, epochs=2, **arguments)
    run = found.get("run")
    for _ in range(40):
        if run is None or found["status"] in ENDED:
            return found
        found = tool(client, "run_wait", run=run, seconds=20)
        if found["status"] == "waiting":
            tool(client, "run_approve", run=run, target="amount\n")  # wrong: a message about columns
            tool(client, "run_approve", run=run, target="outcome")
    raise AssertionError(f"{run} never ended")


@pytest.fixture(scope="module")
def talked(house: House, cells: Cells) -> tuple[dict[str, Any], list[str]]:
    """A training talked about from its first word at `schema`, and trainings that fail: the run, and what leaked."""
    with talking_at(house, "schema") as client:
        for name in BROKEN:
            tool(client, "dataset_profile", data=f"{name}.csv", target="outcome", seconds=20)
        tool(client, "dataset_add", name="marked", path="marked.csv")
        for target in ("remark", "no_such"):
            tool(client, "dataset_profile", data="marked", target=target, seconds=30)
        done = followed(client, data="marked")
        followed(client, data="classes.csv", target="outcome")
        followed(client, data="marked", target="outcome", positive="nobody")
        return done, leaked(client, cells, categories=True)


def read_everything(client: Lines, house: House, run: str) -> None:
    """Every tool, address, prompt and completion that there is about a finished run, and calls that are refused."""
    for detail in ("brief", "phases", "metrics", "decisions", "events"):
        for offset in (0, 50):
            tool(client, "run_get", run=run, detail=detail, limit=50, offset=offset)
    figures = tool(client, "report_get", run=run)["figures"]
    for figure in [*figures, "none"]:
        tool(client, "report_get", run=run, figure=figure if isinstance(figure, str) else figure["name"])
    tool(client, "dataset_profile", data="marked", target="outcome", limit=50)
    tool(client, "dataset_profile")
    others = [one["run"] for one in tool(client, "run_list", limit=50)["runs"] if one["run"] != run]
    tool(client, "run_compare", runs=[run, *others[:2]])
    for name in ("model_list", "deployment_list", "doctor"):
        tool(client, name)
    tool(client, "model_predict", model=run, rows=[{**ROW, "amount": "much"}, {"town": "nowhere"}, {**ROW, "more": 1}])
    for key in tool(client, "memory_get", run=run)["keys"]:
        tool(client, "memory_get", run=run, key=key)
        client.ask("resources/read", {"uri": f"neural://memory/{run}/{key.removeprefix('neural/')}"})
    for one in others:
        tool(client, "run_get", run=one)
        tool(client, "run_get", run=one, detail="events", limit=50)
    tool(client, "run_steer", run=run, stop_early=True)
    tool(client, "run_resume", run=run)
    tool(client, "deployment_change", action="rollback", name="marked")
    _read_addresses(client, house, run)
    _read_prompts(client, run)


def _read_addresses(client: Lines, house: House, run: str) -> None:
    listed = [one["uri"] for one in client.result("resources/list")["resources"]]
    client.result("resources/templates/list")
    folder = house.workspace / "neural" / run
    files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    parts = [f"neural://runs/{run}/{name}" for name in ("report", "metrics", "events", *_artifacts(files))]
    for uri in (*listed, *parts, "neural://datasets/marked", "neural://memory/no_such"):
        client.ask("resources/read", {"uri": uri})


def _artifacts(files: list[str]) -> list[str]:
    return [f"artifacts/{name}" for name in files]


def _read_prompts(client: Lines, run: str) -> None:
    given = {"run": run, "runs": f"{run},latest", "data": "marked", "name": "marked", "target": "outcome"}
    for prompt in client.result("prompts/list")["prompts"]:
        names = [one["name"] for one in prompt.get("arguments", [])]
        client.ask("prompts/get", {"name": prompt["name"], "arguments": {n: given[n] for n in names if n in given}})
        for name in names:
            asked = {"ref": {"type": "ref/prompt", "name": prompt["name"]}, "argument": {"name": name, "value": ""}}
            client.ask("completion/complete", {**asked, "context": {"arguments": {"data": "marked", "run": run}}})


def test_a_training_is_talked_about_without_one_cell(talked: tuple[dict[str, Any], list[str]]) -> None:
    done, leaks = talked
    assert done["status"] in {"finished", "rejected"}, done
    assert leaks == []


def test_at_schema_no_cell_is_in_anything_that_can_be_asked_about_a_run(
    house: House, cells: Cells, talked: tuple[dict[str, Any], list[str]]
) -> None:
    with talking_at(house, "schema") as client:
        read_everything(client, house, talked[0]["run"])
        assert leaked(client, cells, categories=True) == []
        assert all(name.encode() in client.bytes for name in CLASSES), "class names count as schema"


def test_at_aggregates_categories_are_told_and_no_cell_that_is_someones_own(
    house: House, cells: Cells, talked: tuple[dict[str, Any], list[str]]
) -> None:
    with talking_at(house, "aggregates") as client:
        read_everything(client, house, talked[0]["run"])
        assert leaked(client, cells, categories=False) == []


def test_at_samples_cells_are_found_so_that_the_search_can_fail(
    house: House, cells: Cells, talked: tuple[dict[str, Any], list[str]]
) -> None:
    with talking_at(house, "samples") as client:
        for one in tool(client, "run_list", limit=50)["runs"]:
            _read_addresses(client, house, one["run"])
        found = leaked(client, cells, categories=True)
        assert cells[0].categories < set(found), "categories are told, and cells of a table without personal data"
