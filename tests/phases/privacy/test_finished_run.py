"""One real run on a table whose every cell is marked: what the allow-lists let through is searched for the marks."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.settings import load
from app.wiring import open_services
from memory.errors import InputError, PrivacyRefused
from phases.privacy.artifacts import holds_no_cells
from phases.privacy.catalogue import EVENTS
from phases.privacy.level import Level
from phases.privacy.privacy import REPORT_KEYS, Privacy
from phases.privacy.schema import Schema
from phases.views import RunView
from tests.journeys.conftest import House, a_house

ROWS = 240


@dataclass(frozen=True)
class Ended:
    """Everything that a finished run has."""

    house: House
    view: RunView
    memory: dict[str, Any]
    events: list[dict[str, Any]]
    schema: Schema
    marks: re.Pattern[bytes]

    @property
    def folder(self) -> Path:
        return Path(self.view.workspace)

    def at(self, level: Level) -> Privacy:
        return Privacy(level, self.schema)

    def marked(self, found: Any) -> list[bytes]:
        """The marked cells in what a door would send."""
        data = found if isinstance(found, bytes) else json.dumps(found, ensure_ascii=False).encode()
        return [match.group() for match in self.marks.finditer(data)]


def _table(path: Path) -> re.Pattern[bytes]:
    """A table with marked cells; the pattern finds each of them, as text or as the digits of a number."""
    draw = random.Random(3)
    lines, cells = ["customer_email,full_name,city,age,income,signup,note,churn"], set()
    for i in range(ROWS):
        calm = draw.random() < 0.5
        mail, name, city = f"qxmail{i}@qx.example", f"Qxname{i} Qxlast{i}", f"Qxcity{draw.choice('abcd')}"
        young = calm != (draw.random() < 0.06)  # mostly learnable, and no leak
        age = draw.randint(200_001, 400_000) + (0 if young else 300_000)  # six digits: no count of anything here
        income, day = f"{draw.uniform(1e6, 9e6):.3f}", f"18{draw.randint(10, 99)}-0{draw.randint(1, 9)}-1{i % 10}"
        note = " ".join(f"qxword{draw.randint(0, 400)}" for _ in range(6))
        lines.append(f"{mail},{name},{city},{age},{income},{day},{note},{'stays' if calm else 'leaves'}")
        cells |= {str(age), income, income.rstrip("0"), day}
    path.write_text("\n".join(lines) + "\n")
    numbers = "|".join(re.escape(cell) for cell in sorted(cells, key=len, reverse=True))
    return re.compile(rf"(?i:qx(mail|name|last|city|word)\w*)|(?<![\w.])({numbers})(?!\w)".encode())


@pytest.fixture(scope="module")
def ended() -> Iterator[Ended]:
    with a_house() as house:
        marks = _table(house.workspace / "marked.csv")
        document = house.document("run", "marked.csv", "--target", "churn", "--epochs", "12")
        assert document["status"] == "deployed", document
        run = document["run_id"]

        async def read() -> tuple[RunView, dict[str, Any], Schema]:
            async with open_services(load(environ=house.environment)) as services:
                names = await services.notes.list(run)
                found = {name: await services.notes.get(run, name) for name in names}
                return await services.runs.get(run), found, (await services.guard.of(run)).schema

        view, memory, schema = asyncio.run(read())
        yield Ended(house, view, memory, house.events(run), schema, marks)


@pytest.mark.slow
def test_the_marks_are_found_where_cells_are_and_the_profile_knows_personal_columns(ended: Ended) -> None:
    assert ended.marked(ended.memory["validation"]), "the search would find nothing anywhere"
    assert ended.marked((ended.folder / "data" / "snapshot.json").read_bytes())
    assert ended.schema.personal == {"customer_email": "mail", "full_name": "name"}
    assert sorted(ended.schema.classes) == ["leaves", "stays"]


@pytest.mark.slow
@pytest.mark.parametrize("level", ["schema", "aggregates"])
def test_no_cell_is_in_the_view_the_events_the_memory_or_the_report(ended: Ended, level: Level) -> None:
    privacy = ended.at(level)
    assert ended.marked(privacy.run(ended.view)) == []
    assert [found for event in ended.events if (found := ended.marked(privacy.event(event)))] == []
    for name, value in ended.memory.items():
        assert ended.marked(privacy.memory(name, value)) == [], name
    report = privacy.report(ended.view, {name: ended.memory.get(name) for name in REPORT_KEYS})
    assert ended.marked(report.encode()) == []


@pytest.mark.slow
def test_every_name_in_memory_and_every_kind_of_event_is_listed_and_tells_something(ended: Ended) -> None:
    privacy = ended.at("schema")
    for name, value in ended.memory.items():
        if value is not None:
            assert privacy.memory(name, value) not in (None, {}, [{}]), name
    assert {event["type"] for event in ended.events} <= set(EVENTS)
    assert privacy.event({"type": "unheard-of", "cell": "x"}) is None
    with pytest.raises(PrivacyRefused):
        privacy.memory("unheard-of", {"cell": "x"})


@pytest.mark.slow
def test_no_cell_is_in_the_bytes_of_any_file_that_is_let_through(ended: Ended) -> None:
    privacy, passed = ended.at("schema"), []
    for path in ended.folder.rglob("*"):
        name = str(path.relative_to(ended.folder))
        if not path.is_file():
            continue
        try:
            privacy.artifact(name)
        except PrivacyRefused:
            continue
        passed.append(name)
        found = ended.marked(path.read_bytes())
        assert found == [], name
    assert {"reports/loss.svg", "configs/training.json", "scripts/serve.py", "monitoring/rules.yml"} <= set(passed)
    assert not [name for name in passed if name.startswith(("data/", "jobs/"))]


@pytest.mark.slow
def test_files_with_cells_are_refused_below_samples_and_with_personal_data_at_samples_too(ended: Ended) -> None:
    holding = [
        str(path.relative_to(ended.folder))
        for path in ended.folder.rglob("*.*")
        if path.is_file() and path.suffix in {".json", ".md", ".html", ".parquet", ".npz"}
        and ended.marked(path.read_bytes())
    ]  # fmt: skip
    assert len(holding) > 5
    for name in holding:
        assert not holds_no_cells(name)
        for level in ("schema", "aggregates", "samples"):
            with pytest.raises(PrivacyRefused):
                ended.at(level).artifact(name)
    impersonal = Privacy("samples", Schema.of({"target": "churn"}, [{"name": "age", "type": "number"}]))
    impersonal.artifact("data/snapshot.json")


@pytest.mark.slow
def test_at_samples_cells_are_told_and_personal_data_are_masked(ended: Ended) -> None:
    privacy = ended.at("samples")
    rows = [one["row"] for one in privacy.memory("validation", ended.memory["validation"])["examples"]]
    assert rows and all(row["full_name"] == "<name>" for row in rows)
    assert ended.marked(rows), "cells of other columns are allowed"
    everything = [privacy.run(ended.view), *(privacy.memory(name, one) for name, one in ended.memory.items())]
    assert not re.search(r"(?i)qx(mail|name|last)", json.dumps(everything))


@pytest.mark.slow
def test_the_made_up_row_has_the_columns_of_the_model_and_is_answered_by_it(ended: Ended) -> None:
    names = {one["name"] for one in ended.memory["dataset"]["features"]}
    assert set(ended.schema.example("schema")) == names
    row = ended.schema.example("aggregates")
    assert set(row) == names
    answer = ended.house.document("predict", ended.view.run_id, "--row", json.dumps(row))
    assert answer["predictions"][0]["label"] in {"leaves", "stays"}


@pytest.mark.slow
def test_the_report_for_a_chat_tells_gates_metrics_columns_classes_and_the_way_back(ended: Ended) -> None:
    report = ended.at("aggregates").report(ended.view, ended.memory)
    for part in ("## Gates", "## Metrics", "## Beside simpler models", "## What it looks at", "## Errors by class",
                 "## Warnings", "## How to reproduce"):  # fmt: skip
        assert part in report
    accuracy = ended.memory["validation"]["metrics"]["accuracy"]["value"]
    assert f"| accuracy | {accuracy:.4g}" in report and "| test |" in report
    assert f"neuroloom run DATA --from {ended.view.run_id}" in report
    counts = ended.memory["validation"]["confusion"]
    own = counts["labels"].index("leaves")
    assert f"| `leaves` | {sum(counts['matrix'][own])} | {counts['matrix'][own][own]} |" in report


@pytest.mark.slow
def test_errors_about_the_table_show_none_of_its_cells(ended: Ended) -> None:
    privacy = ended.at("schema")
    error = InputError("the target 'full_name' has classes with a single example: 'Qxname1 Qxlast1'",
                       code="input.single_class_example", field="target", fix="merge 'Qxname1 Qxlast1'")  # fmt: skip
    told = privacy.error(error)
    assert told["code"] == "input.single_class_example" and "'full_name'" in told["message"]
    assert ended.marked(told) == []
